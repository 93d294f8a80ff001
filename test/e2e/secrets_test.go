package e2e

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/lab"
)

// secretFiles are all files of the lab that hold a secret of its site.
var secretFiles = []string{lab.FileKey, lab.FilePassword, lab.FileAdminPassword, lab.FileCertKey}

// needles are the secrets in every form they could leak in: as they are, line
// by line, and base64-coded as the installer wants them.
func needles(t *testing.T) map[string][][]byte {
	t.Helper()
	out := map[string][][]byte{}
	for _, file := range secretFiles {
		data, err := os.ReadFile(filepath.Join(world.lab.Dir(), file))
		require.NoError(t, err)
		trimmed := bytes.TrimSpace(data)
		forms := [][]byte{[]byte(base64.StdEncoding.EncodeToString(data)), []byte(base64.StdEncoding.EncodeToString(trimmed))}
		for line := range bytes.Lines(trimmed) {
			if line = bytes.TrimSpace(line); !bytes.HasPrefix(line, []byte("-----")) && len(line) >= 8 {
				forms = append(forms, line, []byte(base64.StdEncoding.EncodeToString(line)))
			}
		}
		out[file] = forms
	}
	return out
}

// noSecretIn looks for every secret in everything that acpflow wrote or showed.
func noSecretIn(t *testing.T, id string, processes []byte) {
	t.Helper()
	places := map[string][]byte{
		"workflow history": world.Bytes(t, id),
		"process list":     processes,
	}
	for _, args := range [][]string{{"status", id}, {"status", id, "-o", "json"}, {"list", "-o", "json"}} {
		out, errs, _, err := harness.CLI(t.Context(), world.Server, args...)
		require.NoError(t, err)
		places["acpflow "+strings.Join(args, " ")] = []byte(out + errs)
	}
	// The database holds every workflow's history, heartbeats included, and the
	// logs hold what any of our programs said.
	err := filepath.WalkDir(world.Dir, func(path string, d os.DirEntry, err error) error {
		if path == world.lab.Dir() {
			return filepath.SkipDir
		}
		if err != nil || d.IsDir() {
			return err
		}
		places[path], err = os.ReadFile(path)
		return err
	})
	require.NoError(t, err)
	left, err := world.node(t, "west-1").Script(t.Context(), `for d in /var/lib/acpflow /tmp /root/.bash_history /home/ops; do [ -e "$d" ] && find "$d" -type f -size -64k ! -name authorized_keys -exec cat {} +; done; true`)
	require.NoError(t, err)
	places["files left on the node"] = []byte(left)
	require.Contains(t, places, filepath.Join(world.Dir, "temporal.db"), "the database must be among the places")
	for file, forms := range needles(t) {
		for _, form := range forms {
			for place, content := range places {
				if bytes.Contains(content, form) {
					t.Errorf("a secret of %s is in %s", file, place)
				}
			}
		}
	}
}

// eyes collect the command lines of all processes of the machine, those inside
// the nodes included, for as long as the test runs.
type eyes struct {
	mu    sync.Mutex
	lines map[string]bool
}

func watchProcesses(t *testing.T) *eyes {
	e := &eyes{lines: map[string]bool{}}
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			e.look()
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
	return e
}

func (e *eyes) look() {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range files {
		if line, err := os.ReadFile(f); err == nil {
			e.lines[string(line)] = true
		}
	}
}

func (e *eyes) seen() []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out bytes.Buffer
	for line := range e.lines {
		out.WriteString(line + "\n")
	}
	return out.Bytes()
}
