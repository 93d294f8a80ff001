package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/workflows"
)

// pollEvery is how often a followed run is asked where it stands.
const pollEvery = time.Second

type followOptions struct {
	json       bool          // print the final status as JSON instead of lines
	aside      bool          // lines on standard error: the caller prints the result
	limit      time.Duration // 0 = wait for ever
	stopAtGate bool          // exit 4 as soon as a person must decide
}

// moment is one look at a run.
type moment struct {
	id     string
	status *workflows.Progress // nil while no worker answers
	active []activities.Progress
	closed bool
}

// follow shows a run until it ends, needs a person, or the limit passes, and
// returns the exit code as an error.
func follow(cmd *cobra.Command, c client.Client, id string, o followOptions) error {
	ctx := cmd.Context()
	var limit <-chan time.Time // not a deadline of ctx: gRPC would report it as an error of its own
	if o.limit > 0 {
		limit = time.After(o.limit)
	}
	view := newView(cmd, o.json || o.aside)
	defer view.close()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		now, err := look(ctx, c, id)
		switch {
		case ctx.Err() != nil:
			return failf(exitWaitEnded, "stopped watching; the run goes on. acpflow watch %s shows it again", id)
		case err != nil:
			return err
		}
		view.show(now)
		if now.closed {
			view.close()
			return ended(cmd, c, id, now.status, o.json)
		}
		if o.stopAtGate && now.status != nil && now.status.Gate != nil {
			view.close()
			return parked(cmd, id, now.status, o.json)
		}
		select {
		case <-ctx.Done():
		case <-limit:
			return failf(exitWaitEnded, "the wait's limit passed; the run goes on. Fix: acpflow watch %s", id)
		case <-ticker.C:
		}
	}
}

// look describes and queries a run. A server or a worker that does not answer
// is no error: the run is durable and goes on when they are back.
func look(ctx context.Context, c client.Client, id string) (moment, error) {
	m := moment{id: id}
	dctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	desc, err := c.DescribeWorkflowExecution(dctx, id, "")
	if _, unknown := errors.AsType[*serviceerror.NotFound](err); unknown {
		return m, explain(ctx, c, id, err)
	}
	if err != nil {
		return m, nil
	}
	m.closed = desc.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	m.active = activeProgress(desc)
	if status, err := queryStatus(ctx, c, id); err == nil {
		m.status = status
	}
	return m, nil
}

func activeProgress(desc *workflowservice.DescribeWorkflowExecutionResponse) []activities.Progress {
	var out []activities.Progress
	for _, p := range desc.GetPendingActivities() {
		var progress activities.Progress
		payloads := p.GetHeartbeatDetails()
		if len(payloads.GetPayloads()) == 0 || converter.GetDefaultDataConverter().FromPayloads(payloads, &progress) != nil {
			continue
		}
		if progress.Text != "" || progress.Total > 0 {
			out = append(out, progress)
		}
	}
	return out
}

// Results of runs that did their work and found faults.
var (
	errNotFit   = errors.New("the nodes are not fit for an install")
	errNotEqual = errors.New("the pair is not consistent")
)

// ended reads the result of a closed run and turns it into an exit code.
func ended(cmd *cobra.Command, c client.Client, id string, status *workflows.Progress, asJSON bool) error {
	var result workflows.Progress
	ctx, cancel := context.WithTimeout(cmd.Context(), callTimeout)
	defer cancel()
	err := c.GetWorkflow(ctx, id, "").Get(ctx, &result)
	if err == nil {
		status = &result
	}
	if asJSON && status != nil {
		if err := printJSON(cmd.OutOrStdout(), status); err != nil {
			return err
		}
	}
	if !asJSON && status != nil {
		for _, line := range recoveryLines(status.Recovery) {
			printf(cmd.OutOrStdout(), "%s\n", line)
		}
	}
	if err == nil && result.Outcome == workflows.ChecksFailed && result.Sync != nil {
		t := result.Sync.Tally
		return failf(exitFailed, "%w: %d checks failed, %d could not be told", errNotEqual, t.Fail, t.Error)
	}
	if err == nil && result.Outcome == workflows.ChecksFailed {
		t := result.Checks.Nodes.Add(result.Checks.Together)
		return failf(exitFailed, "%w: %d checks failed, %d could not be told", errNotFit, t.Fail, t.Error)
	}
	return runError(err)
}

// runError maps how a run ended to the documented exit codes.
func runError(err error) error {
	if err == nil {
		return nil
	}
	if temporal.IsCanceledError(err) {
		return failf(exitAborted, "the run was cancelled")
	}
	if _, ok := errors.AsType[*temporal.TerminatedError](err); ok {
		return failf(exitAborted, "the run was terminated: nothing was undone")
	}
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok {
		return fail(exitFailed, err)
	}
	text := errors.New(app.Message())
	switch app.Type() {
	case workflows.ErrInvalidInput, string(fault.BadInput):
		return fail(exitBadInput, text)
	case workflows.ErrSiteBusy:
		return fail(exitSiteBusy, text)
	case workflows.ErrAborted:
		return fail(exitAborted, text)
	}
	return fail(exitFailed, text)
}

func parked(cmd *cobra.Command, id string, status *workflows.Progress, asJSON bool) error {
	if asJSON {
		if err := printJSON(cmd.OutOrStdout(), status); err != nil {
			return err
		}
	}
	g := status.Gate
	text := printable(g.Text())
	if q := quorumText(g); q != "" {
		text += "\n  " + q
	}
	return failf(exitParked, "step %s waits for a decision: %s\n  answer it:  %s", g.Step, text, decideHint(id, g))
}
