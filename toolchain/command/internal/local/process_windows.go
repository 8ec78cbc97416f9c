//go:build windows

package local

import "os/exec"

func isolate(*exec.Cmd) {}

// Windows has no gentle way that works for every program: both end the process at once. An error
// only says that it is gone.
func terminate(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
func kill(cmd *exec.Cmd)      { _ = cmd.Process.Kill() }
