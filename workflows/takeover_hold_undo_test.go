package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/workflows"
)

// A run that is cancelled can't go on: nothing is taken back until a person has
// answered the undo's own gate.
func TestUndoOfACancelledTakeoverAsksFirst(t *testing.T) {
	known := []workflows.Action{workflows.Retry, workflows.Skip}
	doubt := []workflows.Action{workflows.Retry, workflows.Skip, workflows.Abort}
	for name, c := range map[string]struct {
		to      servers
		actions []workflows.Action
		answer  workflows.Action
		undone  bool
	}{
		"leave it":              {servers{"east", "east"}, known, workflows.Skip, false},
		"pointed back":          {servers{"east", "west"}, known, workflows.Retry, true},
		"silent":                {servers{}, doubt, workflows.Abort, true},
		"silent, and leave it":  {servers{}, doubt, workflows.Skip, false},
		"silent, and then back": {servers{}, doubt, workflows.Retry, true},
	} {
		t.Run(name, func(t *testing.T) {
			w, now := held(t, failover)
			w.during["WritePairRecord"] = func() {
				delete(w.during, "WritePairRecord")
				*now = c.to
				w.env.CancelWorkflow()
			}
			left := w.turns("failover.07-remove-synchronizer", func(g workflows.Gate) workflows.Action {
				assert.True(t, g.Undo)
				assert.Equal(t, c.actions, g.Actions)
				assert.Contains(t, g.Error, "this run can't go on: retry looks again; skip ends it and leaves everything as it is")
				w.nothingTakenBack()
				if c.answer == workflows.Retry {
					*now = servers{"west", "west"}
				}
				return c.answer
			})
			err := w.take(failover)
			assert.True(t, temporal.IsCanceledError(err), "%v", err)
			assert.Zero(t, *left)
			if c.undone {
				w.untouched()
				return
			}
			w.nothingTakenBack()
			assert.Contains(t, w.step("failover.10-close-new").Error, "NOT undone, boss: test (it was held back: ")
		})
	}
}

// A cancellation is no word on a doubt, also of a run whose abort has just been refused
// for it: whoever cancels need not have read that.
func TestCancellationAfterARefusedAbortIsNoWord(t *testing.T) {
	w, now := held(t, failover)
	undo := workflows.Gate{}
	w.answers = func(g workflows.Gate) *workflows.Decision {
		d := workflows.Decision{Step: g.Step, Action: workflows.Abort, By: "boss", Reason: "test"}
		switch {
		case g.Undo:
			undo, d.Action = g, workflows.Skip
			w.nothingTakenBack()
		case g.Step != "failover.13-point-dns":
			return nil
		}
		*now = servers{}
		return &d
	}
	for minute := 1; minute < 60; minute++ {
		w.after(time.Duration(minute)*time.Minute, func() {
			if g := w.status().Gate; g != nil && strings.Contains(g.Error, "NOT aborted") {
				w.env.CancelWorkflow()
				return
			}
			w.answerGate()
		})
	}
	assert.Error(t, w.runBook(failover, takeoverRequest))
	assert.Contains(t, undo.Actions, workflows.Abort, "a person may still say so")
	w.nothingTakenBack()
}

// Neither can one that asks nobody, and nobody's abort is no word.
func TestUndoOfATakeoverThatAsksNobodyAsksAllTheSame(t *testing.T) {
	for name, to := range map[string]servers{"moved": {"east", "east"}, "silent": {}} {
		t.Run(name, func(t *testing.T) {
			w, now := held(t, switchover)
			w.during["WritePairRecord"] = func() { *now = to }
			left := w.turns("switchover.07-remove-synchronizer", func(g workflows.Gate) workflows.Action {
				assert.True(t, g.Undo)
				w.nothingTakenBack()
				return workflows.Skip
			})
			for minute := 1; minute < 10; minute++ {
				w.after(time.Duration(minute)*time.Minute, w.answerGate)
			}
			request := takeoverRequest
			request.OnFailure = workflows.OnFailureAbort
			require.ErrorContains(t, w.runBook(switchover, request), "aborted by the request (onFailure: abort)")
			assert.Zero(t, *left)
			w.nothingTakenBack()
		})
	}
}
