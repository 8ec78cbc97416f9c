//go:build !windows

package local

import (
	"os/exec"
	"syscall"
)

// isolate puts the command into a process group of its own, so that all that it starts can be stopped.
func isolate(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// terminate asks the group to stop, kill ends it. An error only says that the group is gone.
func terminate(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
func kill(cmd *exec.Cmd)      { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
