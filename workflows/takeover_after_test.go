package workflows_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/workflows"
)

// retries answers failures of a step with retry, after mend.
func (w *takeoverWorld) retries(step string, mend func()) {
	w.answers = func(g workflows.Gate) *workflows.Decision {
		if g.Step != step || g.Question != "" {
			return nil
		}
		mend()
		return &workflows.Decision{Step: g.Step, Action: workflows.Retry, By: "boss"}
	}
}

// coredns is restarted only while Pods get the old address, and never more often
// than the site allows, however often a person retries.
func TestCoreDNSIsRestartedABoundedNumberOfTimes(t *testing.T) {
	restarts := func(w *takeoverWorld) int { return w.restarted(activities.CoreDNS.Selector) }
	w := newTakeoverWorld(t)
	counted := w.countRestarts()
	w.stale = 2
	require.NoError(t, w.take(switchover))
	assert.Equal(t, 2, restarts(w), "%v", counted)
	assert.Contains(t, w.step("switchover.15-pods").Evidence.Summary, "coredns was restarted 2 times")

	w = newTakeoverWorld(t)
	w.countRestarts()
	w.stale = 5
	tries := 0
	w.retries("switchover.15-pods", func() { tries++ })
	require.NoError(t, w.take(switchover))
	assert.Equal(t, 3, restarts(w), "the site's most")
	assert.Equal(t, 2, tries, "a retry only looks again")
	assert.Contains(t, w.parked("switchover.15-pods"), "Pods still do not see it, after 3 restarts of coredns: they answer 192.0.2.10")

	w = newTakeoverWorld(t)
	w.countRestarts()
	instead(w.world, "LookUpInPod", func(activities.PodLookupInput) any {
		return activities.PodLookup{Absent: true, Why: "there is no sentry"}
	})
	w.answers = func(g workflows.Gate) *workflows.Decision {
		if g.Step == "switchover.15-pods" {
			return &workflows.Decision{Step: g.Step, Action: workflows.Skip, By: "boss", Reason: "seen in another Pod"}
		}
		return nil
	}
	require.NoError(t, w.take(switchover))
	assert.Zero(t, restarts(w), "no answer is no stale answer")
	assert.Contains(t, w.parked("switchover.15-pods"), "there is no sentry")
}

// countRestarts keeps the groups that are restarted.
func (w *takeoverWorld) countRestarts() *[]activities.ServicesInput {
	w.restarts = &[]activities.ServicesInput{}
	instead(w.world, "RestartServices", func(in activities.ServicesInput) any {
		*w.restarts = append(*w.restarts, in)
		return activities.Evidence{Summary: "restarted"}
	})
	return w.restarts
}

func (w *takeoverWorld) restarted(selector string) int {
	n := 0
	for _, in := range *w.restarts {
		for _, g := range in.Groups {
			if g.Selector == selector {
				n++
			}
		}
	}
	return n
}

// A workload cluster that can't be reached is owed; one that refuses parks; none
// holds up the others.
func TestWorkloadClustersDontWaitForOneAnother(t *testing.T) {
	w := newTakeoverWorld(t)
	w.withWorkloads("away", "broken", "fine")
	mended := false
	instead(w.world, "ListWarlock", func(in activities.WorkloadInput) any {
		switch {
		case in.Name == "away":
			return unreachable("away")
		case in.Name == "broken" && !mended:
			return permanent("the kubeconfig", fault.Auth)
		}
		return activities.Warlock{Installed: true, Pods: []kube.Pod{{Namespace: "m", Name: "w", UID: in.Name}}}
	})
	w.retries("switchover.20-warlock-broken", func() {
		assert.Contains(w.t, w.changes(), "RestartWarlock", "fine was done meanwhile")
		mended = true
	})
	require.NoError(t, w.take(switchover))
	r := w.status().Recovery
	require.Len(t, r.Owed, 1)
	assert.Equal(t, activities.Owed{Cluster: "away", Action: activities.OwedWarlock, Why: "away: no route to host", Since: r.Owed[0].Since}, r.Owed[0])
	assert.Equal(t, workflows.Done, w.step("switchover.20-warlock-away").State)
	assert.Equal(t, r.Owed, w.records["east"].Owed)
	assert.Equal(t, r.Owed, w.records["west"].Owed, "a switchover tells the old side, too")
	assert.Contains(t, r.Restarted, "m/w fine of fine")
	assert.Contains(t, w.step("switchover.22-commit").Evidence.Summary, "owed: restart-warlock of away")
}

