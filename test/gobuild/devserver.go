package gobuild

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/acpflow/acpflow/internal/fault"
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

// Devserver builds the Temporal development server once into the cache and
// returns its path. Progress lines go to log; nil discards them.
func Devserver(ctx context.Context, log io.Writer) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	return Cached(ctx, Program{
		Name: "devserver", Dir: filepath.Join(root, "deploy", "devserver"), Cache: cache,
		Takes: "about 14 minutes cold, half a minute warm", Log: log,
	})
}
