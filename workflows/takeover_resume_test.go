package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/workflows"
)

// terminated is a world in which a takeover was ended from outside after the name
// had moved: what follows was never done.
func terminated(t *testing.T, mode string) *takeoverWorld {
	w := newTakeoverWorld(t)
	w.sides.install("east", false)
	w.open, w.name = map[string]bool{"west 2379": mode == "failover"}, "east"
	w.records["east"] = activities.PairRecord{Primary: "east", PrimaryUID: "uid-east", Standby: "west", StandbyUID: "uid-west", Mode: mode, Run: "first",
		Owed: []activities.Owed{{Cluster: "west", Action: activities.OwedClosePort, Port: 2379}}}
	return w
}

// A second switchover finishes what a terminated takeover began, also a failover
// whose old side is back by now.
func TestSwitchoverFinishesATerminatedTakeover(t *testing.T) {
	for _, mode := range []string{"switchover", "failover"} {
		t.Run(mode, func(t *testing.T) {
			w := terminated(t, mode)
			require.NoError(t, w.take(switchover))
			for _, call := range []string{"RemovePlugin east", "FetchCheck east", "InstallPlugin"} {
				assert.NotContains(t, w.meant(), call)
			}
			assert.Contains(t, w.meant(), "CheckPage east")
			assert.False(t, w.open["west 2379"])
			r := w.status().Recovery
			assert.Contains(t, r.Restarted, "cpaas-system/vm-0 vm-uid")
			assert.Contains(t, r.Title, workflows.Unverified, "this run has compared nothing")
			assert.Contains(t, r.RPO.Text, "run first")
			assert.Contains(t, w.asked("switchover.13-point-dns"), "Finish the takeover by east (cluster uid-east)?")
			assert.Contains(t, w.step("switchover.06-consistent").Evidence.Summary, "not needed")
			for _, c := range []string{"west", "east"} {
				assert.True(t, w.records[c].Done, c)
				assert.Empty(t, w.records[c].Owed, c)
			}
		})
	}
}

// A name that leads to both sides is made to lead to one.
func TestSwitchoverFinishesAHalfMovedName(t *testing.T) {
	w := terminated(t, "switchover")
	w.name = "west"
	instead(w.world, "LookUpPlatform", func(activities.ClusterInput) any {
		out := activities.PlatformAddress{Answers: map[string][]string{"a": {"192.0.2.10"}, "b": {"192.0.2.20"}}}
		if w.name == "east" {
			out = activities.PlatformAddress{Cluster: "east", Agreed: true}
		}
		return out
	})
	require.NoError(t, w.take(switchover))
	assert.Equal(t, "east", w.name)
	assert.Contains(t, w.asked("switchover.13-point-dns"), "for some servers only (a says 192.0.2.10; b says 192.0.2.20)")
}

// What is finished is not finished again, and without the name nothing is resumed.
func TestSwitchoverResumesNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*takeoverWorld)
		says   string
	}{
		"done":          {func(w *takeoverWorld) { r := w.records["east"]; r.Done = true; w.records["east"] = r }, "acpflow reprotect"},
		"not moved":     {func(w *takeoverWorld) { w.name = "west" }, "acpflow enable-sync --cluster east"},
		"other cluster": {func(w *takeoverWorld) { r := w.records["east"]; r.PrimaryUID = "uid-old"; w.records["east"] = r }, "acpflow reprotect"},
	} {
		t.Run(name, func(t *testing.T) {
			w := terminated(t, "switchover")
			c.change(w)
			step, text := w.aborted(switchover)
			assert.Equal(t, "switchover.01-identify", step)
			assert.Contains(t, text, c.says)
			assert.Empty(t, w.changes())
		})
	}
}

// A run that was terminated before the name moved left a record that is not true
// any more when the synchronizer is back. An abort of the next run takes it away.
func TestAbortDoesNotPutAFalseRecordBack(t *testing.T) {
	w := newTakeoverWorld(t)
	w.records["east"] = activities.PairRecord{Primary: "east", PrimaryUID: "uid-east", Standby: "west", StandbyUID: "uid-west", Mode: "switchover", Run: "first"}
	w.breaks("PointPlatform", fault.Refused)
	w.aborted(switchover)
	assert.NotContains(t, w.records, "east")
	w.untouched()
}

// A run that was terminated behind its own fence locks users out: the next one says
// what to open.
func TestSwitchoverNamesTheFenceOfATerminatedRun(t *testing.T) {
	w := newTakeoverWorld(t)
	w.doc.DR.Takeover.Fence = true
	w.open = map[string]bool{"west 11443": true}
	w.breaks("IdentifySides", fault.Gate)
	step, text := w.aborted(switchover)
	assert.Equal(t, "switchover.01-identify", step)
	assert.Contains(t, text, "IdentifySides is broken")
	assert.Contains(t, text, "users don't reach it")
	for _, port := range []string{"443", "6443"} {
		assert.Regexp(t, "port "+port+"\\b", text)
	}
	assert.NotContains(t, text, "port 11443")

	w = newTakeoverWorld(t)
	w.doc.DR.Takeover.Fence = true
	w.breaks("IdentifySides", fault.Gate)
	_, text = w.aborted(switchover)
	assert.NotContains(t, text, "fenced")
}
