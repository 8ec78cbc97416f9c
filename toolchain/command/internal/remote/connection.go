// Package remote runs commands on other machines through SSH, and copies files to them with SFTP.
package remote

import (
	"net"
	"strconv"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"practicum/toolchain/command/internal/schema"
	"practicum/toolchain/command/internal/value"
)

// Endpoint is one SSH server and how to log in there.
type Endpoint struct {
	Host        string
	Port        int
	User        string
	Password    string
	PrivateKey  string
	Passphrase  string
	AgentSocket string
	// HostKey is the server's public key in authorized_keys form; "" accepts any.
	HostKey string
	// DialErrorLimit is the number of failed attempts that are forgiven; below zero, any number.
	DialErrorLimit int
	// PerDialTimeout bounds one attempt, log in included; 0 does not.
	PerDialTimeout time.Duration
}

// Connection is an endpoint, perhaps behind another one.
type Connection struct {
	Endpoint
	Proxy *Endpoint
}

// Address is the endpoint as host:port.
func (e Endpoint) Address() string { return net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) }

// ReadConnection reads a checked input `connection`.
func ReadConnection(m resource.PropertyMap) Connection {
	c := Connection{Endpoint: readEndpoint(m)}
	if proxy := value.Map(m, "proxy"); proxy != nil {
		e := readEndpoint(proxy)
		c.Proxy = &e
	}
	return c
}

func readEndpoint(m resource.PropertyMap) Endpoint {
	return Endpoint{
		Host:           value.TextOr(m, "host", ""),
		Port:           value.Whole(m, "port", schema.DefaultPort),
		User:           value.TextOr(m, "user", schema.DefaultUser),
		Password:       value.TextOr(m, "password", ""),
		PrivateKey:     value.TextOr(m, "privateKey", ""),
		Passphrase:     value.TextOr(m, "privateKeyPassword", ""),
		AgentSocket:    value.TextOr(m, "agentSocketPath", ""),
		HostKey:        value.TextOr(m, "hostKey", ""),
		DialErrorLimit: value.Whole(m, "dialErrorLimit", schema.DefaultDialErrorLimit),
		PerDialTimeout: time.Duration(value.Whole(m, "perDialTimeout", schema.DefaultPerDialTimeout)) * time.Second,
	}
}

// Secrets are the texts of a connection that no message may show.
func (c Connection) Secrets() []string {
	secrets := []string{c.Password, c.PrivateKey, c.Passphrase}
	if c.Proxy != nil {
		secrets = append(secrets, c.Proxy.Password, c.Proxy.PrivateKey, c.Proxy.Passphrase)
	}
	return secrets
}
