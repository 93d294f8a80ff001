package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"go.temporal.io/sdk/workflow"
)

// Action is an answer to a gate.
type Action string

// The answers. Abort is missing at a gate of an undo, where only forward is safe,
// unless a doubt holds the whole undo back. Approve is an answer to a question only.
const (
	Retry   Action = "retry"
	Skip    Action = "skip"
	Abort   Action = "abort"
	Approve Action = "approve"
)

// Gate is a step that waits for a person: because it failed, or because it may
// not act without an approval.
type Gate struct {
	Step     string `json:"step"`
	Undo     bool   `json:"undo,omitempty"`     // the undo of the step failed or is held back, not the step
	Error    string `json:"error,omitempty"`    // why it failed
	Question string `json:"question,omitempty"` // what is to be approved

	Actions []Action  `json:"actions"`
	Since   time.Time `json:"since"`

	Digest string `json:"digest,omitempty"` // of the question, see Quorum; an approval may quote it
	*Quorum
}

// Text is what the person is shown: the question, or why the step failed.
func (g *Gate) Text() string {
	if g.Question != "" {
		return g.Question
	}
	return g.Error
}

// Decision is the input of the `decide` Update.
type Decision struct {
	Step   string `json:"step"` // the gate it answers; refused when another one is open by now
	Action Action `json:"action"`
	By     string `json:"by"`
	Reason string `json:"reason,omitempty"` // demanded but for retry

	Digest    string `json:"digest,omitempty"`    // approve: of the question that the person saw; refused when another one is asked by now
	Signature string `json:"signature,omitempty"` // approve: not checked by this version, and so refused
}

// Decided is a decision with its time, for the record.
type Decided struct {
	Decision
	Asked  time.Time  `json:"asked,omitzero"` // when the gate was opened
	At     time.Time  `json:"at"`
	Error  string     `json:"error"`            // what the person saw: the error or the question
	Lapsed *time.Time `json:"lapsed,omitempty"` // an approval that came to nothing, because others did not follow in time
}

const decideHelp = `Answer the open decision gate. Input: {"step":"execute.02-upload","action":"retry","by":"your name","reason":"why"}. ` +
	`Actions: retry (after a failure), approve (where a step asks before it acts; needs a reason; the Update approve does the same), skip (needs a reason; only where the step allows it), abort (needs a reason; undoes what can be undone). The status query shows the open gate.`

// decisions holds the one open gate of a run and its answer.
type decisions struct {
	progress *Progress
	answer   *Decision
}

// register must run before the first blocking call: an early Update is refused otherwise.
func (d *decisions) register(ctx workflow.Context) error {
	err := workflow.SetUpdateHandlerWithOptions(ctx, DecideUpdate, d.accept, workflow.UpdateHandlerOptions{
		Validator:   d.validate,
		Description: decideHelp,
	})
	if err != nil {
		return err
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, ApproveUpdate,
		func(ctx workflow.Context, in Approval) (string, error) { return d.accept(ctx, in.decision()) },
		workflow.UpdateHandlerOptions{
			Validator:   func(ctx workflow.Context, in Approval) error { return d.validate(ctx, in.decision()) },
			Description: approveHelp,
		})
}

// validate keeps bad decisions out of history.
func (d *decisions) validate(_ workflow.Context, in Decision) error {
	gate := d.progress.Gate
	switch {
	case gate == nil:
		return fmt.Errorf("no decision is asked for now: the run is %s", d.progress.Outcome)
	case d.answer != nil:
		return fmt.Errorf("step %s was just answered with %q by %s", gate.Step, d.answer.Action, d.answer.By)
	case in.Step != gate.Step:
		return fmt.Errorf("the open gate is step %q, not %q", gate.Step, in.Step)
	case !slices.Contains(gate.Actions, in.Action):
		return fmt.Errorf("action %q is not possible for step %s; possible: %s", in.Action, gate.Step, joinActions(gate.Actions))
	case strings.TrimSpace(in.By) == "":
		return fmt.Errorf(`"by" is missing: say who decides`)
	case len(in.By) > 200 || len(in.Reason) > 2000 || strings.ContainsFunc(in.By+in.Reason, unicode.IsControl):
		return errors.New(`"by" may have 200 characters and "reason" 2000, on one line`)
	case in.Action != Retry && strings.TrimSpace(in.Reason) == "":
		return fmt.Errorf(`"reason" is missing: %s needs one`, in.Action)
	case in.Action == Approve:
		return gate.admits(in)
	}
	return nil
}

// accept only records the answer; the main coroutine acts on it.
func (d *decisions) accept(ctx workflow.Context, in Decision) (string, error) {
	gate, now := d.progress.Gate, workflow.Now(ctx)
	decided := Decided{Decision: in, Asked: gate.Since, At: now, Error: gate.Text()}
	d.progress.Decisions = append(d.progress.Decisions, decided)
	if in.Action == Approve && gate.Quorum != nil {
		d.lapse(now)
		gate.add(decided)
		if missing := gate.missing(); missing > 0 {
			showBoard(ctx, d.progress)
			return fmt.Sprintf("approve of step %s recorded for %s; %s must approve by %s, or it lapses",
				in.Step, in.By, more(missing), gate.Expires.UTC().Format(time.RFC3339)), nil
		}
	}
	d.answer = &in
	return fmt.Sprintf("%s of step %s recorded for %s", in.Action, in.Step, in.By), nil
}

// ask opens a gate and waits, without a deadline, for its answer. It fails only
// when ctx is cancelled.
func (d *decisions) ask(ctx workflow.Context, gate Gate) (Decision, error) {
	gate.Since = workflow.Now(ctx)
	before := d.progress.Outcome
	d.progress.Gate, d.progress.Outcome, d.answer = &gate, Waiting, nil
	showBoard(ctx, d.progress)
	upsertOutcome(ctx, Waiting)
	err := d.wait(ctx, &gate)
	d.progress.Gate, d.progress.Outcome = nil, before
	upsertOutcome(ctx, before)
	if err != nil {
		return Decision{}, err
	}
	answer := *d.answer
	d.answer = nil
	return answer, nil
}

// wait returns when the gate is answered. Approvals that lapse meanwhile are
// taken away, and the gate stays open.
func (d *decisions) wait(ctx workflow.Context, gate *Gate) error {
	answered := func() bool { return d.answer != nil && workflow.AllHandlersFinished(ctx) }
	for !answered() {
		due := gate.due()
		changed := func() bool { return answered() || d.answer == nil && !gate.due().Equal(due) }
		var err error
		if due.IsZero() {
			err = workflow.Await(ctx, changed)
		} else {
			_, err = workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
				Timeout:      due.Sub(workflow.Now(ctx)),
				TimerOptions: workflow.TimerOptions{Summary: "An approval of step " + gate.Step + " lapses"},
			}, changed)
			if d.answer == nil {
				d.lapse(workflow.Now(ctx))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func joinActions(actions []Action) string {
	words := make([]string, len(actions))
	for i, a := range actions {
		words[i] = string(a)
	}
	return strings.Join(words, ", ")
}
