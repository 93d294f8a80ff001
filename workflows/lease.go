package workflows

import (
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
)

// SiteLease is the right to change a site. Its workflow id is the lock: only
// one can run per site, whatever the id of the run that wants it. It is a child
// of its holder and dies with it, so a terminated run leaves no lock behind.
func SiteLease(ctx workflow.Context, holder activities.LeaseHolder) error {
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("Site **%s** is being changed by %s (`%s`).", holder.Site, holder.Runbook, holder.WorkflowID))
	ctx.Done().Receive(ctx, nil)
	return nil
}

// lease is the right to change a site, as its holder sees it.
type lease struct {
	child    workflow.ChildWorkflowFuture
	cancel   workflow.CancelFunc
	released bool
}

// acquireLease starts the site's lease. When another run holds it, the error
// is a non-retryable SiteBusy that names the holder.
func acquireLease(ctx workflow.Context, p *Progress) (*lease, error) {
	info := workflow.GetInfo(ctx)
	holder := activities.LeaseHolder{
		Site: p.Request.Site, Runbook: p.Runbook, Cluster: p.Cluster, Change: p.Request.Change, RequestedBy: p.Request.RequestedBy,
		WorkflowID: info.WorkflowExecution.ID, RunID: info.WorkflowExecution.RunID,
		Since: workflow.Now(ctx).UTC().Format(time.RFC3339),
	}
	// Disconnected: a cancelled run keeps its right until it has cleaned up.
	dctx, _ := workflow.NewDisconnectedContext(ctx)
	childCtx, cancel := workflow.WithCancel(workflow.WithChildOptions(dctx, workflow.ChildWorkflowOptions{
		WorkflowID:          LeaseID(p.Request.Site),
		ParentClosePolicy:   enumspb.PARENT_CLOSE_POLICY_TERMINATE,
		WaitForCancellation: true,
		StaticSummary:       fmt.Sprintf("Site %s is being changed by %s", holder.Site, holder.WorkflowID),
		Memo:                map[string]any{activities.LeaseMemo: holder},
	}))
	child := workflow.ExecuteChildWorkflow(childCtx, SiteLeaseName, holder)
	err := child.GetChildWorkflowExecution().Get(ctx, nil)
	if alreadyStarted(err) {
		cancel()
		return nil, siteBusy(ctx, p.Request.Site)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return &lease{child: child, cancel: cancel}, nil
}

// alreadyStarted recognises the server's refusal, and that of the SDK's test environment.
func alreadyStarted(err error) bool {
	child := (*temporal.ChildWorkflowExecutionAlreadyStartedError)(nil)
	run := (*serviceerror.WorkflowExecutionAlreadyStarted)(nil)
	return errors.As(err, &child) || errors.As(err, &run)
}

// onLoss calls lost when the lease ends before it is released: somebody ended
// it by hand, and another run may change the site from now on.
func (l *lease) onLoss(ctx workflow.Context, lost func()) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		_ = l.child.Get(ctx, nil) // any end is an end
		if l.lost() {
			lost()
		}
	})
}

// lost reports whether the lease ended before it was released.
func (l *lease) lost() bool { return !l.released && l.child.IsReady() }

// release gives the lease back and waits for its end, or a run started at once
// after this one is refused. A lease that doesn't answer dies with this run.
func (l *lease) release(ctx workflow.Context) {
	l.released = true
	l.cancel()
	ended, _ := workflow.AwaitWithTimeout(ctx, leaseEnd, l.child.IsReady)
	if !ended {
		workflow.GetLogger(ctx).Warn("site lease did not end by itself")
	}
}

func siteBusy(ctx workflow.Context, site string) error {
	msg := fmt.Sprintf("site %s is being changed by another run", site)
	var holder activities.LeaseHolder
	var records *activities.Records
	ctx = quickRead(ctx, "Who holds the site "+site)
	err := workflow.ExecuteActivity(ctx, records.DescribeLease, activities.DescribeLeaseInput{WorkflowID: LeaseID(site)}).Get(ctx, &holder)
	if err == nil && holder.WorkflowID != "" {
		id := holder.WorkflowID
		msg = fmt.Sprintf("site %s is being changed by %s of cluster %s (workflow %s, since %s, requested by %s, change %s)", site,
			holder.Runbook, holder.Cluster, holder.WorkflowID, holder.Since, orDash(holder.RequestedBy), orDash(holder.Change))
		msg += fmt.Sprintf(". Fix: wait until it ends (acpflow watch %s) or abort it (acpflow abort %s), then start again", id, id)
	} else {
		msg += fmt.Sprintf(". Fix: acpflow list --site %s --open shows it; wait until it ends, then start again", site)
	}
	return temporal.NewNonRetryableApplicationError(msg, ErrSiteBusy, nil)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
