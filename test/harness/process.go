package harness

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
)

// stopGrace is how long a program may take to end on SIGTERM.
const stopGrace = 2 * time.Minute

// Process is a running program whose output goes to a file.
type Process struct {
	Name    string
	LogPath string
	PID     int

	command *exec.Cmd
	done    chan struct{} // closed when it has ended
	err     error         // of Wait, once done is closed
}

// startProcess runs the command with its output appended to logPath. The kernel
// kills the program when this process dies, so that a killed test leaves
// nothing behind.
func startProcess(name, logPath string, command *exec.Cmd) (*Process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fault.New(fault.Internal, "open the log of "+name, logPath, "", err)
	}
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	p := &Process{Name: name, LogPath: logPath, command: command, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The death signal follows the thread that started the program: keep it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer func() { _ = log.Close() }()
		err := command.Start()
		started <- err
		if err == nil {
			p.err = command.Wait()
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fault.New(fault.Internal, "start "+name, command.Path, "", err)
	}
	p.PID = command.Process.Pid
	return p, nil
}

// Kill ends the program as a crash would, and waits until it is gone.
func (p *Process) Kill() {
	_ = p.command.Process.Kill()
	<-p.done
}

// Stop asks the program to end, and kills it when it does not in time.
// Stopping one that has ended is no error; an unclean end is.
func (p *Process) Stop() error {
	if p.Ended() {
		return nil
	}
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopGrace):
		p.Kill()
		return fault.New(fault.Internal, "stop "+p.Name, p.LogPath, "read its log", fmt.Errorf("it ignored SIGTERM for %v", stopGrace))
	}
	if p.err != nil {
		return p.failure("stop")
	}
	return nil
}

// Ended reports whether the program is gone.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Log returns all that the program has printed so far.
func (p *Process) Log() string {
	data, err := os.ReadFile(p.LogPath)
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	return string(data)
}

// failure wraps the program's end, or its silence, with the tail of its log.
func (p *Process) failure(doing string) error {
	tail := []byte(p.Log())
	if len(tail) > 4000 {
		tail = tail[len(tail)-4000:]
	}
	cause := errors.New("not ready in time")
	if p.Ended() {
		cause = fmt.Errorf("it ended: %v", p.command.ProcessState)
	}
	return fault.New(fault.Internal, doing+" "+p.Name, p.LogPath, "read its log", fmt.Errorf("%w; last output: %s", cause, bytes.TrimSpace(tail)))
}
