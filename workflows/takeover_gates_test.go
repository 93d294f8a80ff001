package workflows_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/workflows"
)

// aborted runs a takeover that is aborted at its first failure and returns that.
func (w *takeoverWorld) aborted(book string) (step, text string) {
	w.t.Helper()
	err := w.take(book)
	var app *temporal.ApplicationError
	require.ErrorAs(w.t, err, &app)
	require.Equal(w.t, workflows.ErrAborted, app.Type(), "%v", err)
	for _, g := range w.gates {
		if g.Question == "" && !g.Undo {
			return g.Step, g.Error
		}
	}
	w.t.Fatal("nothing failed")
	return "", ""
}

func machinesOf(cluster, bad string) activities.MachinesView {
	return activities.MachinesView{Evidence: activities.Evidence{Summary: "3 Machines of " + cluster + ": 1 " + bad}, Total: 3, Digest: "d16e57", Bad: 1, NotRunning: []string{"m2 Failed"}}
}

// Whatever is not alike keeps the synchronizer where it is, and nobody can skip that.
func TestSwitchoverNeverRemovesOverADirtyCheck(t *testing.T) {
	for name, c := range map[string]struct {
		dirty func(*takeoverWorld)
		says  string
	}{
		"missed": {func(w *takeoverWorld) {
			w.answer["FetchCheck"] = func() any {
				return checkView("LOCAL ETCD missed keys: 2\n/registry/a\n/registry/b\nLOCAL ETCD surplus keys: 0\n")
			}
		}, "missed"},
		"surplus": {func(w *takeoverWorld) {
			w.answer["FetchCheck"] = func() any { return checkView("LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus keys: 1\n/registry/a\n") }
		}, "surplus"},
		"not understood": {func(w *takeoverWorld) { w.answer["FetchCheck"] = func() any { return checkView("all is fine\n") } }, "check"},
		"other values":   {func(w *takeoverWorld) { w.answer["Prove"] = func() any { return proven(0, 0, 1) } }, "1 different"},
		"an owner": {func(w *takeoverWorld) {
			w.answer["Prove"] = func() any { p := proven(0, 0, 0); p.Orphans = 1; return p }
		}, "1 owners that are not there"},
		"no proof":        {func(w *takeoverWorld) { w.answer["Prove"] = func() any { return etcd.Proof{} } }, ""},
		"a Machine here":  {func(w *takeoverWorld) { w.machines["east"] = machinesOf("east", "not Running") }, "not Running"},
		"a Machine there": {func(w *takeoverWorld) { w.machines["west"] = machinesOf("west", "being deleted") }, "Machines of west: 1 being deleted"},
		"no Machine":      {func(w *takeoverWorld) { w.machines["east"] = activities.MachinesView{Digest: "e3b0"} }, "no Machine at all on east"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTakeoverWorld(t)
			c.dirty(w)
			step, text := w.aborted(switchover)
			assert.Equal(t, "switchover.06-consistent", step)
			assert.Contains(t, text, "after 30m0s")
			assert.Contains(t, text, c.says)
			assert.Equal(t, []workflows.Action{workflows.Retry, workflows.Abort}, w.gates[0].Actions)
			assert.NotContains(t, w.meant(), "RemovePlugin east")
			assert.NotContains(t, w.meant(), "RecreateSyncPod east", "nothing is repaired here")
			w.untouched()
		})
	}
}

// What settles by itself needs nobody.
func TestSwitchoverWaitsUntilBothSidesAreAlike(t *testing.T) {
	w := newTakeoverWorld(t)
	looks := 0
	w.answer["FetchCheck"] = func() any {
		if looks++; looks < 4 {
			return checkView("LOCAL ETCD missed keys: 2\n/registry/a\n/registry/b\nLOCAL ETCD surplus keys: 0\n")
		}
		return checkView("LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus keys: 0\n")
	}
	require.NoError(t, w.take(switchover))
	assert.Equal(t, 4, looks)
	assert.Empty(t, w.parked("switchover.06-consistent"))
}

