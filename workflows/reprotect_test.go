package workflows_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

// The whole of it after a failover that owed two ports.
func TestReprotectPaysCapturesAsksAndCopies(t *testing.T) {
	w := newReprotectWorld(t)
	w.away = 3
	w.owes(2379, 443)
	require.NoError(t, w.run())
	assert.Equal(t, "ClosePort east:2379, ClosePort east:443, capture, OpenPort east:443, "+
		"OpenPort west:2379, OpenPort east:2379, capture, InstallPlugin", w.history(),
		"what is owed comes first, the old side's ports are opened only after the approval, and the last capture is right before the copy")
	assert.Equal(t, []string{"west: 1 owed", "west: 0 owed", "west: 0 owed", "east: 0 owed"}, w.written)
	for _, side := range []string{"west", "east"} {
		r := w.sides[side].Record
		assert.Equal(t, []string{"west", "uid-west", "east", "uid-east", "reprotect"}, []string{r.Primary, r.PrimaryUID, r.Standby, r.StandbyUID, r.Mode}, side)
		assert.True(t, r.Since.After(takenOver))
	}
	p := w.status()
	assert.Equal(t, workflows.Succeeded, p.Outcome)
	require.NotNil(t, p.Recovery)
	assert.Equal(t, workflows.ModeReprotect, p.Recovery.Mode)
	assert.True(t, p.Recovery.RPO.Verified)
	assert.Contains(t, p.Recovery.RPO.Text, "12 keys were removed and 3 overwritten, captured in /var/lib/acpflow/safety/x/divergence.tsv on e1 (SHA-256 c4f7)")
	assert.Empty(t, p.Recovery.Owed)
	assert.Equal(t, w.done()[len(w.done())-4:], []string{"Prove", "RecordCheck", "WritePairRecord", "WritePairRecord"}, "a clean proof ends it")
	assert.Len(t, w.waits, 4)
	require.Len(t, w.taken, 2)
	assert.NotEqual(t, w.taken[0], w.taken[1], "no capture is taken for another")
}

// The question says what is lost, whose it is, and where it is kept.
func TestReprotectAsksWithTheNumbers(t *testing.T) {
	w := newReprotectWorld(t)
	require.NoError(t, w.run())
	require.Len(t, w.asked, 1, "nothing has grown since")
	for _, text := range []string{"east (UID uid-east) becomes the standby of west (UID uid-west)", "12 keys exist only on east and will be removed", "3 differ and get the value of west",
		"40 exist only on west", "/registry/configmaps/team/a", "the list /var/lib/acpflow/safety/x/divergence.tsv on e1 (SHA-256 c4f7)", "whole etcd, /var/lib/acpflow/safety/x/etcd.db on e2 (SHA-256 5a9c)", "by the failover of 2026-06-01 10:00:00 UTC"} {
		assert.Contains(t, w.asked[0], text)
	}
	assert.Contains(t, w.stepIn("reprotect.04-owed").Evidence.Summary, "not needed: no closed port is owed")
}

// After a failover by hand nothing is recorded, and the question says so.
func TestReprotectWithoutARecordSaysSo(t *testing.T) {
	w := newReprotectWorld(t)
	w.sides["west"].Record = nil
	require.NoError(t, w.run())
	assert.Contains(t, w.asked[0], "No takeover is recorded on west: only the platform's name says that it is the primary")
}

