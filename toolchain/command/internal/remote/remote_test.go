package remote

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"practicum/toolchain/command/internal/capture"
	"practicum/toolchain/command/internal/mask"
	"practicum/toolchain/command/internal/sshtest"
)

func connect(s *sshtest.Server) Connection {
	return Connection{Endpoint: Endpoint{
		Host: "127.0.0.1", Port: s.Port, User: "root", Password: s.Password,
		HostKey: s.AuthorizedKey(), PerDialTimeout: 5 * time.Second,
	}}
}

func quiet(string) {}

func dial(t *testing.T, c Connection) *Client {
	t.Helper()
	client, err := Dial(t.Context(), c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func run(t *testing.T, c Connection, command Command) (string, string, error) {
	t.Helper()
	out := capture.New(capture.Which{}, mask.Mask{}, quiet)
	err := Run(t.Context(), dial(t, c), command, out, quiet)
	stdout, stderr := out.Texts()
	return stdout, stderr, err
}

func privateKey(t *testing.T, passphrase string) (string, ssh.PublicKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(private, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), key
}

func TestACommandRunsWithStdinAndBothStreams(t *testing.T) {
	s := sshtest.Start(t)
	stdout, stderr, err := run(t, connect(s), Command{Text: "cat; echo problem >&2", Stdin: "hello\n"})
	if err != nil || stdout != "hello" || stderr != "problem" {
		t.Fatalf("%q %q %v", stdout, stderr, err)
	}
}

func TestACommandNeedNotReadItsStdin(t *testing.T) {
	s := sshtest.Start(t)
	stdout, _, err := run(t, connect(s), Command{Text: "echo done", Stdin: strings.Repeat("x", 8<<20)})
	if err != nil || stdout != "done" {
		t.Fatalf("%q %v", stdout, err)
	}
}

func TestAPasswordIsAlsoGivenToAServerThatAsksInteractively(t *testing.T) {
	s := sshtest.Start(t, func(s *sshtest.Server) { s.InteractiveOnly = true })
	if stdout, _, err := run(t, connect(s), Command{Text: "echo in"}); err != nil || stdout != "in" {
		t.Fatalf("%q %v", stdout, err)
	}
}

func TestAPrivateKeyLogsInWithAndWithoutPassphrase(t *testing.T) {
	for _, passphrase := range []string{"", "open sesame"} {
		private, public := privateKey(t, passphrase)
		s := sshtest.Start(t, func(s *sshtest.Server) { s.Key = public })
		c := connect(s)
		c.Password, c.PrivateKey, c.Passphrase = "", private, passphrase
		if stdout, _, err := run(t, c, Command{Text: "echo in"}); err != nil || stdout != "in" {
			t.Fatalf("passphrase %q: %q %v", passphrase, stdout, err)
		}
	}
}

func TestAnEncryptedKeyWithoutPassphraseFailsAtOnceAndSaysWhatIsMissing(t *testing.T) {
	s := sshtest.Start(t)
	c := connect(s)
	c.DialErrorLimit = 10
	c.PrivateKey, _ = privateKey(t, "open sesame")
	_, err := Dial(t.Context(), c, quiet)
	if err == nil || !strings.Contains(err.Error(), "privateKeyPassword") {
		t.Fatal(err)
	}
	if s.Connections.Load() != 0 {
		t.Fatal("no connection can help")
	}
}

func TestAKeyThatTheServerRefusesIsFollowedByTheAgentsKeys(t *testing.T) {
	socket, public := startAgent(t)
	s := sshtest.Start(t, func(s *sshtest.Server) { s.Key = public })
	c := connect(s)
	c.Password, c.AgentSocket = "", socket
	c.PrivateKey, _ = privateKey(t, "")
	if stdout, _, err := run(t, c, Command{Text: "echo in"}); err != nil || stdout != "in" {
		t.Fatalf("%q %v", stdout, err)
	}
}

func startAgent(t *testing.T) (string, ssh.PublicKey) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	keys, err := ring.Signers()
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "agent") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	socket := filepath.Join(folder, "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, conn) }()
		}
	}()
	return socket, keys[0].PublicKey()
}

func TestAMissingAgentOfTheEnvironmentIsNoErrorButANamedOneIs(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "/nonexistent/agent")
	s := sshtest.Start(t)
	c := connect(s)
	if _, _, err := run(t, c, Command{Text: "true"}); err != nil {
		t.Fatal(err)
	}
	c.AgentSocket = "/nonexistent/agent"
	if _, err := Dial(t.Context(), c, quiet); err == nil || !strings.Contains(err.Error(), "agentSocketPath") {
		t.Fatal(err)
	}
}

func TestAWrongHostKeyIsRefusedAndBothFingerprintsAreNamed(t *testing.T) {
	s := sshtest.Start(t)
	c := connect(s)
	other := sshtest.NewKey(t).PublicKey()
	c.HostKey = string(ssh.MarshalAuthorizedKey(other))
	_, err := Dial(t.Context(), c, quiet)
	if err == nil || !strings.Contains(err.Error(), ssh.FingerprintSHA256(other)) ||
		!strings.Contains(err.Error(), ssh.FingerprintSHA256(s.HostKey.PublicKey())) {
		t.Fatal(err)
	}
}

func TestAnyHostKeyIsAcceptedWhenNoneIsGiven(t *testing.T) {
	s := sshtest.Start(t)
	c := connect(s)
	c.HostKey = ""
	if _, _, err := run(t, c, Command{Text: "true"}); err != nil {
		t.Fatal(err)
	}
}