// In the moment of the removal a key may be on its way: then both sides are proven
// to be alike once more, and nobody is woken.
func TestRemovalIsTriedAgainWhenAKeyWasOnItsWay(t *testing.T) {
	w := newTakeoverWorld(t)
	tries := 0
	instead(w.world, "RemovePlugin", func(activities.RemoveSyncInput) any {
		if tries++; tries == 1 {
			return permanent("1 missed keys: RemovePlugin", fault.Gate)
		}
		w.sides.install("east", false)
		return activities.Evidence{Summary: "removed"}
	})
	require.NoError(t, w.take(switchover))
	assert.Empty(t, w.parked("switchover.07-remove-synchronizer"))
	assert.Equal(t, 2, tries)

	w = newTakeoverWorld(t)
	tries = 0
	instead(w.world, "RemovePlugin", func(activities.RemoveSyncInput) any { tries++; return permanent("prevented: RemovePlugin", fault.Gate) })
	step, text := w.aborted(switchover)
	assert.Equal(t, "switchover.07-remove-synchronizer", step)
	assert.Contains(t, text, "prevented")
	assert.Equal(t, 3, tries)
	w.untouched()
}

func TestSwitchoverStopsAtARedCard(t *testing.T) {
	w := newTakeoverWorld(t)
	instead(w.world, "CompareSides", func(activities.CompareInput) any {
		return activities.Comparison{Proof: pair.Of(proven(0, 0, 0)), Vendor: pair.Of(pair.Vendor{Missed: 2})}
	})
	step, text := w.aborted(switchover)
	assert.Equal(t, "switchover.02-readiness", step)
	assert.Contains(t, text, "the pair is not ready: DR-33")
	assert.False(t, w.called("SnapshotEtcd"))
	assert.Nil(t, w.status().Sync, "a card inside a takeover is not its verdict")
}

// The dead side's Machines can't be asked about; those here and the owners are a
// hard gate in a failover, too.
func TestFailoverNeverRemovesOverDanglingOwnersOrMachines(t *testing.T) {
	for name, c := range map[string]struct {
		broken func(*takeoverWorld)
		says   string
	}{
		"owners":   {func(w *takeoverWorld) { w.owners.Count, w.owners.Tail = 1, "m2 without its owner" }, "m2 without its owner"},
		"machines": {func(w *takeoverWorld) { w.machines["east"] = machinesOf("east", "not Running") }, "not Running"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTakeoverWorld(t).isDead()
			c.broken(w)
			step, text := w.aborted(failover)
			assert.Equal(t, "failover.06-last-good", step)
			assert.Contains(t, text, c.says)
			assert.Equal(t, []workflows.Action{workflows.Retry, workflows.Abort}, w.gates[len(w.gates)-1].Actions)
			assert.NotContains(t, w.meant(), "RemovePlugin east")
			assert.Empty(t, w.asked("failover.06-last-good"), "nobody is asked to approve what must not be done")
		})
	}
}

// The garbage collector after the uninstall: the run stops at once, before a port
// is closed, and an abort brings the synchronizer back.
func TestGarbageCollectionAfterTheUninstallParks(t *testing.T) {
	w := newTakeoverWorld(t)
	w.during["RemovePlugin"] = func() { w.machines["east"] = machinesOf("east", "gone since the last look: m2") }
	step, text := w.aborted(switchover)
	assert.Equal(t, "switchover.08-look-again", step)
	assert.Contains(t, text, "gone since the last look: m2")
	assert.NotContains(t, w.meant(), "ClosePort west")
	w.untouched()
	assert.Contains(t, w.step("switchover.07-remove-synchronizer").Evidence.Summary, "proven to hold the same")
	assert.Contains(t, w.meant()[len(w.meant())-1], "RestartServices", "the steps of enable-sync were done to their end")
}

// With a dead primary an abort brings no Machine back: a person may go on.
func TestFailoverMayGoOnWithAMachineLost(t *testing.T) {
	w := newTakeoverWorld(t).isDead()
	w.during["RemovePlugin"] = func() { w.machines["east"] = machinesOf("east", "gone since the last look: m2") }
	w.answers = func(g workflows.Gate) *workflows.Decision {
		if g.Step == "failover.08-look-again" {
			w.machines["east"] = activities.MachinesView{Total: 2, Digest: "2"} // what is left runs
			return &workflows.Decision{Step: g.Step, Action: workflows.Skip, By: "boss", Reason: "m2 is gone anyway"}
		}
		return nil
	}
	require.NoError(t, w.take(failover))
	assert.Equal(t, workflows.SkippedBy, w.step("failover.08-look-again").State)
	assert.Equal(t, "east", w.name)
}

