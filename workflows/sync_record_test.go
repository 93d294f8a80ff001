package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

// westTook is what a takeover by west leaves, changed.
func westTook(change func(*activities.PairRecord)) *activities.PairRecord {
	r := &activities.PairRecord{Primary: "west", PrimaryUID: "uid-west", Standby: "east", StandbyUID: "uid-east", Since: takenOver, Run: "failover/lab/west", Mode: "failover", Done: true}
	if change != nil {
		change(r)
	}
	return r
}

func reprotected(days int) *activities.PairRecord {
	return westTook(func(r *activities.PairRecord) { r.Mode, r.Since = "reprotect", takenOver.AddDate(0, 0, days) })
}

// What was written to an old primary after the copying had ended is nowhere else:
// only reprotect, which captures it and asks, makes it the standby.
func TestEnableSyncDoesNotOverwriteWhatWasTakenOverFrom(t *testing.T) {
	turned := westTook(func(r *activities.PairRecord) {
		r.Primary, r.PrimaryUID, r.Standby, r.StandbyUID = "east", "uid-east", "west", "uid-west"
	})
	may := "told the name to lead to east at " + takenOver.UTC().Format("2006-01-02 15:04:05 UTC") + " and did not come to its end, and no record tells how west became the primary after it: what was written to east"
	const took, leads = "and no reprotect has followed: what was written to east", "east is the primary itself, and no record tells how west became it: what was written to east"
	by := func(r *activities.PairRecord, change func(*activities.PairRecord)) *activities.PairRecord {
		out := *r
		change(&out)
		return &out
	}
	for name, c := range map[string]struct {
		west, east *activities.PairRecord
		refused    string // "" = it goes on
	}{
		"no record":                                                    {nil, nil, ""},
		"by the primary's record":                                      {westTook(nil), nil, took},
		"by the standby's record":                                      {nil, westTook(func(r *activities.PairRecord) { r.Mode = "switchover" }), took},
		"a takeover that is half done":                                 {westTook(func(r *activities.PairRecord) { r.Done = false }), nil, took},
		"the standby's UID was not known":                              {westTook(func(r *activities.PairRecord) { r.StandbyUID = "" }), nil, took},
		"the primary was installed anew":                               {nil, westTook(func(r *activities.PairRecord) { r.PrimaryUID = "uid-lost" }), took},
		"the primary was renamed":                                      {westTook(func(r *activities.PairRecord) { r.Primary = "moscow" }), nil, took},
		"the standby was installed anew":                               {westTook(func(r *activities.PairRecord) { r.StandbyUID = "uid-lost" }), nil, ""},
		"the standby has an older role":                                {westTook(nil), reprotected(-1), took},
		"a reprotect has followed":                                     {reprotected(1), reprotected(1), ""},
		"it was killed between the sides":                              {reprotected(1), westTook(nil), ""},
		"of the clusters that were before":                             {westTook(nil), by(reprotected(1), func(r *activities.PairRecord) { r.StandbyUID = "uid-lost" }), took},
		"a takeover by east that was terminated before the name moved": {nil, by(turned, func(r *activities.PairRecord) { r.Done = false }), ""},
		"that may have moved the name":                                 {nil, by(turned, func(r *activities.PairRecord) { r.Done, r.Moved = false, new(takenOver) }), may},
		"a later reprotect followed that one":                          {reprotected(1), by(turned, func(r *activities.PairRecord) { r.Done, r.Moved = false, new(takenOver) }), ""},
		"the name was moved back by hand after a takeover by east":     {nil, turned, leads},
		"after a failover by hand":                                     {by(turned, func(r *activities.PairRecord) { r.Mode = "reprotect" }), by(turned, func(r *activities.PairRecord) { r.Mode = "reprotect" }), leads},
		"a later reprotect has west as the primary":                    {reprotected(1), turned, ""},
		"another cluster was the primary":                              {nil, by(turned, func(r *activities.PairRecord) { r.PrimaryUID = "uid-lost" }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := syncWorld(t, "v4.1.0")
			w.sides.remember("west", c.west)
			w.sides.remember("east", c.east)
			if c.refused == "" {
				require.NoError(t, w.enable())
				return
			}
			refusedFor(t, w, "sync.01-sides", c.refused+" and is not on west would be lost. Fix: acpflow reprotect --cluster east")
		})
	}
}

