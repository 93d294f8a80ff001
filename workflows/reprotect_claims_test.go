package workflows_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/workflows"
)

// byHand is a pair whose failover to west was made by hand: acpflow's last word, on
// the sides named, is that east is the primary.
func byHand(t *testing.T, mode string, sides ...string) *reprotectWorld {
	w := newReprotectWorld(t)
	w.sides["west"].Record = nil
	for _, side := range sides {
		w.sides[side].Record = &activities.PairRecord{Primary: "east", PrimaryUID: "uid-east", Standby: "west", StandbyUID: "uid-west",
			Since: takenOver, Run: "reprotect/lab/west r1", Mode: mode, Done: mode != workflows.ModeReprotect}
	}
	return w
}

// What acpflow wrote before a failover by hand is no dead end: people are asked
// whether it is the older one, and the records are true again in the end.
func TestReprotectAsksAboutRecordsOlderThanATakeoverByHand(t *testing.T) {
	for name, sides := range map[string][]string{"on both sides": {"west", "east"}, "on the new primary": {"west"}, "on the old one": {"east"}} {
		t.Run(name, func(t *testing.T) {
			w := byHand(t, workflows.ModeReprotect, sides...)
			w.away = 2
			require.NoError(t, w.run())
			require.Len(t, w.asked, 1)
			for _, text := range []string{"BUT the record on " + strings.Join(sides, " and ") + " says that east (UID uid-east) is the primary since 2026-06-01 10:00:00 UTC, by the reprotect of run reprotect/lab/west r1",
				"older than a takeover that was made by hand, by which west (UID uid-west) is the primary in place of east (UID uid-east)?", "abort then", "12 keys exist only on east"} {
				assert.Contains(t, w.asked[0], text)
			}
			assert.NotContains(t, w.asked[0], "nothing has been copied to west")
			assert.Equal(t, "reprotect.07-approve", w.status().Decisions[0].Step)
			assert.Contains(t, w.stepIn("reprotect.01-roles").Evidence.Summary, "a record says otherwise")
			for _, side := range []string{"west", "east"} {
				r := w.sides[side].Record
				assert.Equal(t, []string{"west", "uid-west", "east", "uid-east", "reprotect"}, []string{r.Primary, r.PrimaryUID, r.Standby, r.StandbyUID, r.Mode}, side)
				assert.True(t, r.Since.After(takenOver))
			}
		})
	}
}

// Nobody approves that alone, and who says no finds everything as it was.
func TestReprotectChangesNothingWhileTheOlderRecordIsInDoubt(t *testing.T) {
	w := byHand(t, workflows.ModeFailover, "west", "east")
	w.fenced, w.open["east:443"] = true, false
	w.answers = []workflows.Action{workflows.Abort}
	w.during["CaptureDivergence"] = func() {
		w.after(30*time.Second, func() {
			gate := w.status().Gate
			require.NotNil(t, gate)
			assert.Equal(t, []workflows.Action{workflows.Approve, workflows.Abort}, gate.Actions)
			w.refused("asked for this run", workflows.Decision{Step: gate.Step, Action: workflows.Approve, By: "ops", Reason: "mine"})
		})
	}
	require.Error(t, w.run())
	assert.Contains(t, w.asked[0], "nothing has been copied to west since", "a takeover by east made no standby of west")
	assert.Equal(t, "capture", w.history())
	assert.Empty(t, w.written)
	assert.Equal(t, 1, w.rejections)
}

// What an older record owes is of other roles: a port of the side on which users
// work is not closed. A restart is never wrong, and stays owed.
func TestReprotectDoesNotPayThePortsOfAnOlderRecord(t *testing.T) {
	w := byHand(t, workflows.ModeFailover, "west", "east")
	for _, side := range []string{"west", "east"} {
		w.sides[side].Record.Owed = []activities.Owed{{Cluster: "west", Action: activities.OwedClosePort, Port: 443, Since: takenOver},
			{Cluster: "edge", Action: activities.OwedWarlock, Since: takenOver}}
	}
	require.NoError(t, w.run())
	assert.NotContains(t, w.history(), "ClosePort")
	assert.NotContains(t, w.history(), "RestartWarlock", "nothing is changed before the approval")
	require.Len(t, w.sides["east"].Record.Owed, 1)
	assert.Equal(t, "edge", w.sides["east"].Record.Owed[0].Cluster)
	assert.Equal(t, w.sides["east"].Record.Owed, w.status().Recovery.Owed)
}

// A port of the new primary that a failover could not close is needed by now: by the
// synchronizer, or by users. It is not closed, and owed no more when all is done.
func TestReprotectStrikesWhatThePrimaryNeeds(t *testing.T) {
	for _, answer := range []workflows.Action{workflows.Approve, workflows.Abort} {
		w := newReprotectWorld(t)
		w.owes(2379)
		for _, port := range []int{2379, 443} {
			w.open[fmt.Sprintf("west:%d", port)] = true
			w.sides["west"].Record.Owed = append(w.sides["west"].Record.Owed, activities.Owed{Cluster: "west", Action: activities.OwedClosePort, Port: port, Since: takenOver})
		}
		w.answers = []workflows.Action{answer}
		err := w.run()
		assert.Contains(t, w.history(), "ClosePort east:2379, capture")
		assert.NotContains(t, w.history(), "ClosePort west")
		if answer == workflows.Abort {
			require.Error(t, err)
			assert.Len(t, w.sides["west"].Record.Owed, 2, "the port is open, so it stays owed")
			continue
		}
		require.NoError(t, err)
		assert.Empty(t, w.sides["west"].Record.Owed)
		assert.Contains(t, w.stepIn("reprotect.21-record").Evidence.Summary, "struck, because west needs it as the primary: close-port 2379 of west, close-port 443 of west")
	}
}

