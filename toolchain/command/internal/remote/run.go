package remote

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"

	"practicum/toolchain/command/internal/capture"
)

// politeStop is how long a cancelled command may take to end after the signal.
const politeStop = 5 * time.Second

// Command is one command to run on the other machine.
type Command struct {
	Text        string
	Environment map[string]string
	// Previous is what the run before printed, by variable name. A server that does not accept
	// these variables is no error.
	Previous map[string]string
	Stdin    string
}

// Run runs the command in a session of the client, its output going to out. A non-zero exit is an
// error. When ctx ends, the command gets SIGTERM and the session is left.
func Run(ctx context.Context, client *Client, c Command, out *capture.Output, warn func(string)) error {
	session, err := client.NewSession()
	if err != nil {
		return fmt.Errorf("the SSH server opened no session: %w", err)
	}
	defer session.Close() //nolint:errcheck // it is over either way
	if err := setVariables(session, c, warn); err != nil {
		return err
	}
	if err := feed(session, c.Stdin); err != nil {
		return err
	}
	session.Stdout, session.Stderr = out.Stdout(), out.Stderr()
	ended := make(chan error, 1)
	go func() { ended <- session.Run(c.Text) }()
	select {
	case err := <-ended:
		out.Close()
		return err
	case <-ctx.Done():
	}
	_ = session.Signal(ssh.SIGTERM) // a server may not know signals; leaving is all that is left then
	timer := time.NewTimer(politeStop)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
	out.Close()
	return fmt.Errorf("the command was stopped before its end: %w", context.Cause(ctx))
}

// feed writes the text to the command's standard input. A command that ends without reading all of
// it is no error, so nobody waits for the writing.
func feed(session *ssh.Session, text string) error {
	input, err := session.StdinPipe()
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.WriteString(input, text)
		_ = input.Close()
	}()
	return nil
}

func setVariables(session *ssh.Session, c Command, warn func(string)) error {
	for _, name := range slices.Sorted(maps.Keys(c.Environment)) {
		if err := session.Setenv(name, c.Environment[name]); err != nil {
			return fmt.Errorf("the SSH server does not accept the variable %q of `environment`: allow it with "+
				"AcceptEnv in the server's sshd_config, or write it into the command (%s=value command): %w",
				name, name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Previous)) {
		if c.Previous[name] == "" {
			continue
		}
		if err := session.Setenv(name, c.Previous[name]); err != nil {
			warn(name + " is not set: the SSH server does not accept it (AcceptEnv in its sshd_config); " +
				"addPreviousOutputInEnv=false avoids this message")
		}
	}
	return nil
}