// A record that can't be read is not one that allows it.
func TestEnableSyncWantsToReadTheRecords(t *testing.T) {
	w := syncWorld(t, "v4.1.0")
	w.breaks("ReadPlugin", fault.Corrupt)
	refusedFor(t, w, "sync.01-sides", "ReadPlugin is broken")
	plan, err := workflows.PlanOf(workflows.EnableSyncBook, site.Snapshot{Name: "lab", Site: thePair()}, "east")
	require.NoError(t, err)
	assert.Contains(t, plan.Steps[0].Calls, "kubectl -n cpaas-system get configmap acpflow-pair   # on both sides: no takeover that no reprotect followed")
}

// install-pair finds an old primary installed and must not overwrite it either; what
// it has just installed holds nothing.
func TestInstallPairDoesNotOverwriteWhatWasTakenOverFrom(t *testing.T) {
	w := newPairWorld(t)
	w.has("west", false)
	w.has("east", false)
	w.name = "west"
	w.sides.remember("west", westTook(nil))
	r := request
	r.OnFailure = workflows.OnFailureAbort
	err := w.run(r)
	require.ErrorContains(t, err, "at step sync.01-sides")
	require.ErrorContains(t, err, "acpflow reprotect --cluster east")
	assert.False(t, w.called("InstallPlugin") || w.called("OpenPort"))

	w = newPairWorld(t)
	w.has("west", false)
	w.has("east", false)
	w.name = "west"
	w.sides.remember("east", &activities.PairRecord{Primary: "east", PrimaryUID: "uid-east", Standby: "west", StandbyUID: "uid-west", Since: takenOver, Run: "switchover/lab/east",
		Mode: "switchover", Moved: new(takenOver)})
	require.ErrorContains(t, w.run(r), "told the name to lead to east")
	assert.False(t, w.called("InstallPlugin") || w.called("OpenPort"))

	w = newPairWorld(t)
	w.has("west", false) // the machines of east are bare: what it was is lost
	w.name = "west"
	w.sides.remember("west", westTook(func(r *activities.PairRecord) { r.StandbyUID = "" }))
	require.NoError(t, w.run(request))
	assert.True(t, w.called("InstallPlugin"))
}

// A reprotect, and the undo of a takeover, have records of their own: their steps of
// enable-sync ask for none.
func TestEmbeddedStepsHeedNoRecord(t *testing.T) {
	r := newReprotectWorld(t)
	r.world.sides.remember("west", westTook(nil))
	r.world.sides.remember("east", westTook(nil))
	require.NoError(t, r.run())

	w := newTakeoverWorld(t)
	w.sides.remember("west", westTook(nil))
	w.sides.remember("east", westTook(nil))
	w.breaks("WritePairRecord", fault.Conflict)
	w.aborted(switchover)
	w.untouched()
}

// An undone takeover leaves no record that is in the way of enable-sync.
func TestUndoneTakeoverIsNoReasonToRefuse(t *testing.T) {
	w := newTakeoverWorld(t)
	w.breaks("PointPlatform", fault.Refused)
	w.aborted(switchover)
	require.Empty(t, w.records)

	w = newTakeoverWorld(t)
	w.records["east"] = activities.PairRecord{Primary: "west", PrimaryUID: "uid-west", Standby: "east", StandbyUID: "uid-east", Mode: "reprotect", Since: takenOver, Run: "reprotect/1"}
	w.breaks("PointPlatform", fault.Refused)
	w.aborted(switchover)
	back := w.records["east"]

	again := syncWorld(t, "v4.1.0")
	again.sides.remember("east", &back)
	again.sides.remember("west", westTook(func(r *activities.PairRecord) { r.Since = takenOver.Add(-time.Hour) })) // what that reprotect followed
	require.NoError(t, again.enable())
}