// An approval is worth nothing for records that were not there when it was asked for.
func TestReprotectAsksAgainWhenTheRecordsChange(t *testing.T) {
	for _, at := range []string{"reprotect.07-approve", "reprotect.09-last-look"} {
		t.Run(at, func(t *testing.T) {
			w := byHand(t, workflows.ModeReprotect, "east")
			captures, last := 0, map[string]int{"reprotect.07-approve": 1, "reprotect.09-last-look": 2}[at]
			w.during["CaptureDivergence"] = func() {
				if captures++; captures == last && captures > 1 {
					w.rerecorded()
				}
			}
			poll := func() {
				gate := w.status().Gate
				require.NotNil(t, gate)
				require.Empty(t, gate.Question)
				assert.Equal(t, at, gate.Step)
				assert.Contains(t, gate.Error, "have changed since people were asked: BUT the record on east says that east (UID uid-east) is the primary since 2026-06-02 10:00:00 UTC, by the failover of run f2, which did not come to its end")
				assert.False(t, w.called("InstallPlugin"))
				w.decide(workflows.Decision{Step: gate.Step, Action: workflows.Retry, By: "boss"})
			}
			if last == 1 {
				w.after(30*time.Second, w.rerecorded)
			}
			w.after(20*time.Minute, poll)
			w.after(2*time.Hour, w.env.CancelWorkflow) // what asks nobody waits for ever
			require.NoError(t, w.run())
			require.Len(t, w.asked, 2)
			assert.Contains(t, w.asked[1], "by the failover of run f2")
			assert.Equal(t, "west", w.sides["east"].Record.Primary)
		})
	}
}

// rerecorded is another run, which another acpflow did on the old side.
func (w *reprotectWorld) rerecorded() {
	w.sides["east"].Record = &activities.PairRecord{Primary: "east", PrimaryUID: "uid-east", Standby: "west", StandbyUID: "uid-west", Since: takenOver.AddDate(0, 0, 1), Run: "f2", Mode: workflows.ModeFailover}
}

// A second run finds the synchronizer that the first was allowed to install, and no
// true record yet: who approves must still say that the record is the older one.
func TestReprotectAsksAboutAnOlderRecordAlsoWhenItGoesOn(t *testing.T) {
	w := byHand(t, workflows.ModeReprotect, "west", "east")
	w.world.sides.install("east", true)
	w.open["west:2379"], w.open["east:2379"] = true, true
	w.captures[0].OnlyOld, w.captures[0].Different = 0, 0
	require.NoError(t, w.run())
	require.Len(t, w.asked, 1)
	assert.Contains(t, w.asked[0], "by the reprotect of run")
}

// An older record is left to people only where nothing else speaks for the old side.
func TestReprotectKeepsRefusingBesideAnOlderRecord(t *testing.T) {
	address := func(a activities.PlatformAddress) func(*reprotectWorld) {
		return func(w *reprotectWorld) { w.answer["LookUpPlatform"] = func() any { return a } }
	}
	for name, c := range map[string]struct {
		change func(*reprotectWorld)
		step   string
		says   []string
	}{
		"the name leads to the old side": {address(activities.PlatformAddress{Cluster: "east", Agreed: true}), "reprotect.01-roles", []string{"leads to east, so users work there", "acpflow reprotect --cluster west", "Leave the name where the newest data is"}},
		"one server differs":             {address(activities.PlatformAddress{Cluster: "west", Contradicted: true}), "reprotect.01-roles", []string{"not every name server says that"}},
		"one server is silent":           {address(activities.PlatformAddress{Cluster: "west"}), "reprotect.03-one-primary", []string{"not every name server says that"}},
		"the new side is a standby":      {func(w *reprotectWorld) { w.world.sides.install("west", true) }, "reprotect.01-roles", []string{"west carries the synchronizer"}},
		"it is of other clusters": {func(w *reprotectWorld) { w.sides["west"].Record.PrimaryUID = "uid-other" }, "reprotect.01-roles",
			[]string{"east (uid-other) is the primary", "which are not these clusters", "delete configmap acpflow-pair   # on west"}},
		"both claim": {func(w *reprotectWorld) {
			w.sides["west"].Record = &activities.PairRecord{Primary: "west", PrimaryUID: "uid-west", Standby: "east", StandbyUID: "uid-east", Since: takenOver, Mode: workflows.ModeFailover}
		}, "reprotect.01-roles", []string{"both sides answer as the primary", "acpflow reprotect --cluster west", "delete configmap acpflow-pair   # on east"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := byHand(t, workflows.ModeReprotect, "west", "east")
			c.change(w)
			w.refusedAt(c.step, c.says...)
			assert.Empty(t, w.acted)
			assert.Empty(t, w.written)
			assert.NotContains(t, w.status().Decisions[0].Error, "point it at")
		})
	}
}
