package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/workflows"
)

// After a takeover by hand no refusal leads users to the side that holds less, nor to
// a synchronizer that captures nothing.
func TestHintsAfterATakeoverByHand(t *testing.T) {
	t.Run("switchover to the old primary", func(t *testing.T) {
		w := newTakeoverWorld(t) // the name was moved to west by hand, as the records show
		w.sides.install("east", false)
		for _, side := range []string{"west", "east"} {
			w.records[side] = activities.PairRecord{Primary: "east", PrimaryUID: "uid-east", Standby: "west", StandbyUID: "uid-west", Since: takenOver, Run: "r1", Mode: workflows.ModeReprotect}
		}
		step, text := w.aborted(switchover)
		assert.Equal(t, "switchover.01-identify", step)
		assert.Contains(t, text, "acpflow reprotect --cluster east first, then start again")
	})
	t.Run("switchover to a side that follows and is used", func(t *testing.T) {
		w := newTakeoverWorld(t)
		w.name = "east"
		_, text := w.aborted(switchover)
		assert.Contains(t, text, "if it is east, remove the synchronizer from it, then acpflow reprotect --cluster west")
	})
	t.Run("enable-sync on the side that is used", func(t *testing.T) {
		w := syncWorld(t, "v4.1.0")
		w.answer["LookUpPlatform"] = func() any {
			return activities.PlatformAddress{Cluster: "east", Agreed: true, Answers: map[string][]string{"192.0.2.2": {"192.0.2.20"}}}
		}
		refusedFor(t, w, "sync.01-sides", "it is the primary: name west as the standby. Point the name at west only if nothing was written to east through it")
	})
	t.Run("enable-sync while the name leads nowhere", func(t *testing.T) {
		w := syncWorld(t, "v4.1.0")
		w.answer["LookUpPlatform"] = func() any { return activities.PlatformAddress{} }
		refusedFor(t, w, "sync.01-sides", "make every server lead to the side that holds what users wrote last")
	})
}
