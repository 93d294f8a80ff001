package workflows_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

func TestSwitchoverRunsInOrder(t *testing.T) {
	w := newTakeoverWorld(t)
	w.withWorkloads("payments")
	require.NoError(t, w.take(switchover))
	changes := w.changes()
	assert.ElementsMatch(t, []string{"RunTemplateScript east", "SnapshotEtcd east", "ExportObjects east", "RestartServices east"}, changes[:4])
	assert.Equal(t, "RemovePlugin east", changes[4])
	assert.ElementsMatch(t, []string{"ClosePort west", "ClosePort east"}, changes[5:7])
	assert.Equal(t, []string{"WritePairRecord east", "WritePairRecord east", "PointPlatform east"}, changes[7:10])
	assert.ElementsMatch(t, []string{"RestartServices east", "RestartServices east", "RestartServices east", "RestartWarlock"}, changes[10:14])
	assert.Equal(t, []string{"WritePairRecord east", "WritePairRecord west"}, changes[14:])

	p := w.status()
	assert.Equal(t, workflows.Succeeded, p.Outcome)
	assert.Equal(t, "east", w.name)
	finished, total := p.Counts()
	assert.Equal(t, total, finished)
	r := p.Recovery
	require.NotNil(t, r)
	assert.Equal(t, "Switchover of lab from west to east", r.Title)
	assert.Equal(t, []string{"uid-west", "uid-east"}, []string{r.FromUID, r.ToUID})
	assert.True(t, r.RPO.Verified)
	assert.NotNil(t, r.RPO.EqualAt)
	assert.Contains(t, r.RPO.Text, "held the same 4000 keys")
	assert.Equal(t, []string{"cluster transformer"}, r.NotInstalled)
	assert.ElementsMatch(t, []string{"cpaas-system/es-0 es-uid", "cpaas-system/vm-0 vm-uid", "cpaas-system/warlock-0 payments-uid of payments"}, r.Restarted)
	assert.Empty(t, r.Owed)
	assert.Equal(t, "east", w.records["west"].Primary)
	assert.Equal(t, "switchover", w.records["east"].Mode)
}

func TestFailoverRunsInOrder(t *testing.T) {
	w := newTakeoverWorld(t).isDead()
	w.withWorkloads("payments", "billing")
	w.doc.DR.Takeover.Fence = true
	instead(w.world, "LookAtPort", func(in activities.PortInput) any {
		if in.Cluster == "west" {
			return unreachable("the load balancer of west")
		}
		return activities.PortState{Port: in.Port, Configured: w.open["east 2379"], Reachable: w.open["east 2379"]}
	})
	instead(w.world, "ListWarlock", func(in activities.WorkloadInput) any {
		if in.Name == "payments" {
			return unreachable("payments")
		}
		return activities.Warlock{}
	})
	require.NoError(t, w.take(failover))
	assert.Equal(t, "east", w.name)
	assert.NotContains(t, w.meant(), "ClosePort west")
	assert.NotContains(t, w.meant(), "WritePairRecord west")
	changes := w.changes()
	assert.Equal(t, []string{"RemovePlugin east", "ClosePort east", "WritePairRecord east", "WritePairRecord east", "PointPlatform east"}, changes[4:9])

	var in activities.RemoveSyncInput
	require.NoError(t, json.Unmarshal(w.sides.inputs["RemovePlugin"], &in))
	assert.True(t, in.Unreachable, "the activity looks once more itself")
	assert.False(t, in.Proven)

	r := w.status().Recovery
	assert.Contains(t, r.Title, workflows.Unverified)
	assert.False(t, r.RPO.Verified)
	assert.Contains(t, r.RPO.Text, "known to be equal at 2026-06-15 11:59:00 UTC")
	assert.InDelta(t, 60, r.RPO.UnknownSeconds, 2)
	var owed []string
	for _, o := range r.Owed {
		owed = append(owed, fmt.Sprintf("%s %s %d", o.Action, o.Cluster, o.Port))
		assert.Contains(t, o.Why, "no route to host")
	}
	assert.ElementsMatch(t, []string{"close-port west 2379", "close-port west 443", "close-port west 6443", "close-port west 11443", "restart-warlock payments 0"}, owed)
	assert.Equal(t, r.Owed, w.records["east"].Owed, "what is owed outlives the run")
	assert.Contains(t, r.NotInstalled, "warlock of billing")
	assert.Contains(t, w.step("failover.09-close-old").Evidence.Summary, "NOT closed, but owed")
}

