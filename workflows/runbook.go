package workflows

import (
	"encoding/json"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/site"
)

// Runbook is a workflow seen as its ordered list of steps.
type Runbook struct {
	Name    string // workflow type
	Verb    string // the CLI's word for it, also in the workflow id
	Changes bool   // holds the site's lease while it runs
	Pair    bool   // needs a site with two clusters that protect each other (DR-01)
	Roles   bool   // of a pair: observes who is who, so no cluster need be named
	// Steps builds the list from the site alone; it does no I/O and is also
	// what `acpflow plan` calls.
	Steps func(s *site.Site, c *site.Cluster, out *Progress) []Step
	// Demands refuses a request that lacks what this book needs; nil = nothing more.
	Demands func(Request) error
}

// Accepts reports why the book can't run on a request. Errors are non-retryable
// InvalidInput.
func (b Runbook) Accepts(r Request) error {
	if b.Demands == nil {
		return nil
	}
	if err := b.Demands(r); err != nil {
		return invalidInput(err)
	}
	return nil
}

// run is one execution of a runbook.
type run struct {
	book      Runbook
	progress  Progress
	gates     decisions
	steps     []Step
	approvals site.Approvals
	passed    int // steps up to and with the last point of no return that was reached
	held      *lease
	leaseLost bool // somebody ended the site's lease: another run may change the site now
	back      *wayBack
	hold      error // why the last abort was refused, since a step was begun
	cleared   bool  // nothing holds the undo back
}

// execute is the body of every runbook workflow.
func execute(ctx workflow.Context, book Runbook, raw converter.RawValue) (*Progress, error) {
	r := &run{book: book}
	r.progress = Progress{Runbook: book.Name, Outcome: InProgress, Started: workflow.Now(ctx), Steps: []StepProgress{}}
	r.gates = decisions{progress: &r.progress}
	if err := r.handlers(ctx); err != nil {
		return nil, err
	}
	return r.finish(ctx, r.begun(ctx, raw))
}

// begun reads input and site, takes the site's lease if the book changes
// anything, and does the steps.
func (r *run) begun(ctx workflow.Context, raw converter.RawValue) error {
	req, err := decodeRequest(raw)
	if err != nil {
		return err
	}
	r.progress.Request = req
	if err := r.book.Accepts(req); err != nil {
		return err
	}
	snapshot, cluster, err := r.load(ctx)
	if err != nil {
		return err
	}
	r.approvals = snapshot.Site.Policy.Approvals
	r.steps = r.book.Steps(&snapshot.Site, cluster, &r.progress)
	if err := demands(r.steps, r.approvals, req); err != nil {
		return err
	}
	if !r.book.Changes || req.DryRun {
		return r.perform(ctx, snapshot)
	}
	if r.held, err = acquireLease(ctx, &r.progress); err != nil {
		return err
	}
	walkCtx, stop := workflow.WithCancel(ctx)
	r.held.onLoss(ctx, func() { r.leaseLost = true; stop(); r.back.stop() })
	err = r.perform(walkCtx, snapshot)
	stop()
	lost := r.lostLease()
	dctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	r.held.release(dctx)
	if lost {
		return r.endedWithoutLease(err)
	}
	return err
}

// perform records the plan and does it.
func (r *run) perform(ctx workflow.Context, snapshot site.Snapshot) error {
	if err := r.record(ctx, snapshot); err != nil {
		return err
	}
	return r.walk(ctx)
}

func (r *run) handlers(ctx workflow.Context) error {
	err := workflow.SetQueryHandlerWithOptions(ctx, StatusQuery, func() (Progress, error) { return r.progress, nil },
		workflow.QueryHandlerOptions{Description: "Where the run stands: every step with its state, evidence and error, the open gate with its approvals, and what a recovery came to."})
	if err != nil {
		return err
	}
	return r.gates.register(ctx)
}

