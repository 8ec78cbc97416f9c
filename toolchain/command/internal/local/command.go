// Package local runs a command on this machine, and collects files that it left.
package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"practicum/toolchain/command/internal/capture"
)

// Names of the variables that carry the output of the run before.
const (
	PreviousStdout = "PULUMI_COMMAND_STDOUT"
	PreviousStderr = "PULUMI_COMMAND_STDERR"
)

const (
	// longestVariable is what Linux takes for one `NAME=value` with its final zero, in bytes
	// (32 pages of 4 KiB, MAX_ARG_STRLEN in execve(2)).
	longestVariable = 128 << 10
	// politeStop is how long a cancelled command may take to end by itself, lastWait how long it
	// is waited for after it was killed.
	politeStop = 5 * time.Second
	lastWait   = 2 * time.Second
)

// Command is one command to run.
type Command struct {
	Text        string
	Interpreter []string
	// Dir is the folder to run in, "" for this process's own.
	Dir         string
	Environment map[string]string
	// Previous is what the run before printed, by variable name.
	Previous map[string]string
	Stdin    string
}

// ErrStart says that the command was not even started.
var ErrStart = errors.New("the command could not be started")

// Run runs the command to its end, its output going to out. When ctx ends, the command and all that
// it started are asked to stop, then killed. A non-zero exit is an error. warn is told about parts
// of the previous output that could not be handed on.
func Run(ctx context.Context, c Command, out *capture.Output, warn func(string)) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("the command was not run: %w", context.Cause(ctx))
	}
	cmd := process(c, out, warn)
	isolate(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w: %w", ErrStart, startError(err, c))
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		out.Close()
		return err
	case <-ctx.Done():
	}
	stop(cmd, ended)
	out.Close()
	return fmt.Errorf("the command was stopped before its end: %w", context.Cause(ctx))
}

func process(c Command, out *capture.Output, warn func(string)) *exec.Cmd {
	interpreter := c.Interpreter
	if len(interpreter) == 0 {
		interpreter = []string{"/bin/sh", "-c"}
		if runtime.GOOS == "windows" {
			interpreter = []string{"cmd", "/C"}
		}
	}
	arguments := append(append([]string{}, interpreter[1:]...), c.Text)
	cmd := exec.Command(interpreter[0], arguments...) //nolint:gosec // running it is the purpose
	cmd.Dir = c.Dir
	cmd.Stdout, cmd.Stderr = out.Stdout(), out.Stderr()
	if c.Stdin != "" {
		cmd.Stdin = strings.NewReader(c.Stdin)
	}
	cmd.Env = os.Environ()
	for name, text := range c.Environment {
		cmd.Env = append(cmd.Env, name+"="+text)
	}
	for name, text := range c.Previous {
		switch {
		case len(name)+len(text)+2 > longestVariable:
			warn(fmt.Sprintf("%s is not set: the previous output of %d bytes is too long for a variable", name, len(text)))
		case strings.ContainsRune(text, 0):
			warn(name + " is not set: the previous output has a zero byte")
		case text != "":
			cmd.Env = append(cmd.Env, name+"="+text)
		}
	}
	return cmd
}

// startError keeps a start's failure free of the command's text, which may be secret.
func startError(err error, c Command) error {
	if c.Dir != "" {
		if info, statErr := os.Stat(c.Dir); statErr != nil || !info.IsDir() {
			return fmt.Errorf("dir %q is no folder", c.Dir)
		}
	}
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

func stop(cmd *exec.Cmd, ended <-chan error) {
	terminate(cmd)
	if waited(ended, politeStop) {
		return
	}
	kill(cmd)
	waited(ended, lastWait)
}

func waited(ended <-chan error, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ended:
		return true
	case <-timer.C:
		return false
	}
}
