package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/site"
)

// Every timeout and retry policy of every runbook, by name and with its reason.
// Permanent faults are non-retryable by themselves (activities.Boundary), so a
// policy only says how long transient trouble is worth waiting out.

// heartbeat is how soon a dead worker is noticed. The worker beats for every
// activity on its own, so that also short ones are taken over quickly.
const heartbeat = 10 * time.Second

// installerGrace is how long the installer may need to remove itself (CLN-01).
const installerGrace = 30 * time.Minute

// settleWithin is how long a freshly installed cluster may need until nothing
// blocks: Pods restart while plugins come up.
const settleWithin = 10 * time.Minute

// leaseEnd bounds the wait for the site lease to be given back.
const leaseEnd = 30 * time.Second

func options(summary string, limit time.Duration, attempts int32, firstWait, maxWait time.Duration) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		Summary:             summary,
		StartToCloseTimeout: limit,
		HeartbeatTimeout:    heartbeat,
		WaitForCancellation: true, // an undo must not overlap the step it undoes
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    firstWait,
			BackoffCoefficient: 2,
			MaximumInterval:    maxWait,
			MaximumAttempts:    attempts,
		},
	}
}

// quickRead: the worker's own files or one API read. Five tries bridge a blip.
func quickRead(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, time.Minute, 5, time.Second, 10*time.Second))
}

// steadyRead: one API read of a takeover. An apiserver that restarts in the middle
// is away for a minute; nobody should be woken for that.
func steadyRead(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, time.Minute, 12, time.Second, 10*time.Second))
}

// steadyWrite: one short change of a takeover, with the same patience.
func steadyWrite(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, 90*time.Second, 12, time.Second, 10*time.Second))
}

// scripted: the vendor's script for a service that may be starting; another
// attempt waits for one that still runs.
func scripted(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, 30*time.Minute, 12, time.Second, 10*time.Second))
}

// glance: something that is good to know and must hold up nobody. The second try is
// for a worker that dies in the first.
func glance(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, time.Minute, 2, time.Second, time.Second))
}

// deadRead: a read of what is believed to be dead, while users wait. One try more
// than one bridges a blip; each may take every connect timeout that there is.
func deadRead(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, 90*time.Second, 2, time.Second, time.Second))
}

// silence: nothing of a side may answer for as long as the site says; an attempt
// begins anew, so few are worth it.
func silence(ctx workflow.Context, s *site.Site, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, s.DR.Takeover.Down()+5*time.Minute, 3, time.Second, 5*time.Second))
}

// nodeRead: one exec on every node of a batch; a slow node answers in seconds,
// a dead one costs the connect timeout.
func nodeRead(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, 3*time.Minute, 3, 2*time.Second, 10*time.Second))
}

// probing: agents on all nodes at once, pair by pair; bounded by themselves.
func probing(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, 15*time.Minute, 3, 2*time.Second, 10*time.Second))
}

// nodeWrite: one short remote command with an effect; it observes first, so it
// may be repeated. What takes longer than this hangs.
func nodeWrite(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, 90*time.Second, 5, 2*time.Second, 15*time.Second))
}

// repairing: many short changes, and for each that could cut SSH the minute that
// the node waits for a second session. It is planned anew at every try, so it may
// be repeated.
func repairing(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, 30*time.Minute, 5, 2*time.Second, 15*time.Second))
}

// transfer: gigabytes through an SSH connection; every attempt resumes, so
// many are cheap.
func transfer(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, 24*time.Hour, 30, 2*time.Second, time.Minute))
}

// remoteJob: a command of minutes that outlives us on the node; an attempt
// adopts the one that runs.
func remoteJob(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, 2*time.Hour, 20, 2*time.Second, 30*time.Second))
}

// longWatch: reading the installer's progress, usually 30-60 minutes (EXE-11).
// The stall rule ends it, not the clock.
func longWatch(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, 24*time.Hour, 50, time.Second, 30*time.Second))
}

// untilReady: polling for a state that follows within minutes.
func untilReady(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, 20*time.Minute, 5, 2*time.Second, 30*time.Second))
}

