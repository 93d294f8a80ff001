package repair_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/job"
	"github.com/acpflow/acpflow/internal/repair"
)

// begunInit starts a script and leaves it when it has made the file "begun", as a
// run that is aborted or ended by force does.
func begunInit(t *testing.T, n repair.Node, run, script string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	end := make(chan error, 1)
	go func() {
		_, _, err := n.Init(ctx, run, "init-"+run, script, nil)
		end <- err
	}()
	appears(t, n, "begun")
	cancel()
	require.Error(t, <-end)
}

func appears(t *testing.T, n repair.Node, path string) {
	t.Helper()
	require.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(n.Root, path)); return err == nil }, 30*time.Second, 20*time.Millisecond)
}

func byPath(r repair.Report) map[string]repair.Status {
	out := map[string]repair.Status{}
	for _, result := range r.Results {
		out[result.What] = result.Status
	}
	return out
}

func TestWhatInitChangedIsTakenBack(t *testing.T) {
	n := node(t)
	write(t, n, "etc/kept", "kept\n", 0o644)
	write(t, n, "etc/changed", "old\n", 0o640)
	write(t, n, "etc/gone", "gone\n", 0o600)
	before := tree(t, n)
	script := "cd " + n.Root + "/etc; [ -z \"${root+x}${init+x}\" ] || exit 1\necho new >changed; echo added >$'added\\nand odd'; rm gone; echo said"
	last, report, err := n.Init(t.Context(), "run-1", "init-1", script, nil)
	require.NoError(t, err)
	assert.Equal(t, "said\n", last)
	assert.Equal(t, []repair.Status{repair.Done, repair.Done, repair.Done}, statuses(report))
	last, report, err = n.Init(t.Context(), "run-2", "init-1", script, nil)
	require.NoError(t, err)
	assert.Equal(t, "run before", last)
	assert.Empty(t, report.Results)
	undone, err := n.Undo(t.Context(), repair.Filter{})
	require.NoError(t, err)
	assert.Equal(t, []repair.Status{repair.Undone, repair.Undone, repair.Undone}, statuses(undone), "%+v", undone)
	assert.Equal(t, before, tree(t, n))
}

// leftBehind waits until the script of run-0 has ended with its copy of /etc still
// there. What changes in the same tick of the file system's clock is taken for the
// script's, so the tick goes by.
func leftBehind(t *testing.T, n repair.Node) {
	t.Helper()
	appears(t, n, "var/lib/acpflow/repair/snapshot-init-run-0/ended")
	time.Sleep(20 * time.Millisecond)
}

// A run that left its copy of /etc behind makes nobody else's change its own.
func TestACopyLeftBehindTakesNothingOfOthers(t *testing.T) {
	for name, script := range map[string]string{
		"ended":  "cd ROOT; echo new >etc/first; touch begun; sleep 1; echo late >etc/late",
		"killed": "cd ROOT; touch begun; sleep 300",
	} {
		t.Run(name, func(t *testing.T) {
			n := node(t)
			write(t, n, "etc/first", "old\n", 0o644)
			write(t, n, "etc/mine", "old\n", 0o644)
			write(t, n, "etc/rm", "old\n", 0o644)
			begunInit(t, n, "run-0", strings.ReplaceAll(script, "ROOT", n.Root))
			if name == "ended" {
				leftBehind(t, n)
			} else {
				require.NoError(t, job.Cancel(t.Context(), n.Client, job.Spec{ID: "init-run-0", Dir: n.Root + job.DefaultDir, Sudo: true}))
			}
			write(t, n, "etc/mine", "somebody's\n", 0o644)
			require.NoError(t, os.Remove(filepath.Join(n.Root, "etc/rm")))
			_, report, err := n.Init(t.Context(), "run-1", "init-1", "echo x >"+n.Root+"/etc/second", nil)
			require.NoError(t, err)
			assert.Equal(t, map[string]repair.Status{"/etc/second": repair.Done}, byPath(report))
			_, err = n.Undo(t.Context(), repair.Filter{})
			require.NoError(t, err)
			assert.Equal(t, "old\n", read(t, n, "etc/first"))
			assert.Equal(t, "somebody's\n", read(t, n, "etc/mine"))
			assert.NoFileExists(t, filepath.Join(n.Root, "etc/rm"))
			assert.NoFileExists(t, filepath.Join(n.Root, "etc/late"))
			assert.NoFileExists(t, filepath.Join(n.Root, "etc/second"))
		})
	}
}

