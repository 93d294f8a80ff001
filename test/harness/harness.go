// Package harness starts the real programs for end-to-end tests and the demo:
// the Temporal development server, the worker, the CLI and a headless browser.
// Everything it starts ends with the process that started it, even when that
// is killed.
package harness

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/test/gobuild"
	"github.com/acpflow/acpflow/test/lab/binaries"
)

// Root is the repository's folder. It is found beside this file, so programs
// that use it must not be built with -trimpath.
func Root() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	root := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	if _, err := os.Stat(filepath.Join(root, "go.mod")); !ok || err != nil {
		return "", fault.New(fault.Internal, "find the repository", root, "run from a checkout, built without -trimpath", err)
	}
	return root, nil
}

// DevserverProgram builds the development server once into the cache and
// returns its path. Progress lines go to log; nil discards them.
func DevserverProgram(ctx context.Context, log io.Writer) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	cache, err := binaries.CacheDir()
	if err != nil {
		return "", err
	}
	return gobuild.Cached(ctx, gobuild.Program{
		Name: "devserver", Dir: filepath.Join(root, "deploy", "devserver"), Cache: cache,
		Takes: "about 14 minutes cold, half a minute warm", Log: log,
	})
}

// Build compiles the named main package of the root module ("worker" or
// "starter") into the repository's bin folder, as `make build` does, and
// returns the program's path. Go links it again only when something changed.
func Build(ctx context.Context, name string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	program, known := map[string]string{"worker": "acpflow-worker", "starter": "acpflow"}[name]
	if !known {
		return "", fault.New(fault.Internal, "build program", name, "ask for worker or starter", nil)
	}
	path := filepath.Join(root, "bin", program)
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "./"+name)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fault.New(fault.Internal, "build program", name, "read the compiler's message", fmt.Errorf("%w: %s", err, out))
	}
	return path, nil
}