// Between the looks and the steps that act days may pass at a gate.
func TestStepsThatActLookOnceMore(t *testing.T) {
	t.Run("a Machine stops before the uninstall", func(t *testing.T) {
		w := newTakeoverWorld(t)
		calls := 0
		instead(w.world, "CheckMachines", func(in activities.MachinesInput) any {
			if calls++; calls > 2 { // those of the proof
				return machinesOf(in.Cluster, "not Running")
			}
			return w.machines[in.Cluster]
		})
		step, _ := w.aborted(switchover)
		assert.Equal(t, "switchover.07-remove-synchronizer", step)
		assert.NotContains(t, w.meant(), "RemovePlugin east")
		w.untouched()
	})
	t.Run("a synchronizer comes while the name waits", func(t *testing.T) {
		w := newTakeoverWorld(t)
		w.answers = func(g workflows.Gate) *workflows.Decision {
			if g.Question != "" {
				w.sides.install("west", true)
				return &workflows.Decision{Step: g.Step, Action: workflows.Approve, By: "boss", Reason: "go"}
			}
			if g.Step == "switchover.13-point-dns" {
				w.sides.install("west", false)
			}
			return nil
		}
		step, text := w.aborted(switchover)
		assert.Equal(t, "switchover.13-point-dns", step)
		assert.Contains(t, text, "a synchronizer is on west")
		assert.NotContains(t, w.meant(), "PointPlatform east")
		w.untouched() // the name was never told to move, so an abort still undoes
	})
	t.Run("a port is opened while the name waits", func(t *testing.T) {
		w := newTakeoverWorld(t)
		w.answers = func(g workflows.Gate) *workflows.Decision {
			if g.Question != "" {
				w.open["west 2379"] = true
				return &workflows.Decision{Step: g.Step, Action: workflows.Approve, By: "boss", Reason: "go"}
			}
			return nil
		}
		step, text := w.aborted(switchover)
		assert.Equal(t, "switchover.13-point-dns", step)
		assert.Contains(t, text, "port 2379 of 192.0.2.10 (west) is open")
		assert.NotContains(t, w.meant(), "PointPlatform east")
		w.untouched()
	})
}

// The primary comes back: before the name moves that ends the failover, and an
// abort makes a copying pair of it again.
func TestPrimaryReturnsDuringAFailover(t *testing.T) {
	for step, before := range map[string]string{"06-last-good": "RemovePlugin", "12-last-look": "ClosePort", "13-point-dns": "WritePairRecord"} {
		t.Run(step, func(t *testing.T) {
			w := newTakeoverWorld(t).isDead()
			w.open = map[string]bool{"west 2379": true, "east 2379": true}
			w.during[before] = func() {
				w.dead = false
				delete(w.during, before)
				if before == "RemovePlugin" { // whose activity looks itself
					w.fail["RemovePlugin"] = permanent("RemovePlugin: west is back", fault.Gate)
				}
			}
			at, text := w.aborted(failover)
			assert.Contains(t, text, "west is back")
			assert.NotContains(t, w.meant(), "PointPlatform east")
			if step != "06-last-good" {
				assert.Equal(t, "failover."+step, at)
				assert.Contains(t, text, "acpflow switchover")
			}
			w.untouched()
		})
	}
}

// Once the name leads to the new side for somebody, only going on makes it lead to
// one side. A change that reached nobody is looked at like the first one.
func TestPrimaryReturnsWhileTheNameMoves(t *testing.T) {
	for name, half := range map[string]bool{"for some": true, "for nobody": false} {
		t.Run(name, func(t *testing.T) {
			w := newTakeoverWorld(t).isDead()
			tries := 0
			instead(w.world, "PointPlatform", func(in activities.PointInput) any {
				if tries++; tries == 1 {
					w.dead = false
					return permanent("a resolver is stale, and the name", fault.Stalled)
				}
				w.name = in.To
				return activities.Evidence{Summary: "points"}
			})
			instead(w.world, "LookUpPlatform", func(activities.ClusterInput) any {
				out := activities.PlatformAddress{Cluster: w.name, Answers: map[string][]string{"a": {"192.0.2.10"}, "b": {"192.0.2.10"}}}
				if half && tries > 0 {
					out.Answers["b"] = []string{"192.0.2.20"}
				}
				return out
			})
			w.answers = func(g workflows.Gate) *workflows.Decision {
				if g.Step == "failover.13-point-dns" && g.Question == "" && len(w.gates) < 5 {
					return &workflows.Decision{Step: g.Step, Action: workflows.Retry, By: "boss"}
				}
				return nil
			}
			err := w.take(failover)
			if !half {
				require.ErrorContains(t, err, "west is back")
				assert.Equal(t, 1, tries)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "east", w.name)
			approvals := 0
			for _, d := range w.status().Decisions {
				if d.Step == "failover.13-point-dns" && d.Action == workflows.Approve {
					approvals++
				}
			}
			assert.Equal(t, 1, approvals, "a retry of what was approved asks nobody again")
		})
	}
}