// load reads the site once; this snapshot drives the whole run.
func (r *run) load(ctx workflow.Context) (site.Snapshot, *site.Cluster, error) {
	var snapshot site.Snapshot
	var sites *activities.Sites
	req := &r.progress.Request
	actx := quickRead(ctx, "Load and validate site "+req.Site)
	in := activities.LoadSiteInput{Site: req.Site, Cluster: req.Cluster, Pair: r.book.Pair, Roles: r.book.Roles}
	var err error
	if r.book.Roles {
		err = inPlace(ctx, "Load and validate site "+req.Site, "LoadSite", in, &snapshot)
	} else {
		err = workflow.ExecuteActivity(actx, sites.LoadSite, in).Get(ctx, &snapshot)
	}
	if err != nil {
		return snapshot, nil, plainError(err)
	}
	cluster, ok := snapshot.Site.Cluster(req.Cluster)
	if r.book.Roles && req.Cluster == "" && len(snapshot.Site.Clusters) > 0 { // either will do
		cluster, ok = &snapshot.Site.Clusters[0], true
	}
	if !ok { // the activity has refused it already
		return snapshot, nil, invalidInput(fmt.Errorf("site %s has no cluster %q", req.Site, req.Cluster))
	}
	r.progress.SiteSHA256 = snapshot.SHA256
	if !r.book.Roles {
		r.progress.Cluster = cluster.Name
	}
	if r.book.Roles { // who starts it has set what finds it; the rest follows at its end, a second later
		return snapshot, cluster, nil
	}
	return snapshot, cluster, workflow.UpsertTypedSearchAttributes(ctx, r.attributes(InProgress)...)
}

// attributes are what lists find a run by.
func (r *run) attributes(o Outcome) []temporal.SearchAttributeUpdate {
	req := &r.progress.Request
	return []temporal.SearchAttributeUpdate{
		AttrSite.ValueSet(req.Site), AttrCluster.ValueSet(r.progress.Cluster), AttrRunbook.ValueSet(r.book.Name),
		AttrChange.ValueSet(req.Change), AttrRequestedBy.ValueSet(req.RequestedBy), AttrOutcome.ValueSet(string(o)),
	}
}

// record puts the plan into history before anything is done.
func (r *run) record(ctx workflow.Context, snapshot site.Snapshot) error {
	plan := Plan{Runbook: r.book.Name, Site: snapshot.Name, Cluster: r.progress.Cluster, SiteSHA256: snapshot.SHA256, Steps: infos(r.steps)}
	for _, info := range plan.Steps {
		r.progress.Steps = append(r.progress.Steps, StepProgress{StepInfo: info, State: Pending})
	}
	r.progress.PlanDigest = plan.Digest()
	showBoard(ctx, &r.progress)
	body, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	if r.book.Roles { // comes again every minute: one event, and no activity
		kept := workflow.SideEffect(ctx, func(workflow.Context) any { return json.RawMessage(body) })
		return kept.Get(new(json.RawMessage))
	}
	if err := workflow.UpsertMemo(ctx, map[string]any{"planDigest": r.progress.PlanDigest}); err != nil {
		return err
	}
	var records *activities.Records
	ctx = quickRead(ctx, fmt.Sprintf("Record the plan: %d steps", len(plan.Steps)))
	return workflow.ExecuteActivity(ctx, records.RecordPlan, activities.RecordPlanInput{Plan: body, Digest: r.progress.PlanDigest}).Get(ctx, nil)
}

// finish turns the end of the walk into the workflow's result.
func (r *run) finish(ctx workflow.Context, err error) (*Progress, error) {
	dctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	p := &r.progress
	ended := workflow.Now(ctx)
	p.Ended = &ended
	switch {
	case err == nil && (p.Checks != nil && p.Checks.Blocking || p.Sync != nil && p.Sync.Blocking):
		p.Outcome = ChecksFailed
	case err == nil:
		p.Outcome = Succeeded
	case temporal.IsCanceledError(err):
		p.Outcome = Cancelled
	case isType(err, ErrAborted):
		p.Outcome = Aborted
	default:
		p.Outcome = FailedRun
	}
	for i := range p.Steps {
		if p.Steps[i].State == Pending {
			p.Steps[i].State = NotRun
		}
	}
	if r.book.Roles {
		if err := workflow.UpsertTypedSearchAttributes(dctx, r.attributes(p.Outcome)...); err != nil {
			workflow.GetLogger(dctx).Warn("outcome not recorded", "error", err)
		}
	} else {
		upsertOutcome(dctx, p.Outcome)
	}
	showBoard(dctx, p)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func upsertOutcome(ctx workflow.Context, o Outcome) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, AttrOutcome.ValueSet(string(o))); err != nil {
		workflow.GetLogger(ctx).Warn("outcome not recorded", "error", err)
	}
}

// plainError unwraps an activity's failure to what the activity said, so that
// the first line a person reads is the cause and not Temporal's wrapping.
func plainError(err error) error {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return app
	}
	return err
}

// plainText is the message of a failure without Temporal's notes on it.
func plainText(err error) string {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return app.Message()
	}
	if late, ok := errors.AsType[*temporal.TimeoutError](err); ok {
		if late.TimeoutType() == enumspb.TIMEOUT_TYPE_HEARTBEAT {
			return "no word came from it any more: its worker has died or hangs"
		}
		return "it did not end in time"
	}
	return err.Error()
}

func isType(err error, kind string) bool {
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && app.Type() == kind
}
