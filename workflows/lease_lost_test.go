package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/workflows"
)

// endLease does what somebody does who ends the site's lease by hand.
func (w *world) endLease() { w.env.CancelWorkflowByID(workflows.LeaseID("lab"), "") }

// lostIn demands the end of a run whose lease was ended, and returns its text.
func lostIn(t *testing.T, err error) string {
	t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.Equal(t, workflows.ErrSiteBusy, app.Type(), "%v", err)
	assert.Contains(t, app.Message(), "ended from outside and another run may change the site now")
	return app.Message()
}

// An undo that waits for a person stops, too, and says how far it came.
func TestParkedUndoStopsWhenTheLeaseIsEnded(t *testing.T) {
	w := newWorld(t)
	w.after(time.Hour, w.endLease)
	w.breaks("RunSetup", fault.Failed)
	w.breaks("RemoveExtractedPackage", fault.Failed)
	w.after(time.Minute, func() {
		w.decide(workflows.Decision{Step: w.status().Gate.Step, Action: workflows.Abort, By: "me", Reason: "test"})
	})
	asked := false
	w.after(30*time.Minute, func() {
		gate := w.status().Gate
		require.NotNil(t, gate)
		asked = gate.Undo && gate.Step == "execute.03-extract"
	})
	text := lostIn(t, w.run(request))
	assert.True(t, asked, "the undo waited for a person")
	assert.Contains(t, text, "in the middle of its undo. Undone: execute.05-setup. NOT undone, or only in part: execute.03-extract. NOT undone: execute.02-upload. Fix:")
	assert.False(t, w.called("RemoveUploadedPackage"))
	p := w.status()
	assert.Equal(t, workflows.FailedRun, p.Outcome)
	assert.Nil(t, p.Gate, "nobody is asked any more")
	for id, says := range map[string]string{"execute.02-upload": "NOT undone: the site's lease was ended", "execute.03-extract": "NOT undone, or only in part"} {
		assert.Contains(t, stepOf(t, p, id).Error, says)
	}
}

// In the middle of an undo that is being tried again, too: the next try would act.
func TestUndoThatActsStopsWhenTheLeaseIsEnded(t *testing.T) {
	w := newWorld(t)
	w.breaks("RunSetup", fault.Failed)
	tries := 0
	w.answer["RemoveInstaller"] = func() any {
		tries++
		return temporal.NewApplicationError("the node is busy", string(fault.Unreachable))
	}
	w.after(time.Minute, func() {
		w.decide(workflows.Decision{Step: w.status().Gate.Step, Action: workflows.Abort, By: "me", Reason: "test"})
	})
	w.after(time.Minute+time.Second, w.endLease)
	text := lostIn(t, w.run(request))
	assert.Contains(t, text, "in the middle of its undo. NOT undone, or only in part: execute.05-setup. NOT undone: execute.03-extract, execute.02-upload. Fix:")
	assert.Equal(t, 1, tries)
	assert.False(t, w.called("RemoveExtractedPackage"))
	assert.False(t, w.called("RemoveUploadedPackage"))
}

// Whoever answers the gate in the very moment in which the lease goes undoes nothing
// more, or, where the answer is known before the loss, what it begins at once alone.
func TestAnswerThatComesWithTheEndOfTheLeaseUndoesNothingMore(t *testing.T) {
	for _, action := range []workflows.Action{workflows.Retry, workflows.Skip} {
		t.Run(string(action), func(t *testing.T) {
			w := newWorld(t)
			w.breaks("RunSetup", fault.Failed)
			w.breaks("RemoveInstaller", fault.Failed)
			w.after(time.Minute, func() {
				w.decide(workflows.Decision{Step: w.status().Gate.Step, Action: workflows.Abort, By: "me", Reason: "test"})
			})
			before := 0
			w.after(2*time.Minute, func() {
				gate := w.status().Gate
				require.True(t, gate.Undo)
				before = len(w.done())
				w.endLease()
				w.decide(workflows.Decision{Step: gate.Step, Action: action, By: "me", Reason: "test"})
			})
			text := lostIn(t, w.run(request))
			assert.Regexp(t, `NOT undone.*execute\.02-upload`, text)
			assert.False(t, w.called("RemoveUploadedPackage"))
			assert.LessOrEqual(t, len(w.done())-before, 1, "%v", w.done())
		})
	}
}

// A takeover that was parked in its undo touches neither port nor synchronizer once
// another run may have moved the name.
func TestParkedUndoOfATakeoverStopsWhenTheLeaseIsEnded(t *testing.T) {
	w := newTakeoverWorld(t).isDead()
	w.after(2*time.Hour, w.endLease)
	w.breaks("PointPlatform", fault.Refused)
	w.breaks("OpenPort", fault.Failed)
	for minute := 1; minute < 60; minute++ {
		w.after(time.Duration(minute)*time.Minute, func() {
			if g := w.status().Gate; g != nil && !g.Undo { // nobody answers that of the undo
				w.answerGate()
			}
		})
	}
	text := lostIn(t, w.runBook(failover, takeoverRequest))
	assert.Contains(t, text, "Undone: failover.12-record. NOT undone, or only in part: failover.10-close-new. NOT undone: failover.09-close-old, failover.07-remove-synchronizer")
	assert.NotContains(t, w.meant(), "InstallPlugin")
	assert.False(t, w.sides.plugins["east"].Installed)
}

func stepOf(t *testing.T, p workflows.Progress, id string) workflows.StepProgress {
	t.Helper()
	for _, s := range p.Steps {
		if s.ID == id {
			return s
		}
	}
	require.Fail(t, "no step", id)
	return workflows.StepProgress{}
}