// The server declined the change; when it is tried again, much may have changed.
func TestDeclinedNameIsLookedAtAgain(t *testing.T) {
	w := newTakeoverWorld(t)
	w.breaks("PointPlatform", fault.Refused)
	w.answers = func(g workflows.Gate) *workflows.Decision {
		if g.Step == "switchover.13-point-dns" && g.Question == "" && strings.Contains(g.Error, "PointPlatform") {
			w.mends("PointPlatform")
			w.open["west 2379"] = true
			return &workflows.Decision{Step: g.Step, Action: workflows.Retry, By: "boss"}
		}
		return nil
	}
	_, _ = w.aborted(switchover)
	assert.Contains(t, w.gates[len(w.gates)-1].Error, "port 2379 of 192.0.2.10 (west) is open")
	w.untouched()
}

// After an abort of a failover nothing can be proven, and the run says so.
func TestAbortedFailoverSaysThatNothingIsProven(t *testing.T) {
	w := newTakeoverWorld(t).isDead()
	w.breaks("WritePairRecord", fault.Conflict)
	w.aborted(failover)
	summary := w.step("failover.07-remove-synchronizer").Evidence.Summary
	assert.Contains(t, summary, "NOTHING is proven: west is away")
	assert.True(t, w.sides.plugins["east"].Installed)
	assert.False(t, w.called("WaitFirstSync"))
	assert.NotContains(t, w.records, "east")
}

// What was installed before the run is put back in that version.
func TestAbortPutsTheSameVersionBack(t *testing.T) {
	w := newTakeoverWorld(t)
	published := w.sides.plugins["east"]
	w.during["RemovePlugin"] = func() {
		w.sides.version = "v4.3.0"
		w.fail["WritePairRecord"] = permanent("WritePairRecord", fault.Conflict)
	}
	w.answer["ReadPlugin"] = func() any {
		v := w.sides.plugins[w.target]
		v.Published = []string{"v4.3.0", published.Version}
		return v
	}
	w.aborted(switchover)
	assert.Contains(t, string(w.sides.inputs["InstallPlugin"]), `"version":"v4.1.0"`)
}

// The document restarts Elasticsearch on 401 and runs the script again; a few
// times only.
func TestTemplateScriptIsRunAgainAfter401(t *testing.T) {
	w := newTakeoverWorld(t)
	w.script = 2
	require.NoError(t, w.take(switchover))
	assert.Contains(t, w.step("switchover.03-elasticsearch").Evidence.Summary, "at try 3")

	w = newTakeoverWorld(t)
	w.script = 99
	step, text := w.aborted(switchover)
	assert.Equal(t, "switchover.03-elasticsearch", step)
	assert.Contains(t, text, "401 3 times")
	assert.Equal(t, 2, strings.Count(strings.Join(w.changes(), " "), "RestartServices"))

	w = newTakeoverWorld(t)
	w.pods = map[string][]kube.Pod{}
	require.NoError(t, w.take(switchover))
	assert.False(t, w.called("RunTemplateScript"))
	assert.ElementsMatch(t, []string{"Elasticsearch", "VictoriaMetrics", "cluster transformer"}, w.status().Recovery.NotInstalled)
}

func TestIdentifyRefusesTheWrongWayRound(t *testing.T) {
	for name, c := range map[string]struct {
		book   string
		broken func(*takeoverWorld)
		says   string
	}{
		"no synchronizer": {switchover, func(w *takeoverWorld) { w.sides.install("east", false) }, "acpflow enable-sync --cluster east"},
		"on the primary":  {switchover, func(w *takeoverWorld) { w.sides.install("west", true) }, "west carries the synchronizer"},
		"done already":    {switchover, func(w *takeoverWorld) { w.sides.install("east", false); w.name = "east" }, "acpflow reprotect --cluster west"},
		"name elsewhere":  {switchover, func(w *takeoverWorld) { w.name = "" }, "leads to neither"},
		"primary alive":   {failover, func(*takeoverWorld) {}, "west answers"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTakeoverWorld(t)
			c.broken(w)
			step, text := w.aborted(c.book)
			assert.Regexp(t, `\.0[12]-(identify|unreachable)$`, step)
			assert.Contains(t, text, c.says)
			assert.Empty(t, w.changes())
		})
	}
}
