package gobuild

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// module writes a program of its own Go module that prints a word.
func module(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/word\n\ngo 1.26\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600))
	return dir
}

func program(word string) string {
	return "package main\n\nfunc main() { print(\"" + word + "\") }\n"
}

func TestCachedBuildsOnce(t *testing.T) {
	var log bytes.Buffer
	p := Program{Name: "word", Dir: module(t, program("one")), Cache: t.TempDir(), Takes: "a second", Log: &log}
	first, err := Cached(t.Context(), p)
	require.NoError(t, err)
	out, err := exec.Command(first).CombinedOutput()
	require.NoError(t, err)
	assert.Equal(t, "one", string(out))
	assert.Contains(t, log.String(), "word: building, a second, once per version")

	log.Reset()
	again, err := Cached(t.Context(), p)
	require.NoError(t, err)
	assert.Equal(t, first, again)
	assert.Empty(t, log.String(), "nothing is built the second time")

	require.NoError(t, os.WriteFile(filepath.Join(p.Dir, "main.go"), []byte(program("two")), 0o600))
	second, err := Cached(t.Context(), p)
	require.NoError(t, err)
	assert.NotEqual(t, first, second, "another source is another program")
}

func TestCachedTogether(t *testing.T) {
	p := Program{Name: "word", Dir: module(t, program("one")), Cache: t.TempDir()}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			_, err := Cached(t.Context(), p)
			assert.NoError(t, err)
		})
	}
	group.Wait()
	found, err := filepath.Glob(filepath.Join(p.Cache, "word-*"))
	require.NoError(t, err)
	assert.Len(t, found, 1)
}

func TestCachedTellsTheCompilersMessage(t *testing.T) {
	p := Program{Name: "word", Dir: module(t, "package main\n\nfunc main() { nonsense() }\n"), Cache: t.TempDir()}
	_, err := Cached(t.Context(), p)
	require.ErrorContains(t, err, "undefined: nonsense")
	found, err := filepath.Glob(filepath.Join(p.Cache, "word-*"))
	require.NoError(t, err)
	assert.Empty(t, found, "a failed build leaves nothing that looks like a program")
}