// The three questions of a failover tell at 3 a.m. what is known and what can't
// be taken back.
func TestFailoverAsksWhatNoProbeCanTell(t *testing.T) {
	w := newTakeoverWorld(t).isDead()
	w.good = nil
	require.NoError(t, w.take(failover))
	down := w.asked("failover.02-unreachable")
	assert.Contains(t, down, "down or fenced, and will it stay so")
	assert.Contains(t, down, "24 probes in 1m0s")
	assert.Contains(t, down, "east (cluster uid-east)")
	assert.Contains(t, down, "its UID is not known")
	data := w.asked("failover.06-last-good")
	assert.Contains(t, data, "UNVERIFIED: no check that found both sides equal is known")
	last := w.asked("failover.13-point-dns")
	assert.Contains(t, last, "Make east (cluster uid-east) the primary")
	assert.Contains(t, last, "an abort puts nothing back")
	assert.Contains(t, last, "UNVERIFIED")
	for _, d := range w.status().Decisions {
		assert.Equal(t, "boss", d.By)
	}
}

// A young good check is no question of its own, an old one is.
func TestFailoverAsksAboutOldData(t *testing.T) {
	w := newTakeoverWorld(t).isDead()
	require.NoError(t, w.take(failover))
	assert.Empty(t, w.asked("failover.06-last-good"))

	w = newTakeoverWorld(t).isDead()
	w.good.At = w.good.At.Add(-time.Hour)
	require.NoError(t, w.take(failover))
	assert.Contains(t, w.asked("failover.06-last-good"), "in the 1h1m0s after that may be missing on east")

	w = newTakeoverWorld(t).isDead()
	w.good.From, w.good.To = "east", "west"
	require.NoError(t, w.take(failover))
	assert.Contains(t, w.asked("failover.06-last-good"), "no check that found both sides equal", "one of the other direction tells nothing")
}

// failing is a step that fails before the point of no return.
type failing struct {
	step   string
	broken func(*takeoverWorld)
	says   string
	never  []string // must not have been called
	undone []string // the changes that an abort makes, in order
}

var activityFails = func(name string) func(*takeoverWorld) {
	return func(w *takeoverWorld) { w.breaks(name, fault.Conflict) }
}

var beforeReturn = []string{"PointPlatform east", "LookUpOnNodes east", "CheckPage east", "RestartWarlock"}

func neverFrom(calls ...string) []string { return append(calls, beforeReturn...) }

