package repair_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks/fix"
	"github.com/acpflow/acpflow/internal/repair"
)

func TestAConfirmedFixStays(t *testing.T) {
	t.Parallel() // it waits
	n := node(t)
	write(t, n, "etc/ssh/sshd_config", "UseDNS yes\n", 0o600)
	fixes := []fix.Fix{of("sshd", edit("/etc/ssh/sshd_config", "UseDNS yes\n", "UseDNS no\n"))}
	results, err := n.Apply(t.Context(), "run-1", fixes, &repair.Guard{Token: "one", Seconds: 10})
	require.NoError(t, err)
	assert.Equal(t, []repair.Status{repair.Done}, statuses(results))
	ok, err := n.Confirm(t.Context(), "one")
	require.NoError(t, err)
	assert.True(t, ok)
	// The guard's program ends by itself, and must have changed nothing.
	assert.Never(t, func() bool { return read(t, n, "etc/ssh/sshd_config") != "UseDNS no\n" }, 12*time.Second, 100*time.Millisecond)
}

func TestAnUnconfirmedFixIsTakenBackByTheNode(t *testing.T) {
	t.Parallel() // it waits
	n := node(t)
	write(t, n, "etc/ssh/sshd_config", "UseDNS yes\n", 0o600)
	before := tree(t, n)
	log := filepath.Join(t.TempDir(), "reloads")
	change := edit("/etc/ssh/sshd_config", "UseDNS yes\n", "Port 1\n")
	change.Then = "echo reload >>" + log
	fixes := []fix.Fix{of("sshd", change)}
	_, err := n.Apply(t.Context(), "run-1", fixes, &repair.Guard{Token: "two", Seconds: 10})
	require.NoError(t, err)
	assert.Equal(t, "Port 1\n", read(t, n, "etc/ssh/sshd_config"))
	require.Eventually(t, func() bool {
		state, _ := os.ReadFile(filepath.Join(n.Root, "var/lib/acpflow/repair/guards/two/state"))
		return string(state) == "rolled-back"
	}, time.Minute, 50*time.Millisecond)
	assert.Equal(t, before, tree(t, n))
	reloads, err := os.ReadFile(log)
	require.NoError(t, err)
	assert.Equal(t, "reload\nreload\n", string(reloads))
	ok, err := n.Confirm(t.Context(), "two")
	require.NoError(t, err)
	assert.False(t, ok)
}

// A worker that died between the fix and its confirmation comes back: what is
// not confirmed is taken back first.
func TestTheNextRunTakesAnUnconfirmedFixBack(t *testing.T) {
	n := node(t)
	write(t, n, "etc/a", "one\n", 0o600)
	_, err := n.Apply(t.Context(), "run-1", []fix.Fix{of("a", edit("/etc/a", "one\n", "two\n"))}, &repair.Guard{Token: "three", Seconds: 600})
	require.NoError(t, err)
	again, err := n.Apply(t.Context(), "run-2", nil, nil)
	require.NoError(t, err)
	assert.Equal(t, []repair.Status{repair.Undone}, statuses(again))
	assert.Equal(t, "one\n", read(t, n, "etc/a"))
}

// A guarded fix that does nothing leaves no guard behind.
func TestAGuardGoesWithItsFix(t *testing.T) {
	n := node(t)
	write(t, n, "etc/a", "two\n", 0o600)
	_, err := n.Apply(t.Context(), "run-1", []fix.Fix{of("a", edit("/etc/a", "one\n", "two\n"))}, &repair.Guard{Token: "four", Seconds: 600})
	require.NoError(t, err)
	ok, err := n.Confirm(t.Context(), "four")
	require.NoError(t, err)
	assert.True(t, ok)
}

func TestARebootIsDueUntilItHappens(t *testing.T) {
	n := node(t)
	f := of("boot", edit("/etc/grub", "", "nokmem\n"))
	f.Reboot = true
	report, err := n.Apply(t.Context(), "run-1", []fix.Fix{f}, nil)
	require.NoError(t, err)
	assert.True(t, report.RebootDue)
	assert.NotEmpty(t, report.Boot)
	require.NoError(t, os.WriteFile(filepath.Join(n.Root, "var/lib/acpflow/repair/reboot"), []byte("an earlier boot\n"), 0o600))
	report, err = n.List(t.Context())
	require.NoError(t, err)
	assert.False(t, report.RebootDue)
}