// A week of waiting: nothing else happens, and history grows by 48 rounds a day.
func TestReprotectWaitsForDaysWithFewEvents(t *testing.T) {
	const eventsOfARound = 6 // three of the activity, three of the workflow task after it
	w := newReprotectWorld(t)
	w.sides["east"].Reachable = false
	w.away = 7 * 48
	w.during["AwaitSide"] = func() {
		for _, changes := range []string{"ClosePort", "CaptureDivergence", "WritePairRecord", "InstallPlugin"} {
			assert.NotContains(t, w.calls, changes)
		}
	}
	require.NoError(t, w.run())
	require.Len(t, w.waits, 7*48+1)
	assert.Equal(t, 30*time.Minute, w.waits[0].For)
	assert.Equal(t, "east", w.waits[0].Cluster)
	assert.Len(t, w.waits[0].Site.Clusters, 1, "a round carries no more than it needs")
	perDay := int(24*time.Hour/w.waits[0].For) * eventsOfARound
	assert.Equal(t, 288, perDay)
	assert.Less(t, 14*perDay, 4096, "not even two weeks need a run that continues as new")
	assert.Contains(t, w.stepIn("reprotect.02-wait").Evidence.Summary, "337 rounds")
}

// What was created on the old side since the approval is asked about, once, and
// the newest capture is the one that counts.
func TestReprotectAsksAgainWhatNobodyCouldKnow(t *testing.T) {
	for _, answer := range []workflows.Action{workflows.Approve, workflows.Abort} {
		t.Run(string(answer), func(t *testing.T) {
			w := newReprotectWorld(t)
			w.captures[0].OldAt = 500
			later := w.captures[0]
			later.OnlyOld, later.Created, later.SHA256 = 14, 2, "9f3e"
			w.captures = append(w.captures, later)
			w.answers = []workflows.Action{workflows.Approve, answer}
			err := w.run()
			require.Len(t, w.asked, 2)
			assert.Contains(t, w.asked[1], "Since the approval 2 keys were created on east that only it has")
			assert.Contains(t, w.asked[1], "14 keys exist only on east")
			assert.Equal(t, int64(500), w.since[1])
			if answer == workflows.Abort {
				require.Error(t, err)
				assert.False(t, w.called("InstallPlugin"), "nothing is overwritten that was not approved")
				assert.False(t, w.open["east:2379"] || w.open["west:2379"], "an abort closes what the run has opened")
				return
			}
			require.NoError(t, err)
			assert.True(t, strings.HasSuffix(w.history(), "capture, capture, InstallPlugin"), "the answer has taken its time: %s", w.history())
			assert.Contains(t, w.status().Recovery.RPO.Text, "(SHA-256 9f3e)")
		})
	}
}

// What users change on the new side while people decide is no reason to ask again.
func TestReprotectAsksOnceWhileTheNewSideIsInUse(t *testing.T) {
	w := newReprotectWorld(t)
	later := w.captures[0]
	later.OnlyOld, later.Different = 20, 30 // deleted and changed on the new side
	w.captures = append(w.captures, later)
	require.NoError(t, w.run())
	assert.Len(t, w.asked, 1)
	assert.Contains(t, w.status().Recovery.RPO.Text, "20 keys were removed and 30 overwritten", "what is told is the last count")
}

// A failover back while people decide: the approval is worth nothing then.
func TestReprotectLooksAgainWhenItIsApproved(t *testing.T) {
	w := newReprotectWorld(t)
	w.during["CaptureDivergence"] = func() {
		w.answer["LookUpPlatform"] = func() any {
			return activities.PlatformAddress{Cluster: "east", Agreed: true, Answers: map[string][]string{"192.0.2.2": {"192.0.2.20"}}}
		}
	}
	w.refusedAt("reprotect.07-approve", "acp.example.com leads to east, so users work there")
	assert.Equal(t, "capture", w.history())
}

