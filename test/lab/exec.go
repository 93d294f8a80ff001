package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Command is a command to run on a node as root, without SSH.
type Command struct {
	Argv           []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// ErrOff is returned for a command on a node that is powered off.
var ErrOff = errors.New("node is powered off")

// Run executes the command inside the node's namespaces and returns its exit
// code. The error is about starting it, never about its exit code.
func (n *Node) Run(ctx context.Context, c Command) (int, error) {
	init := n.init()
	if init == 0 {
		return 0, fmt.Errorf("lab %s: %s: %w", n.lab.state.Name, n.Name, ErrOff)
	}
	args := append([]string{"--target", strconv.Itoa(init), "--all", "--wdns=/root", "--"}, c.Argv...)
	cmd := exec.CommandContext(ctx, "nsenter", args...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
	cmd.WaitDelay = time.Second // nsenter's child, if cancelled, may outlive it with the output open
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("lab %s: %s: %s: %w", n.lab.state.Name, n.Name, c.Argv[0], err)
	}
	return 0, nil
}

// Exec runs a command on the node as root and returns its standard output. An
// exit code other than 0 is an error that carries the end of standard error.
func (n *Node) Exec(ctx context.Context, argv ...string) (string, error) {
	var out, errs bytes.Buffer
	code, err := n.Run(ctx, Command{Argv: argv, Stdout: &out, Stderr: &errs})
	if err == nil && code != 0 {
		err = fmt.Errorf("lab %s: %s: %s: exit code %d: %s",
			n.lab.state.Name, n.Name, strings.Join(argv, " "), code, tail(errs.Bytes(), 1000))
	}
	return out.String(), err
}

// Script runs a POSIX shell script on the node as root.
func (n *Node) Script(ctx context.Context, script string) (string, error) {
	return n.Exec(ctx, "/bin/sh", "-euc", script)
}

// WriteFile writes a file on the running node, owned by root, whole or not at
// all. Mode is octal, for example "0600".
func (n *Node) WriteFile(ctx context.Context, path string, data []byte, mode string) error {
	var errs bytes.Buffer
	script := `umask 077; mkdir -p "$(dirname "$1")"; cat >"$1.new"; chmod "$2" "$1.new"; mv "$1.new" "$1"`
	code, err := n.Run(ctx, Command{
		Argv:  []string{"/bin/sh", "-euc", script, "write", path, mode},
		Stdin: bytes.NewReader(data), Stderr: &errs,
	})
	if err == nil && code != 0 {
		err = fmt.Errorf("lab %s: %s: write %s: %s", n.lab.state.Name, n.Name, path, tail(errs.Bytes(), 1000))
	}
	return err
}
