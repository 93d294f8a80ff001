// Package harness starts the real programs for end-to-end tests and the demo:
// the Temporal development server, the worker, the CLI and a headless browser.
// Everything it starts ends with the process that started it, even when that
// is killed.
package harness

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/test/gobuild"
)

// programs remembers what this process has built: tests start them again and
// again, and even finding out that nothing changed takes seconds.
var programs struct {
	sync.Mutex
	paths map[string]string
}

// Build compiles the named main package of the root module ("worker" or
// "starter") into the repository's bin folder, as `make build` does, once in
// the life of this process, and returns the program's path.
func Build(ctx context.Context, name string) (string, error) {
	programs.Lock()
	defer programs.Unlock()
	if path, done := programs.paths[name]; done {
		return path, nil
	}
	path, err := build(ctx, name)
	if err == nil {
		if programs.paths == nil {
			programs.paths = map[string]string{}
		}
		programs.paths[name] = path
	}
	return path, err
}

func build(ctx context.Context, name string) (string, error) {
	root, err := gobuild.Root()
	if err != nil {
		return "", err
	}
	program, known := map[string]string{"worker": "acpflow-worker", "starter": "acpflow"}[name]
	if !known {
		return "", fault.New(fault.Internal, "build program", name, "ask for worker or starter", nil)
	}
	path := filepath.Join(root, "bin", program)
	agents := exec.CommandContext(ctx, "make", "--silent", "agents") // the worker embeds them
	agents.Dir = root
	if out, err := agents.CombinedOutput(); err != nil {
		return "", fault.New(fault.Internal, "build the probe agents", name, "read the compiler's message", fmt.Errorf("%w: %s", err, out))
	}
	compile := exec.CommandContext(ctx, "go", "build", "-o", path, "./"+name)
	compile.Dir = root
	if out, err := compile.CombinedOutput(); err != nil {
		return "", fault.New(fault.Internal, "build program", name, "read the compiler's message", fmt.Errorf("%w: %s", err, out))
	}
	return path, nil
}