func TestAWrongPasswordIsNotInTheError(t *testing.T) {
	s := sshtest.Start(t)
	c := connect(s)
	c.Password = "not-this-one"
	_, err := Dial(t.Context(), c, quiet)
	if err == nil || strings.Contains(err.Error(), "not-this-one") {
		t.Fatal(err)
	}
}

func TestFailedAttemptsAreForgivenUpToTheLimit(t *testing.T) {
	s := sshtest.Start(t)
	c := connect(s)
	s.Refuse.Store(2)
	c.DialErrorLimit = 2
	told := 0
	client, err := Dial(t.Context(), c, func(string) { told++ })
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close() //nolint:errcheck // a test
	if told != 2 || s.Connections.Load() != 3 {
		t.Fatalf("told %d, %d connections", told, s.Connections.Load())
	}
}

func TestOneFailureMoreThanTheLimitEndsTheDialling(t *testing.T) {
	s := sshtest.Start(t)
	c := connect(s)
	s.Refuse.Store(100)
	c.DialErrorLimit = 1
	_, err := Dial(t.Context(), c, quiet)
	if err == nil || !strings.Contains(err.Error(), "after 2 attempts") || s.Connections.Load() != 2 {
		t.Fatalf("%v, %d connections", err, s.Connections.Load())
	}
}

func TestAServerThatNeverAnswersCostsOnlyTheTimeout(t *testing.T) {
	s := sshtest.Start(t)
	s.Silent.Store(1)
	c := connect(s)
	c.PerDialTimeout = 200 * time.Millisecond
	begin := time.Now()
	_, err := Dial(t.Context(), c, quiet)
	if err == nil || !strings.Contains(err.Error(), "no answer within 200ms") || time.Since(begin) > 3*time.Second {
		t.Fatalf("%v after %s", err, time.Since(begin))
	}
}

func TestAConnectionGoesThroughTheProxyAndBothAreClosedAfterwards(t *testing.T) {
	target := sshtest.Start(t, func(s *sshtest.Server) { s.Password = "target-password" })
	proxy := sshtest.Start(t, func(s *sshtest.Server) { s.Password = "proxy-password" })
	c := connect(target)
	hop := connect(proxy).Endpoint
	c.Proxy = &hop
	client, err := Dial(t.Context(), c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	out := capture.New(capture.Which{}, mask.Mask{}, quiet)
	if err := Run(t.Context(), client, Command{Text: "echo through"}, out, quiet); err != nil {
		t.Fatal(err)
	}
	if stdout, _ := out.Texts(); stdout != "through" || proxy.Forwards.Load() != 1 {
		t.Fatalf("%q, %d forwards", stdout, proxy.Forwards.Load())
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both connections are closed", func() bool {
		return target.Open.Load() == 0 && proxy.Open.Load() == 0
	})
}

func TestARefusingProxyIsNamed(t *testing.T) {
	target, proxy := sshtest.Start(t), sshtest.Start(t)
	c := connect(target)
	hop := connect(proxy).Endpoint
	hop.Password = "wrong"
	c.Proxy = &hop
	if _, err := Dial(t.Context(), c, quiet); err == nil || !strings.HasPrefix(err.Error(), "proxy: ") {
		t.Fatal(err)
	}
	if target.Connections.Load() != 0 {
		t.Fatal("the target was reached without its proxy")
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 100 {
		if holds() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("not within 2 s: %s", what)
}

func TestTheExitCodeIsInTheError(t *testing.T) {
	s := sshtest.Start(t)
	_, _, err := run(t, connect(s), Command{Text: "exit 7"})
	var exit *ssh.ExitError
	if !errors.As(err, &exit) || exit.ExitStatus() != 7 {
		t.Fatal(err)
	}
}

func TestAnAcceptedVariableReachesTheCommandAndARefusedOneStopsIt(t *testing.T) {
	s := sshtest.Start(t, func(s *sshtest.Server) { s.AcceptEnv = []string{"COLOUR"} })
	stdout, _, err := run(t, connect(s), Command{Text: "echo $COLOUR", Environment: map[string]string{"COLOUR": "green"}})
	if err != nil || stdout != "green" {
		t.Fatalf("%q %v", stdout, err)
	}
	_, _, err = run(t, connect(s), Command{Text: "true", Environment: map[string]string{"SHAPE": "hidden-value"}})
	if err == nil || !strings.Contains(err.Error(), `"SHAPE"`) || !strings.Contains(err.Error(), "AcceptEnv") ||
		strings.Contains(err.Error(), "hidden-value") {
		t.Fatal(err)
	}
}

func TestARefusedPreviousOutputIsOnlyAWarning(t *testing.T) {
	s := sshtest.Start(t)
	var warnings []string
	out := capture.New(capture.Which{}, mask.Mask{}, quiet)
	command := Command{Text: "echo ran", Previous: map[string]string{"PULUMI_COMMAND_STDOUT": "before"}}
	err := Run(t.Context(), dial(t, connect(s)), command, out, func(w string) { warnings = append(warnings, w) })
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "PULUMI_COMMAND_STDOUT") {
		t.Fatalf("%v %q", err, warnings)
	}
}

func TestACancelledCommandIsStoppedOnTheOtherMachine(t *testing.T) {
	s := sshtest.Start(t)
	client := dial(t, connect(s))
	mark := filepath.Join(t.TempDir(), "stopped")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	out := capture.New(capture.Which{}, mask.Mask{}, quiet)
	begin := time.Now()
	err := Run(ctx, client, Command{Text: "trap 'touch " + mark + "; exit 1' TERM; sleep 60 & wait"}, out, quiet)
	if err == nil || time.Since(begin) > 10*time.Second {
		t.Fatalf("%v after %s", err, time.Since(begin))
	}
	if _, err := os.Stat(mark); err != nil {
		t.Fatal("the command got no signal")
	}
}