// One case for every step before the name moves: nothing after it runs, and an
// abort puts everything back.
func TestSwitchoverParksAndUndoes(t *testing.T) {
	copying := []string{"RemovePlugin east", "ClosePort west", "ClosePort east"}
	back := []string{"OpenPort west", "OpenPort east", "InstallPlugin", "RecreateSyncPod east"} // the steps of enable-sync
	for _, c := range []failing{
		{"01-identify", activityFails("IdentifySides"), "IdentifySides is broken", neverFrom(append(copying, "SnapshotEtcd east")...), nil},
		{"02-readiness", activityFails("ObservePair"), "ObservePair is broken", neverFrom(append(copying, "SnapshotEtcd east")...), nil},
		{"03-elasticsearch", activityFails("RunTemplateScript"), "RunTemplateScript is broken", neverFrom(copying...), nil},
		{"04-snapshot", activityFails("SnapshotEtcd"), "SnapshotEtcd is broken", neverFrom(copying...), nil},
		{"05-export", activityFails("ExportObjects"), "ExportObjects is broken", neverFrom(copying...), nil},
		{"06-consistent", activityFails("FetchCheck"), "FetchCheck is broken", neverFrom(copying...), nil},
		{"07-remove-synchronizer", activityFails("RemovePlugin"), "RemovePlugin is broken", neverFrom(copying[1:]...), nil},
		{"08-look-again", activityFails("LookAtOwners"), "LookAtOwners is broken", neverFrom(copying[1:]...), back},
		{"09-close-old", func(w *takeoverWorld) {
			instead(w.world, "ClosePort", func(in activities.PortInput) any {
				if in.Cluster == "west" {
					return permanent("the reload", fault.Failed)
				}
				w.open["east 2379"] = false
				return activities.Evidence{Summary: "closed"}
			})
		}, "the reload is broken", neverFrom("WritePairRecord east"), append([]string{"OpenPort east", "OpenPort west"}, back...)},
		{"12-last-look", func(w *takeoverWorld) {
			w.during["ClosePort"] = func() { w.answer["ReadPlugin"] = func() any { return permanent("ReadPlugin", fault.Conflict) } }
		}, "ReadPlugin is broken", neverFrom("WritePairRecord east"), nil},
		{"12-record", activityFails("WritePairRecord"), "WritePairRecord is broken", beforeReturn, nil},
	} {
		t.Run(c.step, func(t *testing.T) {
			w := newTakeoverWorld(t)
			c.broken(w)
			var before int
			w.answers = func(g workflows.Gate) *workflows.Decision {
				if g.Question == "" && !g.Undo {
					before = len(w.changes())
					for _, call := range c.never {
						assert.NotContains(t, w.meant(), call)
					}
					if c.step == "12-last-look" { // the undo looks, too
						delete(w.answer, "ReadPlugin")
						delete(w.during, "ClosePort")
					}
					w.mends("WritePairRecord")
					w.mends("LookAtOwners")
				}
				return nil
			}
			err := w.take(switchover)
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			assert.Equal(t, workflows.ErrAborted, app.Type())
			assert.Contains(t, w.parked("switchover."+c.step), c.says)
			for _, call := range c.never {
				assert.NotContains(t, w.meant(), call)
			}
			w.untouched()
			if c.undone != nil {
				undone := w.changes()[before:]
				assert.Equal(t, c.undone, undone[:len(c.undone)])
			}
		})
	}
}

// The same for a failover: the old side is away, so an abort can't prove anything.
func TestFailoverParksAndUndoes(t *testing.T) {
	copying := []string{"RemovePlugin east", "ClosePort east"}
	for _, c := range []failing{
		{"01-identify", activityFails("LookUpPlatform"), "LookUpPlatform is broken", neverFrom(append(copying, "SnapshotEtcd east")...), nil},
		{"02-unreachable", activityFails("ProveUnreachable"), "ProveUnreachable is broken", neverFrom(append(copying, "SnapshotEtcd east")...), nil},
		{"03-elasticsearch", activityFails("RunTemplateScript"), "RunTemplateScript is broken", neverFrom(copying...), nil},
		{"04-snapshot", activityFails("SnapshotEtcd"), "SnapshotEtcd is broken", neverFrom(copying...), nil},
		{"05-export", activityFails("ExportObjects"), "ExportObjects is broken", neverFrom(copying...), nil},
		{"06-last-good", activityFails("LookAtOwners"), "LookAtOwners is broken", neverFrom(copying...), nil},
		{"07-remove-synchronizer", activityFails("RemovePlugin"), "RemovePlugin is broken", neverFrom(copying[1:]...), nil},
		{"10-close-new", activityFails("ClosePort"), "ClosePort is broken", neverFrom("WritePairRecord east"), []string{"OpenPort east", "InstallPlugin"}},
		{"12-record", activityFails("WritePairRecord"), "WritePairRecord is broken", beforeReturn, []string{"ForgetPairRecord east", "OpenPort east", "InstallPlugin"}},
	} {
		t.Run(c.step, func(t *testing.T) {
			w := newTakeoverWorld(t).isDead()
			w.open = map[string]bool{"east 2379": true}
			instead(w.world, "LookAtPort", func(in activities.PortInput) any {
				if in.Cluster == "west" {
					return unreachable("the load balancer of west")
				}
				return activities.PortState{Port: in.Port, Configured: w.open["east 2379"], Reachable: w.open["east 2379"]}
			})
			c.broken(w)
			before := 0
			w.answers = func(g workflows.Gate) *workflows.Decision {
				if g.Question == "" && !g.Undo {
					before = len(w.changes())
				}
				return nil
			}
			step, text := w.aborted(failover)
			assert.Equal(t, "failover."+c.step, step)
			assert.Contains(t, text, c.says)
			for _, call := range c.never {
				assert.NotContains(t, w.meant(), call)
			}
			assert.Equal(t, c.undone, append([]string(nil), w.changes()[before:]...))
			w.untouched()
			assert.Contains(t, w.status().Recovery.Title, workflows.Unverified)
		})
	}
}

