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

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/test/gobuild"
)

// Build compiles the named main package of the root module ("worker" or
// "starter") into the repository's bin folder, as `make build` does, and
// returns the program's path. Go links it again only when something changed.
func Build(ctx context.Context, name string) (string, error) {
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
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "./"+name)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fault.New(fault.Internal, "build program", name, "read the compiler's message", fmt.Errorf("%w: %s", err, out))
	}
	return path, nil
}
