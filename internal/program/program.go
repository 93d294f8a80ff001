// Package program runs a program of the worker that a site names: the way out
// for systems acpflow has no driver for. The program gets a JSON request on its
// standard input, PATH and the variables it was given, and a limit of time.
package program

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/child"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/ssh"
)

// Bounds of a program's output, and its default limit of time.
const (
	maxStdout    = 1 << 20 // bytes
	maxStderr    = 2 << 10 // of it in an error
	defaultLimit = time.Minute
)

// searchPath is what scripts find their commands in; the worker's own
// environment is none of the program's business.
const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Program is what to run.
type Program struct {
	Command     []string                // absolute path, then arguments: visible to everybody on the machine
	Environment map[string]secret.Value // all it gets beside PATH
	Limit       time.Duration           // default a minute; then it and what it started are killed
}

// Path names the program in errors and evidence.
func (p Program) Path() string {
	if len(p.Command) == 0 {
		return ""
	}
	return p.Command[0]
}

// Call runs the program with the request as JSON and returns its standard
// output. Errors: fault.BadInput when it can't be run, Failed with the end of
// its standard error when it exits other than 0, Stalled when it takes too
// long, Protocol when it says too much.
func (p Program) Call(ctx context.Context, op string, request any) ([]byte, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, fault.New(fault.Internal, op, p.Path(), "", err)
	}
	if !filepath.IsAbs(p.Path()) {
		return nil, fault.New(fault.BadInput, op, p.Path(), "name the program by its path from / on", errors.New("no absolute path"))
	}
	limit := p.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stdout, stderr := ssh.Tail{Limit: maxStdout}, ssh.Tail{Limit: maxStderr}
	err = child.Run(p.command(limited, body, &stdout, &stderr))
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: %s: interrupted: %w", op, p.Path(), context.Cause(ctx))
	}
	fail := func(class fault.Class, fix, format string, args ...any) ([]byte, error) {
		said := strings.ToValidUTF8(secret.Redact(strings.TrimSpace(stderr.String())), "?")
		if said != "" {
			said = "; it said: " + said
		}
		return nil, fault.New(class, op, p.Path(), fix, fmt.Errorf(format+"%s", append(args, said)...))
	}
	exit, exited := errors.AsType[*exec.ExitError](err)
	answer := stdout.String()
	switch {
	case limited.Err() != nil:
		return fail(fault.Stalled, "see what it waits for, or raise its timeout in the site document", "killed after %s", limit)
	case exited:
		return fail(fault.Failed, "mend what it names; it may be run again", "%s", exit.ProcessState)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay): // a child that keeps the output open is not waited for
		return fail(fault.BadInput, "install the program on the worker and make it executable", "%w", err)
	case stdout.Dropped > 0:
		return fail(fault.Protocol, "let it print its answer only", "more than %d bytes of output", maxStdout)
	}
	return []byte(answer), nil
}

func (p Program) command(ctx context.Context, body []byte, stdout, stderr *ssh.Tail) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.Command[0], p.Command[1:]...)
	cmd.Env = []string{searchPath}
	for name, value := range p.Environment {
		cmd.Env = append(cmd.Env, name+"="+string(value.Reveal()))
	}
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(append(body, '\n')), stdout, stderr
	return cmd
}
