//go:build !windows

// Package sshtest is an SSH server on the loopback interface for tests: it runs commands with
// /bin/sh, serves SFTP and forwards connections.
package sshtest

import (
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"net"
	"os/exec"
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// Server is a running server. Its settings are made when it is started.
type Server struct {
	Port    int
	HostKey ssh.Signer
	// Password is accepted by the methods password and keyboard-interactive; InteractiveOnly
	// leaves the first out.
	Password        string
	InteractiveOnly bool
	// Key is accepted by the method publickey.
	Key ssh.PublicKey
	// AcceptEnv are the variables that the server takes.
	AcceptEnv []string
	// Refuse is how many connections are closed before the handshake; Silent are then left unanswered.
	Refuse, Silent atomic.Int32
	// Connections counts all TCP connections, Open those that are not closed yet, Forwards those
	// that went through to elsewhere.
	Connections, Open, Forwards atomic.Int32
}

// Owner is what a server needs of a test, or of a program that stands for one.
type Owner interface {
	Helper()
	Fatal(reason ...any)
	Cleanup(end func())
}

// Start starts a server with these settings; it ends with its owner.
func Start(t Owner, settings ...func(*Server)) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Port: listener.Addr().(*net.TCPAddr).Port, HostKey: NewKey(t), Password: "let-me-in"}
	for _, set := range settings {
		set(s)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.Connections.Add(1)
			go s.serve(conn)
		}
	}()
	return s
}

// NewKey makes a key.
func NewKey(t Owner) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// AuthorizedKey is the host key as an input `hostKey`.
func (s *Server) AuthorizedKey() string {
	return string(ssh.MarshalAuthorizedKey(s.HostKey.PublicKey()))
}

func (s *Server) config() *ssh.ServerConfig {
	config := &ssh.ServerConfig{
		KeyboardInteractiveCallback: func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil || len(answers) != 1 || answers[0] != s.Password {
				return nil, ssh.ErrNoAuth
			}
			return nil, nil
		},
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if s.Key == nil || string(key.Marshal()) != string(s.Key.Marshal()) {
				return nil, ssh.ErrNoAuth
			}
			return nil, nil
		},
	}
	if !s.InteractiveOnly {
		config.PasswordCallback = func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if string(password) != s.Password {
				return nil, ssh.ErrNoAuth
			}
			return nil, nil
		}
	}
	config.AddHostKey(s.HostKey)
	return config
}

func (s *Server) serve(conn net.Conn) {
	s.Open.Add(1)
	defer s.Open.Add(-1)
	defer conn.Close() //nolint:errcheck // a test server
	if s.Refuse.Add(-1) >= 0 {
		return
	}
	if s.Silent.Add(-1) >= 0 {
		_, _ = conn.Read(make([]byte, 1<<10))
		_, _ = conn.Read(make([]byte, 1)) // until the client gives up
		return
	}
	_, channels, requests, err := ssh.NewServerConn(conn, s.config())
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for channel := range channels {
		switch channel.ChannelType() {
		case "session":
			go s.session(channel)
		case "direct-tcpip":
			go s.forward(channel)
		default:
			_ = channel.Reject(ssh.UnknownChannelType, "not here")
		}
	}
}

func (s *Server) session(opening ssh.NewChannel) {
	channel, requests, err := opening.Accept()
	if err != nil {
		return
	}
	var environment []string
	var running *exec.Cmd
	for request := range requests {
		switch request.Type {
		case "env":
			var variable struct{ Name, Value string }
			accepted := ssh.Unmarshal(request.Payload, &variable) == nil && slices.Contains(s.AcceptEnv, variable.Name)
			if accepted {
				environment = append(environment, variable.Name+"="+variable.Value)
			}
			_ = request.Reply(accepted, nil)
		case "exec":
			var command struct{ Text string }
			_ = ssh.Unmarshal(request.Payload, &command)
			running = s.start(channel, command.Text, environment)
			_ = request.Reply(running != nil, nil)
		case "signal":
			if running != nil {
				_ = syscall.Kill(-running.Process.Pid, syscall.SIGTERM)
			}
		case "subsystem":
			_ = request.Reply(true, nil)
			go serveSFTP(channel)
		default:
			_ = request.Reply(false, nil)
		}
	}
}

func (s *Server) start(channel ssh.Channel, text string, environment []string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", text)
	cmd.Env = append(cmd.Environ(), environment...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
	stdin, err := cmd.StdinPipe()
	if err != nil || cmd.Start() != nil {
		return nil
	}
	go func() {
		_, _ = io.Copy(stdin, channel)
		_ = stdin.Close()
	}()
	go func() {
		_ = cmd.Wait()
		code := struct{ Code uint32 }{255}
		if exit := cmd.ProcessState.ExitCode(); exit >= 0 {
			code.Code = uint32(exit)
		}
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(&code))
		_ = channel.Close()
	}()
	return cmd
}

func serveSFTP(channel ssh.Channel) {
	defer channel.Close() //nolint:errcheck // a test server
	server, err := sftp.NewServer(channel)
	if err != nil {
		return
	}
	_ = server.Serve()
}
