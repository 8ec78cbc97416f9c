package schema

func connectionInput() Property {
	return Property{Name: "connection", Type: Type{Kind: Object, Ref: Connection}, Required: true, Secret: true,
		Description: "How to reach the other machine."}
}

func connection() ObjectType {
	proxy := Property{Name: "proxy", Type: Type{Kind: Object, Ref: ProxyConnection},
		Description: "A machine to go through."}
	return ObjectType{
		Token:       Connection,
		Description: "How to reach a machine through SSH.",
		Properties:  append(endpoint(), proxy),
	}
}

func proxyConnection() ObjectType {
	return ObjectType{
		Token:       ProxyConnection,
		Description: "How to reach, through SSH, the machine that connections go through.",
		Properties:  endpoint(),
	}
}

func endpoint() []Property {
	return []Property{
		{Name: "host", Type: plain(String), Required: true, Description: "The machine's name or address."},
		{Name: "port", Type: plain(Number), Default: DefaultPort, Description: "The SSH server's port."},
		{Name: "user", Type: plain(String), Default: DefaultUser, Description: "The user to log in as."},
		{Name: "password", Type: plain(String), Secret: true, Description: "The user's password."},
		{Name: "privateKey", Type: plain(String), Secret: true, Description: "A private key, as text. It is tried " +
			"before the agent's keys and the password."},
		{Name: "privateKeyPassword", Type: plain(String), Secret: true, Description: "The passphrase of an encrypted `privateKey`."},
		{Name: "agentSocketPath", Type: plain(String), Description: "The socket of an SSH agent; the one that " +
			"SSH_AUTH_SOCK names when not given."},
		{Name: "hostKey", Type: plain(String), Description: "The server's public key as in authorized_keys. Any key " +
			"is accepted when not given."},
		{Name: "dialErrorLimit", Type: plain(Integer), Default: DefaultDialErrorLimit,
			Description: "How many failed attempts to connect are forgiven; -1 for any number."},
		{Name: "perDialTimeout", Type: plain(Integer), Default: DefaultPerDialTimeout,
			Description: "How long one attempt to connect may take, in seconds; 0 for any time."},
	}
}
