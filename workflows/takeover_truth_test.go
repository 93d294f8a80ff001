package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/workflows"
)

// An old side that came back and was fenced may have been written to meanwhile: it is
// proven down anew, and what people are told of the data counts that time.
func TestRPOCountsTheTimeInWhichThePrimaryWasBack(t *testing.T) {
	w := newTakeoverWorld(t).isDead()
	w.open = map[string]bool{"west 2379": true, "east 2379": true}
	proofs := 0
	instead(w.world, "ProveUnreachable", func(activities.UnreachableInput) any {
		proofs++
		return activities.Evidence{Summary: "silent"}
	})
	w.during["WritePairRecord"] = func() { w.dead = false; delete(w.during, "WritePairRecord") }
	back := 0
	w.answers = func(g workflows.Gate) *workflows.Decision {
		if g.Step == "failover.13-point-dns" && g.Question == "" {
			if back++; back < 10 { // nobody fences it for minutes
				return &workflows.Decision{Step: g.Step, Action: workflows.Retry, By: "boss"}
			}
			w.dead = true
			return &workflows.Decision{Step: g.Step, Action: workflows.Retry, By: "boss"}
		}
		return nil
	}
	require.NoError(t, w.take(failover))
	assert.Equal(t, 2, proofs, "one silent moment is not enough after it was back")
	r := w.status().Recovery
	assert.GreaterOrEqual(t, r.RPO.UnknownSeconds, (9 * time.Minute).Seconds())
	assert.NotContains(t, r.RPO.Text, "in the 1m0s after")
}

// An RTO says what it leaves out.
func TestRTOSaysWhatItLeavesOut(t *testing.T) {
	w := newTakeoverWorld(t)
	w.breaks("CheckPage", fault.Conflict)
	w.answers = func(g workflows.Gate) *workflows.Decision {
		if g.Step == "switchover.16-page" {
			return &workflows.Decision{Step: g.Step, Action: workflows.Skip, By: "boss", Reason: "seen in a browser"}
		}
		return nil
	}
	require.NoError(t, w.take(switchover))
	r := w.status().Recovery
	assert.Contains(t, r.RTO.Note, "steps were skipped: switchover.16-page")
	assert.Contains(t, r.Lines()[1], r.RTO.Note)

	w = newTakeoverWorld(t)
	require.NoError(t, w.take(switchover))
	assert.Empty(t, w.status().Recovery.RTO.Note)

	w = newTakeoverWorld(t).isDead()
	require.NoError(t, w.take(failover))
	assert.Contains(t, w.status().Recovery.RTO.Note, "from the start of the run")

	w = terminated(t, "switchover")
	require.NoError(t, w.take(switchover))
	assert.Contains(t, w.status().Recovery.RTO.Note, "not of the one that it finishes")
}

// Behind a fence users can't write: what they lack is the platform, and whoever is
// asked must know.
func TestLastQuestionSaysThatUsersAreOut(t *testing.T) {
	w := newTakeoverWorld(t)
	w.doc.DR.Takeover.Fence = true
	require.NoError(t, w.take(switchover))
	assert.Contains(t, w.asked("switchover.13-point-dns"), "USERS ARE WITHOUT THE PLATFORM")
	assert.NotContains(t, w.asked("switchover.13-point-dns"), "what users write to west while this waits")
}

// An undo that could not install the synchronizer does not say that it has.
func TestAbortedFailoverDoesNotClaimASynchronizer(t *testing.T) {
	w := newTakeoverWorld(t).isDead()
	w.breaks("WritePairRecord", fault.Conflict)
	w.breaks("InstallPlugin", fault.Failed)
	w.aborted(failover)
	s := w.step("failover.07-remove-synchronizer")
	assert.NotEqual(t, workflows.Undone, s.State)
	assert.Contains(t, s.Error, "NOT undone, boss")
}

// What an earlier run owes a workload cluster is paid by a restart.
func TestRestartedWarlockIsNotOwedAnyMore(t *testing.T) {
	w := newTakeoverWorld(t)
	w.withWorkloads("payments")
	w.records["east"] = activities.PairRecord{Primary: "west", PrimaryUID: "uid-west", Standby: "east", StandbyUID: "uid-east", Mode: "reprotect",
		Owed: []activities.Owed{{Cluster: "payments", Action: activities.OwedWarlock}, {Cluster: "billing", Action: activities.OwedWarlock}}}
	require.NoError(t, w.take(switchover))
	require.Len(t, w.records["east"].Owed, 1)
	assert.Equal(t, "billing", w.records["east"].Owed[0].Cluster)
}

// A run that found no synchronizer can't put one back, and says what is missing.
func TestAbortOfASecondFailoverSaysThatNothingIsCopied(t *testing.T) {
	w := newTakeoverWorld(t).isDead()
	w.sides.install("east", false)
	w.breaks("WritePairRecord", fault.Conflict)
	w.aborted(failover)
	assert.Contains(t, w.step("failover.07-remove-synchronizer").Evidence.Summary, "NOTHING is copied to it")
}

// Who approves after days has another number before their eyes than what is true by
// then: the name does not move on that, and is asked about again.
func TestLateApprovalIsAskedAgainWhenMoreWouldBeLost(t *testing.T) {
	for name, c := range map[string]struct {
		drift int
		waits time.Duration
		asks  int
	}{
		"more was written":        {500, 72 * time.Hour, 2},
		"nothing more":            {3, 72 * time.Hour, 1},
		"more, but soon answered": {500, 20 * time.Minute, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTakeoverWorld(t)
			proofs := 0
			w.answer["Prove"] = func() any {
				switch proofs++; proofs {
				case 1:
					return w.proof(0, 0, 0)
				case 2:
					return w.proof(3, 0, 0)
				}
				return w.proof(c.drift, 0, 0)
			}
			asks := 0
			var poll func()
			poll = func() {
				gate := w.status().Gate
				switch {
				case gate == nil:
				case gate.Question == "":
					assert.Contains(t, gate.Error, "500 keys")
					assert.NotContains(t, w.meant(), "PointPlatform east")
					w.decide(workflows.Decision{Step: gate.Step, Action: workflows.Retry, By: "boss"})
				case asks == 0 && w.env.Now().Sub(gate.Since) < c.waits: // nobody has time
				default:
					asks++
					w.decide(workflows.Decision{Step: gate.Step, Action: workflows.Approve, By: "boss", Reason: "go"})
				}
				if !w.env.IsWorkflowCompleted() {
					w.after(5*time.Minute, poll)
				}
			}
			w.after(5*time.Minute, poll)
			require.NoError(t, w.runBook(switchover, takeoverRequest))
			assert.Equal(t, c.asks, asks)
			assert.Equal(t, "east", w.name)
		})
	}
}
