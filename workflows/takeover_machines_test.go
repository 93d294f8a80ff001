package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/workflows"
)

// A Machine that stood in the lost site does not run, and nothing will make it: a
// person lets the first look pass and approves the rest with it before their eyes.
func TestFailoverGoesOnWithAMachineThatDoesNotRun(t *testing.T) {
	w := newTakeoverWorld(t).isDead()
	w.during["RemovePlugin"] = func() { w.machines["east"] = machinesOf("east", "1 of 3 not Running: m2") }
	w.answers = func(g workflows.Gate) *workflows.Decision {
		if g.Step == "failover.08-look-again" {
			return &workflows.Decision{Step: g.Step, Action: workflows.Skip, By: "boss", Reason: "m2 stood in the other site"}
		}
		return nil
	}
	require.NoError(t, w.take(failover))
	assert.Equal(t, "east", w.name)
	assert.Contains(t, w.asked("failover.13-point-dns"), "1 of 3 not Running: m2")
	assert.Empty(t, w.parked("failover.12-last-look"))
	assert.Contains(t, w.step("failover.12-last-look").Evidence.Summary, "1 of 3 not Running: m2")
}

// A Machine that has gone stays in what people are told, although a look let it pass.
func TestFailoverTellsOfAMachineThatHasGone(t *testing.T) {
	w := newTakeoverWorld(t).isDead()
	gone := false
	w.during["RemovePlugin"] = func() { gone = true }
	instead(w.world, "CheckMachines", func(in activities.MachinesInput) any {
		if !gone {
			return w.machines["east"]
		}
		view := activities.MachinesView{Evidence: activities.Evidence{Summary: "2 Machines of east"}, Total: 2, Digest: "2"}
		if in.Before != nil && in.Before.Total == 3 {
			view.Summary, view.Gone, view.Bad = "2 Machines of east: 1 gone: m3", []string{"m3"}, 1
		}
		return view
	})
	w.answers = func(g workflows.Gate) *workflows.Decision {
		if g.Step == "failover.08-look-again" {
			return &workflows.Decision{Step: g.Step, Action: workflows.Skip, By: "boss", Reason: "m3 is lost"}
		}
		return nil
	}
	require.NoError(t, w.take(failover))
	assert.Contains(t, w.asked("failover.13-point-dns"), "1 gone: m3")
	assert.Equal(t, workflows.Done, w.step("failover.21-soak").State, "it was approved")
}

// Machines that come back while people approve ask nobody again.
func TestFailoverAsksOnceWhenMachinesFareBetter(t *testing.T) {
	w := newTakeoverWorld(t).isDead()
	two := machinesOf("east", "")
	two.Summary, two.Bad, two.NotRunning = "3 Machines of east: 2 not Running: m1 Failed, m2 Failed", 2, []string{"m1 Failed", "m2 Failed"}
	w.during["RemovePlugin"] = func() { w.machines["east"] = two }
	asked := 0
	w.answers = func(g workflows.Gate) *workflows.Decision {
		if g.Step == "failover.08-look-again" {
			return &workflows.Decision{Step: g.Step, Action: workflows.Skip, By: "boss", Reason: "they will come back"}
		}
		if g.Step == "failover.13-point-dns" {
			require.NotEmpty(t, g.Question, g.Error)
			if asked++; asked == 1 {
				w.machines["east"] = machinesOf("east", "not Running: m2 Starting")
			}
		}
		return nil
	}
	require.NoError(t, w.take(failover))
	assert.Equal(t, 1, asked)
	assert.Equal(t, "east", w.name)
}

// What was approved is what was asked: Machines that fare worse since are asked about anew.
func TestFailoverAsksAgainWhenMachinesFareWorse(t *testing.T) {
	w := newTakeoverWorld(t).isDead()
	asked := 0
	w.answers = func(g workflows.Gate) *workflows.Decision {
		switch {
		case g.Step != "failover.13-point-dns":
			return nil
		case g.Question == "":
			return &workflows.Decision{Step: g.Step, Action: workflows.Retry, By: "boss"}
		}
		if asked++; asked == 1 {
			assert.NotContains(t, g.Question, "m3 is gone")
			w.machines["east"] = machinesOf("east", "m3 is gone")
			return nil
		}
		assert.Contains(t, g.Question, "m3 is gone")
		assert.Equal(t, "west", w.name, "nothing has moved")
		return nil
	}
	require.NoError(t, w.take(failover))
	assert.Contains(t, w.parked("failover.13-point-dns"), "since the question the Machines of east fare worse: ")
	assert.Equal(t, 2, asked)
	assert.Equal(t, "east", w.name)
}

// While people decide nobody looks whether the old side is still silent, and what is
// said of the data says so.
func TestRPOTellsWhenNobodyLooked(t *testing.T) {
	w := newTakeoverWorld(t).isDead()
	w.doc.DR.Takeover.DownFor = "5s"
	require.NoError(t, w.take(failover))
	assert.NotContains(t, w.asked("failover.02-unreachable"), "nobody looked")
	assert.Contains(t, w.asked("failover.13-point-dns"), "nobody looked whether west answers from ")
	assert.Contains(t, w.status().Recovery.RPO.Text, "vouches for that time")

	w = newTakeoverWorld(t).isDead()
	require.NoError(t, w.take(failover))
	assert.NotContains(t, w.status().Recovery.RPO.Text, "nobody looked", "a proof of silence takes no less")
}
