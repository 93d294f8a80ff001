package violet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/acpflow/acpflow/internal/child"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/ssh"
)

// maxOutput is what is kept of the tool's output, in bytes.
const maxOutput = 4 << 10

// Tool is the program on the worker.
type Tool struct {
	Path string // name in PATH, or a path; "" = violet
}

// Push uploads a package and returns the redacted end of what the tool said.
// Errors: fault.BadInput, Failed when the tool exits other than 0.
func (t Tool) Push(ctx context.Context, p Push) (string, error) {
	if err := p.Check(); err != nil {
		return "", err
	}
	return t.run(ctx, "push "+p.Package, p.arguments(func(v secret.Value) string { return string(v.Reveal()) }))
}

// Verify has the tool check a package, without a platform.
func (t Tool) Verify(ctx context.Context, path string) (string, error) {
	return t.run(ctx, "verify "+path, []string{"verify", path})
}

func (t Tool) run(ctx context.Context, op string, args []string) (string, error) {
	name := t.Path
	if name == "" {
		name = "violet"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fault.New(fault.BadInput, "run violet", name, "put the vendor's violet on the worker and set ACPFLOW_VIOLET to its path", err)
	}
	out := ssh.Tail{Limit: maxOutput}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir()} // packages are unpacked there
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = &out, &out
	err = child.Run(cmd)
	said := strings.ToValidUTF8(secret.Redact(strings.TrimSpace(out.String())), "?")
	if ctx.Err() != nil {
		return said, fmt.Errorf("%s: interrupted: %w", op, context.Cause(ctx))
	}
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return said, nil
	}
	exit, exited := errors.AsType[*exec.ExitError](err)
	if !exited { // its text names the program only
		return said, fault.New(fault.BadInput, "run violet", path, "make it executable for the worker", err)
	}
	return said, fault.New(fault.Failed, "violet "+op, path, "mend what it names; it may be run again", fmt.Errorf("%s: %s", exit.ProcessState, said))
}