// What earlier runs owe and nobody has paid is not forgotten; what this run has
// closed is paid.
func TestDebtsOfEarlierRunsStay(t *testing.T) {
	w := newTakeoverWorld(t)
	w.records["east"] = activities.PairRecord{Primary: "west", PrimaryUID: "uid-west", Standby: "east", StandbyUID: "uid-east", Mode: "reprotect", Owed: []activities.Owed{
		{Cluster: "east", Action: activities.OwedClosePort, Port: 2379}, {Cluster: "payments", Action: activities.OwedWarlock}}}
	require.NoError(t, w.take(switchover))
	require.Len(t, w.records["east"].Owed, 1)
	assert.Equal(t, "payments", w.records["east"].Owed[0].Cluster)
}

// An abort writes back what the side remembered before.
func TestAbortPutsTheEarlierRecordBack(t *testing.T) {
	w := newTakeoverWorld(t)
	earlier := activities.PairRecord{Primary: "west", PrimaryUID: "uid-west", Standby: "east", StandbyUID: "uid-east", Mode: "reprotect", Since: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	w.records["east"] = earlier
	w.breaks("PointPlatform", fault.Refused)
	w.aborted(switchover)
	back := w.records["east"]
	assert.Equal(t, []string{"west", "reprotect"}, []string{back.Primary, back.Mode})
	assert.True(t, back.Since.After(earlier.Since), "an older record would not be written over a newer one")
}

// The soak looks again and again, and what goes wrong in it parks.
func TestSoakWatchesForAsLongAsTheSiteSays(t *testing.T) {
	w := newTakeoverWorld(t)
	require.NoError(t, w.take(switchover))
	s := w.step("switchover.21-soak")
	assert.GreaterOrEqual(t, s.Ended.Sub(*s.Started), time.Minute)
	assert.Contains(t, s.Evidence.Summary, "13 looks over 1m0s")

	w = newTakeoverWorld(t)
	w.doc.DR.Takeover.Soak = "0s"
	require.NoError(t, w.take(switchover))
	assert.Contains(t, w.step("switchover.21-soak").Evidence.Summary, "1 looks")

	w = newTakeoverWorld(t)
	w.during["CheckPage"] = func() { w.machines["east"] = machinesOf("east", "being deleted") }
	step, text := w.aborted(switchover)
	assert.Equal(t, "switchover.21-soak", step)
	assert.Contains(t, text, "being deleted")
	assert.Equal(t, "east", w.name)
	assert.NotContains(t, w.records, "west", "nothing is committed")
}

// The RTO ends before the soak, and counts people apart.
func TestRTOEndsWhenUsersHaveThePlatform(t *testing.T) {
	w := newTakeoverWorld(t).isDead()
	require.NoError(t, w.take(failover))
	p := w.status()
	rto := p.Recovery.RTO
	require.NotNil(t, rto)
	soak := w.step("failover.21-soak")
	assert.InDelta(t, soak.Started.Sub(p.Started).Seconds(), rto.TotalSeconds, 1)
	assert.Greater(t, rto.WaitingSeconds, 60.0, "two approvals, each a minute late")
	assert.InDelta(t, rto.TotalSeconds, rto.DetectionSeconds+rto.WaitingSeconds+rto.MachineSeconds, 0.01)
}

// Before the name moves people hear how much would be lost by it.
func TestSwitchoverSaysWhatWasWrittenSinceBothWereEqual(t *testing.T) {
	w := newTakeoverWorld(t)
	var asked []activities.ProveInput
	instead(w.world, "Prove", func(in activities.ProveInput) any {
		if asked = append(asked, in); len(asked) > 1 {
			return w.proof(3, 2, 1)
		}
		return w.proof(0, 0, 0)
	})
	delete(w.answer, "Prove")
	require.NoError(t, w.take(switchover))
	assert.Contains(t, w.asked("switchover.13-point-dns"), "since then 3 keys that west has are not on east, and 1 are different there")
	assert.Contains(t, w.asked("switchover.13-point-dns"), "2 keys are on east only: deleted on west since")
	require.GreaterOrEqual(t, len(asked), 3, "and once more right before it moves")
	require.NotNil(t, asked[1].Since)
	assert.Equal(t, int64(70), asked[1].Since.Primary.Revision)
	r := w.status().Recovery
	assert.True(t, r.RPO.Verified, "what is lost is known")
	assert.Positive(t, r.RPO.UnknownSeconds)
	assert.NotContains(t, r.Title, workflows.Unverified)

	w = newTakeoverWorld(t)
	calls := 0
	w.answer["Prove"] = func() any {
		if calls++; calls > 1 {
			return permanent("etcd of west", fault.Failed)
		}
		return w.proof(0, 0, 0)
	}
	require.NoError(t, w.take(switchover), "it forbids nothing")
	r = w.status().Recovery
	assert.False(t, r.RPO.Verified)
	assert.Contains(t, r.Title, workflows.Unverified)
	assert.Contains(t, r.RPO.Text, "could not be told: etcd of west is broken")
}

// A balancer that a person must change is asked about in a switchover, and owed
// where it stands on a side that is down.
func TestManualBalancers(t *testing.T) {
	w := newTakeoverWorld(t)
	for i := range w.doc.Clusters {
		w.doc.Clusters[i].Balancer = nil
	}
	w.answers = func(g workflows.Gate) *workflows.Decision {
		if cluster, ok := map[string]string{"switchover.09-close-old": "west", "switchover.10-close-new": "east"}[g.Step]; ok {
			assert.Contains(t, g.Question, "2379")
			w.open[cluster+" 2379"] = false
			return &workflows.Decision{Step: g.Step, Action: workflows.Approve, By: "ops", Reason: "done"}
		}
		return nil
	}
	require.NoError(t, w.take(switchover))
	assert.NotEmpty(t, w.asked("switchover.09-close-old"))

	w = newTakeoverWorld(t).isDead()
	w.doc.Clusters[0].Balancer = nil
	delete(w.open, "west 2379")
	require.NoError(t, w.take(failover))
	assert.Empty(t, w.asked("failover.09-close-old"), "nobody is sent to a machine that is down")
	require.Len(t, w.status().Recovery.Owed, 1)
	assert.Contains(t, w.status().Recovery.Owed[0].Why, "a person must do it")
}

// A port that nobody could close is closed after all when its side answers again
// before the step is over; then nothing is owed.
func TestPaidDebtIsForgotten(t *testing.T) {
	w := newTakeoverWorld(t).isDead()
	looks := 0
	instead(w.world, "LookAtPort", func(in activities.PortInput) any {
		if in.Cluster == "west" {
			if looks++; looks == 1 {
				return permanent("the reload", fault.Failed)
			}
		}
		return activities.PortState{Port: in.Port, Configured: w.open[fmt.Sprintf("%s %d", in.Cluster, in.Port)]}
	})
	w.retries("failover.09-close-old", func() {})
	require.NoError(t, w.take(failover))
	assert.Empty(t, w.status().Recovery.Owed)
	assert.Contains(t, w.meant(), "ClosePort west")
}

// A failover that ended half-way, or one that was done, can be run again.
func TestFailoverCanBeRunAgain(t *testing.T) {
	w := newTakeoverWorld(t).isDead()
	w.sides.install("east", false)
	w.open, w.name = map[string]bool{}, "east"
	w.records["east"] = activities.PairRecord{Primary: "east", PrimaryUID: "uid-east", Standby: "west", StandbyUID: "uid-west", Mode: "failover"}
	require.NoError(t, w.take(failover))
	assert.Contains(t, w.asked("failover.02-unreachable"), "west (cluster uid-west)", "the record still knows it")
	assert.Equal(t, "east", w.records["east"].Primary)
}

// A retry looks anew, but what an abort puts back is what was there at first: half
// a change must not be taken for how things were.
func TestUndoIsHeldAgainstTheFirstSight(t *testing.T) {
	t.Run("a port that was closed, and then the step failed", func(t *testing.T) {
		w := newTakeoverWorld(t)
		tries := 0
		instead(w.world, "ClosePort", func(in activities.PortInput) any {
			w.open[fmt.Sprintf("%s %d", in.Cluster, in.Port)] = false
			if tries++; in.Cluster == "west" && tries < 3 {
				return permanent("what listens there", fault.Failed)
			}
			return activities.Evidence{Summary: "closed"}
		})
		w.retries("switchover.09-close-old", func() {})
		w.breaks("WritePairRecord", fault.Conflict)
		step, _ := w.aborted(switchover)
		assert.Equal(t, "switchover.09-close-old", step)
		assert.Equal(t, 2, w.step("switchover.09-close-old").Tries)
		assert.Equal(t, workflows.Undone, w.step("switchover.09-close-old").State)
		w.untouched()
	})
	t.Run("a synchronizer that went, and then the step failed", func(t *testing.T) {
		w := newTakeoverWorld(t)
		tries := 0
		instead(w.world, "RemovePlugin", func(activities.RemoveSyncInput) any {
			w.sides.install("east", false)
			if tries++; tries == 1 {
				return permanent("its lease is still there", fault.Stalled)
			}
			return activities.Evidence{Summary: "not installed"}
		})
		w.retries("switchover.07-remove-synchronizer", func() {})
		w.breaks("WritePairRecord", fault.Conflict)
		step, _ := w.aborted(switchover)
		assert.Equal(t, "switchover.07-remove-synchronizer", step)
		assert.Contains(t, w.step("switchover.07-remove-synchronizer").Evidence.Summary, "proven to hold the same")
		w.untouched()
	})
	t.Run("Machines are read anew at each try", func(t *testing.T) {
		w := newTakeoverWorld(t)
		good := w.machines["east"]
		w.during["RemovePlugin"] = func() { w.machines["east"] = machinesOf("east", "not Running") }
		w.retries("switchover.08-look-again", func() { w.machines["east"] = good })
		require.NoError(t, w.take(switchover))
		assert.Equal(t, 2, w.step("switchover.08-look-again").Tries)
	})
}

// An undo that fails asks, too, and never lets the run end half undone by itself.
func TestFailedUndoAsks(t *testing.T) {
	w := newTakeoverWorld(t)
	w.breaks("WritePairRecord", fault.Conflict)
	w.answers = func(g workflows.Gate) *workflows.Decision {
		switch {
		case !g.Undo && g.Question == "":
			w.fail["InstallPlugin"] = permanent("InstallPlugin", fault.Stalled)
		case g.Undo:
			w.mends("InstallPlugin")
			return &workflows.Decision{Step: g.Step, Action: workflows.Retry, By: "boss"}
		}
		return nil
	}
	w.aborted(switchover)
	last := w.gates[len(w.gates)-1]
	assert.True(t, last.Undo)
	assert.Equal(t, "switchover.07-remove-synchronizer", last.Step)
	assert.Equal(t, []workflows.Action{workflows.Retry, workflows.Skip}, last.Actions)
	w.untouched()
}

// A cancelled run puts back what an aborted one does.
func TestCancelledTakeoverIsUndone(t *testing.T) {
	w := newTakeoverWorld(t)
	w.after(time.Minute/2, func() {
		require.Equal(t, "switchover.13-point-dns", w.status().Gate.Step)
		w.env.CancelWorkflow()
	})
	err := w.runBook(switchover, takeoverRequest)
	assert.True(t, temporal.IsCanceledError(err), "%v", err)
	w.untouched()
}

// A load balancer that lives on without its VIP: the port can be taken out of its
// configuration, but nobody can see it closed. That is owed; one that is open is not.
func TestSilentVIPOfADeadSideHoldsUpNobody(t *testing.T) {
	for name, open := range map[string]bool{"silent": false, "open": true} {
		t.Run(name, func(t *testing.T) {
			w := newTakeoverWorld(t).isDead()
			instead(w.world, "ClosePort", func(in activities.PortInput) any {
				w.open[fmt.Sprintf("%s %d", in.Cluster, in.Port)] = open && in.Cluster == "west"
				if in.Cluster == "west" {
					return permanent("could not tell whether the port is closed: closePort", fault.Gate)
				}
				return activities.Evidence{Summary: "closed"}
			})
			if open {
				step, _ := w.aborted(failover)
				assert.Equal(t, "failover.09-close-old", step)
				assert.NotContains(t, w.meant(), "PointPlatform east")
				return
			}
			require.NoError(t, w.take(failover))
			require.Len(t, w.records["east"].Owed, 1)
			assert.Equal(t, 2379, w.records["east"].Owed[0].Port)
			assert.Contains(t, w.step("failover.09-close-old").Evidence.Summary, "NOT closed, but owed")
		})
	}
}