// After the name was told to move an abort takes nothing back, and what follows
// the failing step does not run.
func TestNothingIsUndoneAfterThePointOfNoReturn(t *testing.T) {
	for _, c := range []struct {
		step, broken string
		never        []string
	}{
		{"13-point-dns", "PointPlatform", []string{"LookUpOnNodes east", "LookUpInPod east", "CheckPage east", "RestartWarlock"}},
		{"14-nodes", "LookUpOnNodes", []string{"CheckPage east", "RestartWarlock"}},
		{"15-pods", "LookUpInPod", []string{"CheckPage east", "RestartWarlock"}},
		{"16-page", "CheckPage", []string{"RestartWarlock", "WritePairRecord west"}},
		{"20-warlock-payments", "RestartWarlock", []string{"WritePairRecord west"}},
		{"22-commit", "WritePairRecord", nil},
	} {
		t.Run(c.step, func(t *testing.T) {
			w := newTakeoverWorld(t)
			w.withWorkloads("payments")
			if c.broken == "WritePairRecord" { // the first one is before the name moves
				w.during["CheckPage"] = func() { w.fail["WritePairRecord"] = permanent("WritePairRecord", fault.Conflict) }
			} else {
				w.breaks(c.broken, fault.Conflict)
			}
			before := 0
			w.answers = func(g workflows.Gate) *workflows.Decision {
				if g.Question == "" {
					before = len(w.changes())
				}
				return nil
			}
			step, text := w.aborted(switchover)
			assert.Equal(t, "switchover."+c.step, step)
			assert.Contains(t, text, c.broken+" is broken")
			assert.Empty(t, w.changes()[before:])
			for _, call := range c.never {
				assert.NotContains(t, w.meant(), call)
			}
			assert.False(t, w.sides.plugins["east"].Installed)
			assert.Equal(t, "east", w.records["east"].Primary, "who looks later finds out what this run was about")
		})
	}
}

// A name that could not be moved because the server declined is not moved: an
// abort puts everything back.
func TestDeclinedChangeOfTheNameIsUndone(t *testing.T) {
	w := newTakeoverWorld(t)
	w.breaks("PointPlatform", fault.Refused) // TSIG
	step, _ := w.aborted(switchover)
	assert.Equal(t, "switchover.13-point-dns", step)
	w.untouched()
}

