package gobuild

import (
	"os"
	"path/filepath"

	"github.com/acpflow/acpflow/internal/fault"
)

// CacheDir is $ACPFLOW_CACHE, or acpflow below the user's cache directory.
func CacheDir() (string, error) {
	if dir := os.Getenv("ACPFLOW_CACHE"); dir != "" {
		return dir, nil
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fault.New(fault.Internal, "find cache directory", "", "set ACPFLOW_CACHE", err)
	}
	return filepath.Join(base, "acpflow"), nil
}