// One case per failing step: nothing after it runs, and an abort leaves the
// ports and the synchronizer as they were found.
func TestReprotectParksAtTheFailingStep(t *testing.T) {
	for _, c := range []struct{ broken, step, next string }{
		{"IdentifySides", "reprotect.01-roles", "AwaitSide"},
		{"LookUpPlatform", "reprotect.01-roles", "AwaitSide"},
		{"AwaitSide", "reprotect.02-wait", "LookUpOnNodes"},
		{"LookUpOnNodes", "reprotect.03-one-primary", "ClosePort"},
		{"ClosePort", "reprotect.04-owed", "CaptureDivergence"},
		{"WritePairRecord", "reprotect.04-owed", "CaptureDivergence"},
		{"CaptureDivergence", "reprotect.06-capture", "OpenPort"},
		{"LookAtPort", "reprotect.08-unfence-443", "OpenPort"},
		{"OpenPort", "reprotect.08-unfence-443", "CompareKeys"},
		{"CompareKeys", "sync.02-keys", "InstallPlugin"},
		{"InstallPlugin", "sync.07-install", "WaitFirstSync"},
		{"WaitFirstSync", "sync.09-first-sync", "RecreateSyncPod"},
		{"Prove", "sync.11-consistent", "ListServices"},
	} {
		t.Run(c.broken, func(t *testing.T) {
			w := newReprotectWorld(t)
			w.owes(2379)
			w.open["east:443"] = false // fenced
			w.breaks(c.broken, fault.Failed)
			w.after(2*time.Hour, func() {
				p := w.status()
				require.NotNil(t, p.Gate)
				assert.Equal(t, c.step, p.Gate.Step)
				assert.False(t, w.called(c.next), "%s must not run after %s failed", c.next, c.broken)
				assert.NotContains(t, p.Gate.Actions, workflows.Skip)
				w.mends(c.broken) // the undo needs some of them
				w.decide(workflows.Decision{Step: c.step, Action: workflows.Abort, By: "ops", Reason: "test"})
			})
			require.Error(t, w.run())
			assert.Equal(t, workflows.Aborted, w.status().Outcome)
			assert.False(t, w.open["east:443"], "the fence stands again")
			assert.False(t, w.open["west:2379"])
			assert.False(t, w.world.sides.plugins["east"].Installed)
			assert.False(t, w.called(c.next))
			assert.NotEqual(t, workflows.ModeReprotect, w.sides["west"].Record.Mode)
		})
	}
}

// What is paid is struck at once, so a run that ends in between owes the rest.
func TestReprotectStrikesEachDebtWhenItIsPaid(t *testing.T) {
	w := newReprotectWorld(t)
	w.owes(2379, 6443)
	w.during["WritePairRecord"] = func() { w.fail["ClosePort"] = permanent("ClosePort", fault.Gate) }
	w.refusedAt("reprotect.04-owed", "ClosePort is broken")
	assert.Equal(t, []string{"west: 1 owed"}, w.written)
	require.Len(t, w.sides["west"].Record.Owed, 1)
	assert.Equal(t, 6443, w.sides["west"].Record.Owed[0].Port)
	assert.Equal(t, takenOver, w.sides["west"].Record.Since, "the takeover's record, with less in it")
}

// Workload clusters are paid one by one; the one that is still away stays owed.
func TestReprotectRestartsWarlockWhereItIsOwed(t *testing.T) {
	w := newReprotectWorld(t)
	for _, name := range []string{"edge", "core"} {
		w.sides["west"].Record.Owed = append(w.sides["west"].Record.Owed, activities.Owed{Cluster: name, Action: activities.OwedWarlock, Why: "no route to host", Since: takenOver})
	}
	w.given["ListWarlock"] = func(raw json.RawMessage) any {
		if strings.Contains(string(raw), `"name":"edge"`) {
			return activities.Warlock{Evidence: activities.Evidence{Summary: "not installed"}}
		}
		return activities.Warlock{Installed: true, Pods: []kube.Pod{{Name: "warlock-0", UID: "warlock-uid"}}}
	}
	w.breaks("RestartWarlock", fault.Stalled)
	w.after(2*time.Hour, func() {
		p := w.status()
		require.NotNil(t, p.Gate)
		assert.Equal(t, "reprotect.05-owed-restarts", p.Gate.Step)
		w.decide(workflows.Decision{Step: p.Gate.Step, Action: workflows.Skip, By: "ops", Reason: "it is being rebuilt"})
	})
	require.NoError(t, w.run())
	require.Len(t, w.sides["east"].Record.Owed, 1)
	assert.Equal(t, "core", w.sides["east"].Record.Owed[0].Cluster)
	assert.Equal(t, w.sides["east"].Record.Owed, w.status().Recovery.Owed, "what is let go is said")
}

