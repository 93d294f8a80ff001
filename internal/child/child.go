// Package child runs programs of the worker's machine that must not outlive
// what they are run for.
package child

import (
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Run runs a command, which exec.CommandContext must have made, in a process
// group of its own. When the context ends, the whole group is killed. When this
// process is killed, the kernel kills the program on Linux, but not what that has
// started. A child that keeps the output open is waited for a second: then the
// error is exec.ErrWaitDelay.
func Run(cmd *exec.Cmd) error {
	runtime.LockOSThread() // the death signal counts from the thread that starts the program
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd.Run()
}
