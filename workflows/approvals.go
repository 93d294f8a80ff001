package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/site"
)

// Approval is the input of the `approve` Update.
type Approval struct {
	Step      string `json:"step"` // the gate it answers; refused when another one is open by now
	By        string `json:"by"`
	Reason    string `json:"reason"`
	Digest    string `json:"digest,omitempty"`    // of the question that the person saw; refused when another one is asked by now
	Signature string `json:"signature,omitempty"` // not checked by this version, and so refused
}

const approveHelp = `Approve what the open gate asks. Input: {"step":"switchover.13-point-dns","by":"your name","reason":"why","digest":"of the gate"}. ` +
	`Where the site's policy.approvals apply, it must not come from who asked for the run, as many different people must approve as the gate says, and an approval lapses after a while. ` +
	`The digest may be left out; when it is given, nothing but that very question is approved. The status query shows the open gate. To refuse: Update decide with action abort.`

func (a Approval) decision() Decision {
	return Decision{Step: a.Step, Action: Approve, By: a.By, Reason: a.Reason, Digest: a.Digest, Signature: a.Signature}
}

// NamedRequester demands that a request says who asked: where approvals are
// strict, that person must not give one. It fits Runbook.Demands.
func NamedRequester(r Request) error {
	if strings.TrimSpace(r.RequestedBy) == "" && !r.DryRun {
		return errors.New(`"requestedBy" is missing: who asks for this run may not approve it, so it must be known`)
	}
	return nil
}

// demands refuses a run with strict approvals that nobody has asked for by name, and
// one that too few people could approve: it would be found out when copying has ended.
func demands(steps []Step, rules site.Approvals, r Request) error {
	if !slices.ContainsFunc(steps, func(s Step) bool { return s.Strict && s.Ask != nil }) {
		return nil
	}
	if err := NamedRequester(r); err != nil {
		return invalidInput(err)
	}
	if r.DryRun || len(rules.Approvers) == 0 {
		return nil
	}
	others := slices.DeleteFunc(slices.Clone(rules.Approvers), func(name string) bool { return samePerson(name, r.RequestedBy) })
	if len(others) < rules.Need() {
		return invalidInput(fmt.Errorf("%d of policy.approvals.approvers must approve and nobody who asked for the run may: without %s only %s can, so the last step could never be approved. Have somebody else start it, or name more approvers in the site document",
			rules.Need(), r.RequestedBy, orNobody(others)))
	}
	return nil
}

func orNobody(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}

// consent gets the approval that a step asks for. The action is empty when the
// step may act, else it is the answer: skip or abort.
func (r *run) consent(ctx workflow.Context, i int) (Action, error) {
	ask := r.steps[i].Ask
	if ask == nil {
		return "", nil
	}
	question, err := ask(ctx)
	if err != nil || question == "" {
		return "", err
	}
	decision, err := r.approve(ctx, i, question)
	if err != nil || decision.Action == Approve {
		return "", err
	}
	if decision.Action == Abort {
		if refusal := r.mayAbort(ctx); refusal != nil {
			return "", refusal
		}
	}
	return decision.Action, nil
}

// declined is the end of a step that may not act.
func (r *run) declined(state *StepProgress, answer Action) error {
	if answer == Skip {
		return nil
	}
	return r.aborted(state)
}

// approve asks before the step acts. Where nobody can be asked, nothing is
// approved: the step is skipped if it may be, else the run ends.
func (r *run) approve(ctx workflow.Context, i int, question string) (Decision, error) {
	state := &r.progress.Steps[i]
	gate := Gate{Step: state.ID, Question: question, Actions: []Action{Approve}, Digest: questionDigest(&r.progress, state.ID, question)}
	if state.Strict {
		gate.Quorum = newQuorum(r.approvals, r.progress.Request.RequestedBy)
	}
	if state.Skippable {
		gate.Actions = append(gate.Actions, Skip)
	}
	gate.Actions = append(gate.Actions, Abort)
	var decision Decision
	if r.progress.Request.OnFailure == OnFailureAbort {
		decision = Decision{Step: state.ID, Action: gate.Actions[1], By: nobody, Reason: "no person is asked, so nothing is approved"}
		now := workflow.Now(ctx)
		r.progress.Decisions = append(r.progress.Decisions, Decided{Decision: decision, Asked: now, At: now, Error: question})
	} else {
		state.State = Parked
		var err error
		if decision, err = r.gates.ask(ctx, gate); err != nil {
			return Decision{}, err
		}
	}
	switch decision.Action {
	case Approve:
		state.State = Running
	case Skip:
		r.end(ctx, state, SkippedBy, nil, fmt.Sprintf("skipped by %s: %s", decision.By, decision.Reason))
	default:
		r.end(ctx, state, NotRun, nil, "not approved: "+question)
	}
	showBoard(ctx, &r.progress)
	return decision, nil
}