// caches: a change of the platform's name until every resolver has forgotten the
// old address; its TTL may be an hour. Bounded by the activity itself.
func caches(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, 2*time.Hour, 5, 2*time.Second, 15*time.Second))
}

// balancing: a change on every machine of a load balancer, and until the port
// is so; with everything put back when it fails.
func balancing(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, 10*time.Minute, 5, 2*time.Second, 15*time.Second))
}

// removedWithin is how long an uninstalled plugin may need until nothing of it is left.
const removedWithin = 5 * time.Minute

// settling: polling for a state for as long as the site's patience says, and the
// time to tell how it ended. Copying a large etcd for the first time takes long.
func settling(ctx workflow.Context, s *site.Site, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, s.Policy.Stall()+5*time.Minute, 20, 2*time.Second, 30*time.Second))
}

// repairWithin is how long a check waits for the synchronizer's Pod, with the
// site's lease in its hand: no install or failover may be kept waiting for it.
const repairWithin = 3 * time.Minute

// recreating: one Pod of the synchronizer, for as long as that and the time to
// tell how it ended. The next check tries again, so two tries are enough.
func recreating(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, repairWithin+time.Minute, 2, 2*time.Second, 10*time.Second))
}

// quickCheck: the synchronizer compares while it is asked; it may be away for the
// moment in which its Pod is recreated.
func quickCheck(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, 3*time.Minute, 10, 2*time.Second, 15*time.Second))
}

// awaiting: a side that is away is looked for in rounds; what fails for the
// moment is tried without an end, because the wait has none.
func awaiting(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, lookRound+5*time.Minute, 0, 5*time.Second, time.Minute))
}

// capturing: a snapshot of an etcd through the network, and every key of both
// sides. It may be repeated: a half one is never taken for a whole one.
func capturing(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, 2*time.Hour, 5, 2*time.Second, 30*time.Second))
}

// proving: every key and value of both etcds, tens of seconds for a million. It
// only reads, so it may be repeated.
func proving(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, 30*time.Minute, 5, 2*time.Second, 30*time.Second))
}

// watching: one look of a check that comes again. What can't be seen is a fact;
// only a worker or a Temporal that is overloaded or goes away is tried again.
func watching(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, 5*time.Minute, 5, time.Second, 5*time.Second))
}

// comparing: both etcds are read, every key when it is a full proof.
func comparing(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, 30*time.Minute, 3, 2*time.Second, 10*time.Second))
}

// travelling: a change is written on one side and waited for on the other.
func travelling(ctx workflow.Context, summary string, most time.Duration) workflow.Context {
	return workflow.WithActivityOptions(ctx, options(summary, most+time.Minute, 2, time.Second, 5*time.Second))
}

// inPlace does a pure or quick activity inside the workflow task: it costs one
// event instead of six. For runs that come again every minute.
func inPlace(ctx workflow.Context, summary, name string, in, out any) error {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		Summary: summary, StartToCloseTimeout: 5 * time.Second, ScheduleToCloseTimeout: 30 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, MaximumAttempts: 3},
	})
	return workflow.ExecuteLocalActivity(ctx, name, in).Get(ctx, out)
}

// routineLook bounds what a routine check does inside its workflow task. It
// takes a tenth of it; what takes longer needs heartbeats, and must not hold up
// the task: the SDK renews one that lasts eight seconds, the server gives it to
// another worker after ten.
const routineLook = 5 * time.Second

// inPlaceFirst does the activity that ctx has options for inside the workflow
// task, once, and only when it takes too long or fails for the moment as an
// activity of its own. It may be repeated, and the two may overlap.
func inPlaceFirst(ctx workflow.Context, name string, in, out any) error {
	local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		Summary:             workflow.GetActivityOptions(ctx).Summary,
		StartToCloseTimeout: routineLook, ScheduleToCloseTimeout: time.Minute, // waiting for its turn may take longer
		RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	err := workflow.ExecuteLocalActivity(local, name, in).Get(ctx, out)
	if err == nil || temporal.IsCanceledError(err) || ctx.Err() != nil {
		return err
	}
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok && app.NonRetryable() {
		return err
	}
	return workflow.ExecuteActivity(ctx, name, in).Get(ctx, out)
}
