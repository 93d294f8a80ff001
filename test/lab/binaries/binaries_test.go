package binaries

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// program writes an executable that prints its own name.
func program(t *testing.T, dir, name string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nbasename $0\n"), 0o755))
}

func TestInstalledProgramsAreCopiedSideBySide(t *testing.T) {
	assets, path := t.TempDir(), t.TempDir()
	for _, name := range Components[:2] {
		program(t, assets, name)
	}
	for _, name := range Components[2:] {
		program(t, path, name)
	}
	t.Setenv("KUBEBUILDER_ASSETS", assets)
	t.Setenv("PATH", path)
	cache := t.TempDir()
	dir, err := Directory(context.Background(), Options{Cache: cache})
	require.NoError(t, err)
	require.True(t, complete(dir))
	for _, name := range Components {
		info, err := os.Lstat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.True(t, info.Mode().IsRegular(), "%s must not be a link out of the directory", name)
	}
	again, err := Directory(context.Background(), Options{Cache: cache})
	require.NoError(t, err)
	require.Equal(t, dir, again)

	program(t, assets, Components[0])
	require.NoError(t, os.Chtimes(filepath.Join(assets, Components[0]), time.Now(), time.Now().Add(time.Hour)))
	replaced, err := Directory(context.Background(), Options{Cache: cache})
	require.NoError(t, err)
	require.NotEqual(t, dir, replaced, "a replaced program must not be served from the cache")
}

func TestHalfASetOfProgramsIsNotMixedWithTheBuild(t *testing.T) {
	path := t.TempDir()
	program(t, path, "etcd")
	t.Setenv("KUBEBUILDER_ASSETS", "")
	t.Setenv("PATH", path)
	require.Nil(t, existing())
}

func TestAnIncompleteDirectoryIsReplaced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "controlplane-x")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "torn"), nil, 0o755))
	got, err := publish(dir, func(tmp string) error {
		program(t, tmp, "etcd")
		return nil
	})
	require.NoError(t, err)
	require.NoFileExists(t, filepath.Join(got, "torn"))
	require.FileExists(t, filepath.Join(got, "etcd"))
	left, err := filepath.Glob(filepath.Join(filepath.Dir(dir), ".controlplane-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestReleaseIsReadFromTheModuleFile(t *testing.T) {
	src, err := sourceDir()
	require.NoError(t, err)
	version, err := kubernetesVersion(src)
	require.NoError(t, err)
	require.Regexp(t, `^v1\.\d+\.\d+$`, version)
}
