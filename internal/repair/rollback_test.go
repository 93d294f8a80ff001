package repair_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks/fix"
	"github.com/acpflow/acpflow/internal/repair"
)

// deadly kills the repair that runs it, the first time: the topmost shell first,
// so that none lives to see its child die and to take the change back itself.
func deadly(n repair.Node) string {
	flag := filepath.Join(n.Root, "var/lib/acpflow/died")
	return "[ -e " + flag + " ] || { touch " + flag + `; pid=$PPID pids=
while case $(cat /proc/$pid/comm) in bash|timeout) true;; *) false;; esac; do pids="$pid $pids"; pid=$(awk '/^PPid/ {print $2}' /proc/$pid/status); done; kill -9 $pids; }`
}

func guardState(n repair.Node, token string) string {
	state, _ := os.ReadFile(filepath.Join(n.Root, "var/lib/acpflow/repair/guards", token, "state"))
	return string(state)
}

// A repair that dies in the middle of a guarded change leaves it half done: the
// node takes that back as well.
func TestAKilledGuardedFixIsTakenBackByTheNode(t *testing.T) {
	for name, prepare := range map[string]func(n repair.Node) fix.Change{
		"file": func(n repair.Node) fix.Change {
			c := edit("/etc/a", "one\n", "two\n")
			c.Then = deadly(n)
			return c
		},
		"command": func(n repair.Node) fix.Change {
			return fix.Change{Kind: fix.Command, Do: "touch " + n.Root + "/etc/flag; " + deadly(n), Undo: "rm -f " + n.Root + "/etc/flag", Seen: "false"}
		},
		"generate": func(n repair.Node) fix.Change {
			return fix.Change{Kind: fix.Generate, Path: "/etc/a", Before: sum("one\n"), Do: "echo half >" + n.Root + "/etc/a; " + deadly(n)}
		},
		"aside": func(n repair.Node) fix.Change { return fix.Change{Kind: fix.Aside, Path: "/etc/a", Then: deadly(n)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait
			n := node(t)
			write(t, n, "etc/a", "one\n", 0o600)
			before := tree(t, n)
			_, err := n.Apply(t.Context(), "run-1", []fix.Fix{of("guarded", prepare(n))}, &repair.Guard{Token: "dead", Seconds: 10})
			require.Error(t, err)
			assert.NotEqual(t, before, tree(t, n))
			require.Eventually(t, func() bool { return guardState(n, "dead") == "rolled-back" }, time.Minute, 50*time.Millisecond)
			assert.Equal(t, before, tree(t, n))
			held, err := n.List(t.Context())
			require.NoError(t, err)
			assert.Empty(t, held.Results)
		})
	}
}

// The shell of a repair is killed while a command of its goes on, as when the
// worker hangs up: nothing is taken back, and nothing else is done, before that
// command has ended, or it would have the last word.
func TestNothingIsTakenBackBeforeAKilledRepairsCommandHasEnded(t *testing.T) {
	for name, act := range map[string]func(n repair.Node) error{
		"guard": func(repair.Node) error { return nil },
		"next run": func(n repair.Node) error {
			_, err := n.Apply(t.Context(), "run-2", nil, nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait
			n := node(t)
			write(t, n, "etc/a", "one\n", 0o600)
			before := tree(t, n)
			ended := filepath.Join(n.Root, "var/lib/acpflow/ended")
			orphaned := `kill -9 $(awk '/^PPid/ {print $2}' /proc/$PPID/status); sleep 10; touch ` + n.Root + "/etc/late " + ended
			change := fix.Change{Kind: fix.Command, Do: orphaned, Undo: "rm -f " + n.Root + "/etc/late", Seen: "false"}
			_, err := n.Apply(t.Context(), "run-1", []fix.Fix{of("guarded", change)}, &repair.Guard{Token: "early", Seconds: 1})
			require.Error(t, err)
			assert.NoFileExists(t, ended, "the command must outlive its repair")
			require.NoError(t, act(n))
			require.Eventually(t, func() bool { return guardState(n, "early") == "rolled-back" }, time.Minute, 50*time.Millisecond)
			assert.FileExists(t, ended)
			assert.Equal(t, before, tree(t, n))
		})
	}
}

// What could not be taken back is not called rolled back; the next run tries again.
func TestARollbackThatFailsIsTriedAgain(t *testing.T) {
	n := node(t)
	write(t, n, "etc/a", "one\n", 0o600)
	change := edit("/etc/a", "one\n", "two\n")
	change.Then = "grep -q two " + n.Root + "/etc/a || [ -e " + n.Root + "/mended ]"
	_, err := n.Apply(t.Context(), "run-1", []fix.Fix{of("a", change)}, &repair.Guard{Token: "stuck", Seconds: 1})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return guardState(n, "stuck") != "armed" }, time.Minute, 50*time.Millisecond)
	assert.Equal(t, "stuck", guardState(n, "stuck"))
	ok, err := n.Confirm(t.Context(), "stuck")
	require.NoError(t, err)
	assert.False(t, ok)
	write(t, n, "mended", "", 0o600)
	report, err := n.Apply(t.Context(), "run-2", nil, nil)
	require.NoError(t, err)
	assert.Equal(t, []repair.Status{repair.Undone}, statuses(report))
	assert.Equal(t, "rolled-back", guardState(n, "stuck"))
}

// A node that goes down before the confirmation takes the fix back as it boots.
func TestAGuardOutlivesAReboot(t *testing.T) {
	for _, end := range []string{"boot", "confirm"} {
		t.Run(end, func(t *testing.T) {
			n := node(t)
			write(t, n, "etc/a", "one\n", 0o600)
			units := filepath.Join(n.Root, "etc/systemd/system")
			require.NoError(t, os.MkdirAll(filepath.Join(units, "multi-user.target.wants"), 0o755))
			require.NoError(t, os.MkdirAll(filepath.Join(n.Root, "run/systemd/system"), 0o755))
			before := tree(t, n)
			change := edit("/etc/a", "one\n", "two\n")
			change.Then = "grep -q two " + n.Root + "/etc/a" // a service that does not run yet can't be reloaded
			_, err := n.Apply(t.Context(), "run-1", []fix.Fix{of("a", change)}, &repair.Guard{Token: "boot", Seconds: 600})
			require.NoError(t, err)
			name := "acpflow-repair-boot-boot.service"
			unit := read(t, n, "etc/systemd/system/multi-user.target.wants/"+name)
			script := filepath.Join(n.Root, "var/lib/acpflow/repair/guards/boot/rollback.sh")
			assert.Contains(t, unit, "\nConditionPathExists="+script+"\n")
			assert.Contains(t, unit, "\nExecStart=/bin/bash "+script+"\n")
			assert.Contains(t, unit, "\nBefore=ssh.service sshd.service\n")
			assert.Contains(t, unit, "\nEnvironment=booting=yes limit=10\n")
			if end == "boot" {
				cmd := exec.Command("/bin/bash", script)
				cmd.Env = append(os.Environ(), "booting=yes", "limit=10")
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, "%s", out)
				assert.Equal(t, "rolled-back", guardState(n, "boot"))
				assert.Equal(t, before, tree(t, n))
			} else {
				ok, err := n.Confirm(t.Context(), "boot")
				require.NoError(t, err)
				assert.True(t, ok)
				assert.Equal(t, "two\n", read(t, n, "etc/a"))
			}
			assert.NoFileExists(t, script)
			assert.NoFileExists(t, filepath.Join(units, name))
			_, err = os.Lstat(filepath.Join(units, "multi-user.target.wants", name))
			assert.ErrorIs(t, err, os.ErrNotExist)
		})
	}
}
