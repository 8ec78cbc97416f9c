package remote

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// login is what one endpoint's SSH handshake needs. Close it when the handshake is over.
type login struct {
	config *ssh.ClientConfig
	agent  net.Conn
}

func (l login) Close() {
	if l.agent != nil {
		_ = l.agent.Close() // nothing is lost: the agent is only read
	}
}

func prepareLogin(e Endpoint) (login, error) {
	config := &ssh.ClientConfig{User: e.User}
	if err := expectHostKey(config, e); err != nil {
		return login{}, err
	}
	signers, err := keySigners(e)
	if err != nil {
		return login{}, err
	}
	socket, err := dialAgent(e)
	if err != nil {
		return login{}, err
	}
	// One method for all keys: the SSH client tries each kind of method once.
	if len(signers) > 0 || socket != nil {
		config.Auth = append(config.Auth, ssh.PublicKeysCallback(func() ([]ssh.Signer, error) {
			if socket == nil {
				return signers, nil
			}
			held, err := agent.NewClient(socket).Signers()
			if err != nil && len(signers) > 0 {
				return signers, nil
			}
			return append(append([]ssh.Signer{}, signers...), held...), err
		}))
	}
	if e.Password != "" {
		config.Auth = append(config.Auth, ssh.Password(e.Password), ssh.KeyboardInteractive(answerAll(e.Password)))
	}
	return login{config: config, agent: socket}, nil
}

func answerAll(password string) ssh.KeyboardInteractiveChallenge {
	return func(_, _ string, questions []string, _ []bool) ([]string, error) {
		answers := make([]string, len(questions))
		for i := range answers {
			answers[i] = password
		}
		return answers, nil
	}
}

func expectHostKey(config *ssh.ClientConfig, e Endpoint) error {
	if e.HostKey == "" {
		config.HostKeyCallback = ssh.InsecureIgnoreHostKey() //nolint:gosec // as documented for hostKey
		return nil
	}
	expected, _, _, _, err := ssh.ParseAuthorizedKey([]byte(e.HostKey))
	if err != nil {
		return fmt.Errorf("hostKey of %s is no public key; it reads like a line of authorized_keys: "+
			"ssh-ed25519 AAAA...: %w", e.Host, err)
	}
	config.HostKeyAlgorithms = []string{expected.Type()}
	if expected.Type() == ssh.KeyAlgoRSA {
		// Servers of today sign with RSA keys only by the SHA-2 algorithms.
		config.HostKeyAlgorithms = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA}
	}
	fixed := ssh.FixedHostKey(expected)
	config.HostKeyCallback = func(hostname string, address net.Addr, key ssh.PublicKey) error {
		if fixed(hostname, address, key) == nil {
			return nil
		}
		return fmt.Errorf("the host key of %s is %s, but hostKey is %s: another machine answers there, or "+
			"its key has changed", e.Address(), ssh.FingerprintSHA256(key), ssh.FingerprintSHA256(expected))
	}
	return nil
}

func keySigners(e Endpoint) ([]ssh.Signer, error) {
	if e.PrivateKey == "" {
		return nil, nil
	}
	signer, err := ssh.ParsePrivateKey([]byte(e.PrivateKey))
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		if e.Passphrase == "" {
			return nil, fmt.Errorf("privateKey for %s is encrypted: give its passphrase as privateKeyPassword", e.Host)
		}
		signer, err = ssh.ParsePrivateKeyWithPassphrase([]byte(e.PrivateKey), []byte(e.Passphrase))
	}
	if err != nil {
		return nil, fmt.Errorf("privateKey for %s cannot be read: %w", e.Host, err)
	}
	return []ssh.Signer{signer}, nil
}

// dialAgent connects to the agent that the endpoint names, or to the one of the environment. An
// agent that only the environment names and that does not answer is no error.
func dialAgent(e Endpoint) (net.Conn, error) {
	if e.AgentSocket != "" {
		conn, err := net.Dial("unix", e.AgentSocket)
		if err != nil {
			return nil, fmt.Errorf("agentSocketPath for %s: %w", e.Host, err)
		}
		return conn, nil
	}
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return nil, nil
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, nil
	}
	return conn, nil
}