// So is one that did not accept the key, or met an alias; but not while a server
// may show the new address, and not when the change was lost on the way.
func TestChangeThatWasNotMadeIsUndone(t *testing.T) {
	for name, c := range map[string]struct {
		class fault.Class
		half  bool
		back  bool
	}{
		"key":       {fault.Auth, false, true},
		"alias":     {fault.Gate, false, true},
		"half":      {fault.Auth, true, false},
		"no answer": {fault.Unreachable, false, false},
		"stalled":   {fault.Stalled, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTakeoverWorld(t)
			w.doc.DR.Takeover.Fence = true
			w.breaks("PointPlatform", c.class)
			instead(w.world, "LookUpPlatform", func(activities.ClusterInput) any {
				return activities.PlatformAddress{Cluster: "west", Agreed: !c.half || !slices.Contains(w.where, "PointPlatform east")}
			})
			require.Error(t, w.take(switchover))
			if c.back {
				w.untouched()
				return
			}
			assert.False(t, w.sides.plugins["east"].Installed)
			assert.NotContains(t, w.meant(), "OpenPort west")
		})
	}
}

func TestAbortAfterThePointOfNoReturnSaysWhatStays(t *testing.T) {
	w := newTakeoverWorld(t)
	w.breaks("CheckPage", fault.Conflict)
	require.ErrorContains(t, w.take(switchover), "The point of no return, step switchover.13-point-dns, was passed: what was done stays")
}

func TestNobodyApprovesTheirOwnTakeover(t *testing.T) {
	w := newTakeoverWorld(t)
	w.after(time.Minute, func() {
		gate := w.status().Gate
		require.NotNil(t, gate)
		assert.Equal(t, "switchover.13-point-dns", gate.Step)
		assert.Equal(t, []workflows.Action{workflows.Approve, workflows.Abort}, gate.Actions)
		w.refused("asked for this run", workflows.Decision{Step: gate.Step, Action: workflows.Approve, By: " OPS ", Reason: "mine"})
		w.refused("possible", workflows.Decision{Step: gate.Step, Action: workflows.Skip, By: "boss", Reason: "no"})
		w.decide(workflows.Decision{Step: gate.Step, Action: workflows.Abort, By: "boss", Reason: "no"})
	})
	require.Error(t, w.runBook(switchover, takeoverRequest))
	assert.Equal(t, 2, w.rejections)
	w.untouched()

	w = newTakeoverWorld(t)
	r := takeoverRequest
	r.RequestedBy = ""
	require.ErrorContains(t, w.runBook(switchover, r), "requestedBy")
	assert.False(t, w.called("IdentifySides"))
}

func TestDryRunOfATakeoverOnlyReads(t *testing.T) {
	for _, book := range []string{switchover, failover} {
		w := newTakeoverWorld(t)
		w.dead = book == failover
		r := takeoverRequest
		r.DryRun = true
		require.NoError(t, w.runBook(book, r))
		assert.Empty(t, w.changes())
		assert.Empty(t, w.gates, "nobody is asked")
		assert.True(t, w.called("IdentifySides"))
	}
}

// No step that guards can be skipped, in either runbook.
func TestGuardsCantBeSkipped(t *testing.T) {
	for _, book := range []workflows.Runbook{workflows.SwitchoverBook, workflows.FailoverBook} {
		doc := thePair()
		doc.DR.Takeover.Fence = true
		doc.DR.Takeover.WorkloadClusters = []site.WorkloadCluster{{Name: "payments"}}
		plan, err := workflows.PlanOf(book, site.Snapshot{Name: "lab", Site: doc}, "east")
		require.NoError(t, err)
		for _, s := range plan.Steps {
			id := strings.TrimPrefix(s.ID, book.Verb+".")
			if slices.ContainsFunc([]string{"01", "06", "07", "09", "10", "11", "12", "13", "22"}, func(n string) bool { return strings.HasPrefix(id, n) }) {
				assert.False(t, s.Skippable, s.ID)
			}
			assert.Equal(t, strings.HasPrefix(id, "13"), s.PointOfNoReturn, s.ID)
			assert.NotEmpty(t, s.Calls, s.ID)
		}
		assert.True(t, slices.ContainsFunc(plan.Steps, func(s workflows.StepInfo) bool { return s.ID == book.Verb+".11-fence-6443" }))
		assert.True(t, slices.ContainsFunc(plan.Steps, func(s workflows.StepInfo) bool { return s.ID == book.Verb+".20-warlock-payments" }))
	}
}