// The undo of everything settles a copy left behind, too.
func TestUndoSettlesACopyLeftBehind(t *testing.T) {
	n := node(t)
	write(t, n, "etc/mine", "old\n", 0o644)
	begunInit(t, n, "run-0", "cd "+n.Root+"; echo x >etc/first; touch begun; sleep 0.5")
	leftBehind(t, n)
	write(t, n, "etc/mine", "somebody's\n", 0o644)
	_, err := n.Undo(t.Context(), repair.Filter{})
	require.NoError(t, err)
	assert.NoFileExists(t, filepath.Join(n.Root, "etc/first"))
	assert.Equal(t, "somebody's\n", read(t, n, "etc/mine"))
}

func TestAccountsAndIdentityAreNeverTakenBack(t *testing.T) {
	n := node(t)
	paths := []string{"passwd", "passwd-", "shadow", "group", "gshadow", "subuid", "subgid", "machine-id", "ssh/ssh_host_rsa_key"}
	want := map[string]repair.Status{"/etc/own": repair.Done}
	script := "cd " + n.Root + "/etc; echo x >own\n"
	for _, p := range paths {
		write(t, n, "etc/"+p, "old\n", 0o600)
		want["/etc/"+p] = repair.Left
		script += "echo new >" + p + "\n"
	}
	_, report, err := n.Init(t.Context(), "run-1", "init-1", script, nil)
	require.NoError(t, err)
	assert.Equal(t, want, byPath(report))
	_, err = n.Undo(t.Context(), repair.Filter{})
	require.NoError(t, err)
	for _, p := range paths {
		assert.Equal(t, "new\n", read(t, n, "etc/"+p))
	}
	assert.NoFileExists(t, filepath.Join(n.Root, "etc/own"))
}

// Aborted in the middle, the script is ended and what it did is taken back.
func TestAnAbortedInitIsEndedAndTakenBack(t *testing.T) {
	n := node(t)
	write(t, n, "etc/a", "old\n", 0o644)
	before := read(t, n, "etc/a")
	begunInit(t, n, "run-1", "cd "+n.Root+"; echo new >etc/a; touch begun; sleep 300; touch survived")
	report, err := n.EndInit(t.Context(), "run-1")
	require.NoError(t, err)
	assert.Equal(t, map[string]repair.Status{"/etc/a": repair.Done}, byPath(report))
	undone, err := n.Undo(t.Context(), repair.Filter{Run: "run-1"})
	require.NoError(t, err)
	assert.Equal(t, []repair.Status{repair.Undone}, statuses(undone))
	assert.Equal(t, before, read(t, n, "etc/a"))
	assert.NoDirExists(t, filepath.Join(n.Root, "var/lib/acpflow/jobs/init-run-1"))
	// The lock of the node is free again: the script is dead.
	_, _, err = n.Init(t.Context(), "run-2", "init-2", "true", nil)
	require.NoError(t, err)
	again, err := n.EndInit(t.Context(), "run-1")
	require.NoError(t, err)
	assert.Empty(t, again.Results)
}

func TestTwoInitsNeverRunSideBySide(t *testing.T) {
	n := node(t)
	write(t, n, "etc/a", "old\n", 0o644)
	begunInit(t, n, "run-0", "cd "+n.Root+"; touch begun; sleep 300")
	_, _, err := n.Init(t.Context(), "run-1", "init-1", "touch "+n.Root+"/second", nil)
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)
	assert.ErrorContains(t, err, "another init.sh")
	_, err = n.Undo(t.Context(), repair.Filter{})
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)
	_, err = n.EndInit(t.Context(), "run-0")
	require.NoError(t, err)
	_, _, err = n.Init(t.Context(), "run-1", "init-1", "touch "+n.Root+"/second", nil)
	require.NoError(t, err)
	assert.FileExists(t, filepath.Join(n.Root, "second"))
}
