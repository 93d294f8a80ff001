package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/kube"
)

// A Lease that an uninstall left behind is said and holds up nobody; one that
// somebody has stops the run before the name moves.
func TestTakeoverOverALeaseThatWasLeftBehind(t *testing.T) {
	for _, held := range []string{"", "of Pod sync-1"} {
		w := newTakeoverWorld(t)
		found := w.sides.plugins["west"]
		found.Lease, found.Holder, found.LeaseFree = &kube.LeaseState{}, held, held == ""
		w.sides.plugins["west"] = found
		if held == "" {
			require.NoError(t, w.take(switchover))
			assert.Contains(t, w.step("switchover.12-last-look").Evidence.Summary, "no synchronizer on west, left behind: lease etcd-sync-mirror, which nobody has")
			continue
		}
		step, text := w.aborted(switchover)
		assert.Equal(t, "switchover.12-last-look", step)
		assert.Contains(t, text, "a synchronizer is on west: Lease etcd-sync-mirror of Pod sync-1")
		assert.False(t, w.called("PointPlatform"))
	}
}

// Who refuses over a synchronizer names what there is of it.
func TestRefusalOverASynchronizerNamesIt(t *testing.T) {
	w := newTakeoverWorld(t)
	instead(w.world, "IdentifySides", func(in activities.IdentifyInput) any {
		return activities.Identity{Sides: map[string]activities.SideIdentity{
			in.Primary: {UID: "uid-" + in.Primary, Reachable: true, Synchronizer: true, Carries: "Lease etcd-sync-mirror of Pod sync-1"},
			in.Standby: {UID: "uid-" + in.Standby, Reachable: true, Synchronizer: true}}}
	})
	step, text := w.aborted(switchover)
	assert.Equal(t, "switchover.01-identify", step)
	assert.Contains(t, text, "west carries the synchronizer (Lease etcd-sync-mirror of Pod sync-1), as a standby does")
}