// A debt that this version does not know must not be forgotten.
func TestReprotectRefusesADebtItCannotPay(t *testing.T) {
	w := newReprotectWorld(t)
	w.sides["west"].Record.Owed = []activities.Owed{{Cluster: "east", Action: "sing", Since: takenOver}}
	w.refusedAt("reprotect.04-owed", "sing of east is owed, and this version does not know how to do that")
	assert.Empty(t, w.acted)
}

// A fenced side has no API at its VIP: it is looked at through its nodes.
func TestReprotectOfAFencedSide(t *testing.T) {
	w := newReprotectWorld(t)
	w.fenced = true
	for _, port := range []string{"east:443", "east:6443", "east:11443"} {
		w.open[port] = false
	}
	require.NoError(t, w.run())
	assert.True(t, w.open["east:443"] && w.open["east:6443"] && w.open["east:11443"])
	assert.Contains(t, w.asked[0], "east (UID uid-east)")
	assert.Equal(t, "uid-east", w.sides["west"].Record.StandbyUID)
}

// A run that is not approved has changed nothing.
func TestReprotectThatIsNotApproved(t *testing.T) {
	w := newReprotectWorld(t)
	w.open["east:443"] = false
	w.answers = []workflows.Action{workflows.Abort}
	require.Error(t, w.run())
	assert.Equal(t, "capture", w.history())
	assert.Empty(t, w.written)
}

// A second run finds what the first has done: nothing is asked when nothing is
// left to lose, and it goes on to the proof.
func TestReprotectGoesOnAfterAnEarlierRun(t *testing.T) {
	w := newReprotectWorld(t)
	w.world.sides.install("east", true)
	w.open["west:2379"], w.open["east:2379"] = true, true
	w.captures[0].OnlyOld, w.captures[0].Different = 0, 0
	require.NoError(t, w.run())
	assert.Empty(t, w.asked)
	assert.Contains(t, w.stepIn("reprotect.09-last-look").Evidence.Summary, "not needed: east carries the synchronizer already")
	assert.Equal(t, []string{"west: 0 owed", "east: 0 owed"}, w.written)
}

// The synchronizer of somebody else has not copied all yet: what it is about to
// remove is captured and asked about all the same.
func TestReprotectAsksAlsoWhenTheSynchronizerIsThere(t *testing.T) {
	w := newReprotectWorld(t)
	w.world.sides.install("east", true)
	require.NoError(t, w.run())
	assert.Len(t, w.asked, 1)
}

func TestReprotectPlan(t *testing.T) {
	plan, err := workflows.PlanOf(workflows.ReprotectBook, site.Snapshot{Name: "lab", Site: thePair()}, "east")
	require.NoError(t, err)
	var ids []string
	for _, s := range plan.Steps {
		ids = append(ids, s.ID)
		assert.False(t, s.Skippable && s.ID != "sync.12-services" && s.ID != "reprotect.05-owed-restarts", s.ID)
		assert.Equal(t, s.ID == "reprotect.07-approve" || s.ID == "reprotect.09-last-look", s.Strict, s.ID)
		if s.ID == "sync.07-install" {
			assert.Equal(t, workflows.Destructive, s.Effect)
		}
	}
	text := strings.Join(ids, " ")
	assert.Contains(t, text, "reprotect.09-last-look sync.07-install", "nothing comes between the last look and the copy")
	assert.Contains(t, text, "reprotect.07-approve reprotect.08-unfence-443")
	assert.True(t, strings.HasSuffix(text, "reprotect.20-proof reprotect.21-record"))
}
