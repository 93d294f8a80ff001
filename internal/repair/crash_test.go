package repair_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks/fix"
	"github.com/acpflow/acpflow/internal/repair"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
)

// killers stops the node's script dead the n-th time it calls one of the
// programs that every change goes through. They stand first in the PATH of the
// repair, so no path through the script is spared.
func killers(t *testing.T, n int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "left"), fmt.Appendf(nil, "%d", n), 0o600))
	for _, name := range []string{"mv", "cp", "rm", "mkdir", "ln", "timeout"} {
		real, err := exec.LookPath(name)
		require.NoError(t, err)
		script := fmt.Sprintf(`#!/bin/sh
left=$(cat %[1]s/left); left=$((left - 1)); echo $left >%[1]s/left
if [ $left -eq 0 ]; then
  [ -z "$KILL_AFTER" ] || %[2]s "$@"
  pid=$PPID
  while [ "$(cat /proc/$pid/comm)" = bash ]; do next=$(awk '/^PPid/ {print $2}' /proc/$pid/status); kill -9 $pid; pid=$next; done
  exit 137
fi
exec %[2]s "$@"
`, dir, real)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700))
	}
	return dir
}

// Killed at any of the programs that a repair goes through, before or after that
// program acted, the next run finishes, and the undo brings everything back.
func TestKilledAnywhereTheNextRunFinishes(t *testing.T) {
	server := sshtest.Start(t)
	for _, when := range []string{"", "after"} {
		step := 1
		if when == "" { // dying before one program is dying after the last, but for what bash itself does between
			step = 4
		}
		for n := 1; ; n += step {
			survived := false
			t.Run(fmt.Sprintf("%s%d", when, n), func(t *testing.T) {
				node := nodeOn(t, server)
				fixes := everything(t, node)
				before := tree(t, node)
				survived = killedRun(t, node, fixes, n, when)
				again(t, node, fixes)
				results, err := node.Undo(t.Context(), repair.Filter{})
				require.NoError(t, err)
				for _, r := range results.Results {
					assert.Equal(t, repair.Undone, r.Status, "%+v", r)
				}
				assert.Equal(t, before, tree(t, node))
			})
			if t.Failed() || survived {
				break
			}
		}
	}
}

// killedRun reports whether the run came to its end.
func killedRun(t *testing.T, n repair.Node, fixes []fix.Fix, at int, when string) bool {
	t.Helper()
	dir := killers(t, at)
	path := "export KILL_AFTER=" + when + " PATH=" + dir + ":$PATH\n"
	_, err := repair.ApplyWith(t.Context(), n, path, "run-1", fixes)
	return err == nil
}

// again does what a second run does: it plans from what it finds, which for a
// menu that a command writes means looking whether it is written.
func again(t *testing.T, n repair.Node, fixes []fix.Fix) {
	t.Helper()
	var todo []fix.Fix
	_, err := n.Apply(t.Context(), "run-2", nil, nil) // ends what is half done
	require.NoError(t, err)
	for _, f := range fixes {
		if f.ID == "menu" && strings.HasPrefix(read(t, n, "boot/menu"), "new") {
			continue
		}
		todo = append(todo, f)
	}
	results, err := n.Apply(t.Context(), "run-2", todo, nil)
	require.NoError(t, err)
	for _, r := range results.Results {
		assert.False(t, r.Bad(), "%+v", r)
	}
	assert.Equal(t, "new $(touch /oops) 'x'\n", read(t, n, "etc/plain"))
	assert.Equal(t, "made\n", read(t, n, "etc/deep/down/new"))
	assert.Equal(t, "plain\n", read(t, n, "etc/stub"))
	assert.Equal(t, "new menu\n", read(t, n, "boot/menu"))
	assert.FileExists(t, filepath.Join(n.Root, "flag"))
	assert.NoDirExists(t, filepath.Join(n.Root, "var/lib/docker"))
	names, err := filepath.Glob(filepath.Join(n.Root, "*/.*acpflow-new"))
	require.NoError(t, err)
	assert.Empty(t, names)
}

// Two repairs of one node never overlap.
func TestRepairsOfANodeTakeTurns(t *testing.T) {
	n := node(t)
	busy := filepath.Join(n.Root, "busy")
	alone := func(id string) fix.Fix {
		return of(id, fix.Change{Kind: fix.Command, Undo: "true",
			Do: "mkdir " + busy + " && sleep 0.3 && rmdir " + busy})
	}
	ends := make(chan repair.Report, 2)
	for _, id := range []string{"a", "b"} {
		go func() {
			results, err := n.Apply(t.Context(), id, []fix.Fix{alone(id)}, nil)
			assert.NoError(t, err)
			ends <- results
		}()
	}
	for range 2 {
		select {
		case results := <-ends:
			assert.Equal(t, []repair.Status{repair.Done}, statuses(results), "%+v", results)
		case <-time.After(time.Minute):
			t.Fatal("a repair did not end")
		}
	}
}
