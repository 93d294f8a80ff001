package workflows

import (
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// fencedPorts are those that users and workload clusters reach a side by
// (LB-01…LB-03).
func fencedPorts(s *site.Site) []int { return []int{s.Platform.HTTPSPort, 6443, 11443} }

// closeEtcd removes the forwarding of etcd's port, so that nothing can copy
// from or to that side any more (DR-42).
func (t *takeover) closeEtcd(id string, c *site.Cluster) Step {
	return t.closeOrOwe(t.id(id), fmt.Sprintf("Remove the forwarding of port %d from the VIP of %s", activities.EtcdPort, c.Name), c, activities.EtcdPort)
}

// fence closes the old side to its users, where the site wants that. It is not
// among the document's steps: it keeps late users and cached names from writing
// to the old primary.
func (t *takeover) fence() []Step {
	if !t.site.DR.Takeover.Fence {
		return nil
	}
	var out []Step
	for _, port := range fencedPorts(t.site) {
		step := t.closeOrOwe(t.id(fmt.Sprintf("11-fence-%d", port)), fmt.Sprintf("Fence %s: remove the forwarding of port %d from its VIP", t.from.Name, port), t.from, port)
		out = append(out, step)
	}
	return out
}

// closeOrOwe closes a port. In a failover the old side's load balancer may be as
// dead as the side: then the change is owed, and done when it is back.
func (t *takeover) closeOrOwe(id, title string, c *site.Cluster, port int) Step {
	step := closePort(id, title, t.site, c, port)
	switch {
	case t.planned:
		step.Do = t.paying(c, port, step.Do)
		return step
	case c != t.from:
		return t.closeOwn(step, c, port)
	}
	act := step.Do
	step.Title += ", or owe it"
	step.Ask = nil // nobody is sent to a machine that is down
	step.Do = t.paying(c, port, func(ctx workflow.Context) (activities.Evidence, error) {
		if manualBalancer(c) {
			return t.owe(ctx, activities.Owed{Cluster: c.Name, Action: activities.OwedClosePort, Port: port, Why: "a person must do it: " + activities.ManualClose(c, port)}), nil
		}
		_, err := t.lookAtDead(ctx, c, port)
		var evidence activities.Evidence
		if err == nil {
			evidence, err = act(ctx)
		}
		if away(ctx, err) || t.cannotBeTold(ctx, c, port, err) {
			return t.owe(ctx, activities.Owed{Cluster: c.Name, Action: activities.OwedClosePort, Port: port, Why: clip(plainText(err), 500)}), nil
		}
		return evidence, err
	})
	return step
}

// cannotBeTold reports that nothing forwards the port of a dead side any more and
// nothing answers there, though nobody could prove it closed: its VIP is as silent as
// its nodes. That must not keep users waiting; it is proven when the side is back.
func (t *takeover) cannotBeTold(ctx workflow.Context, c *site.Cluster, port int, err error) bool {
	if !isType(err, string(fault.Gate)) {
		return false
	}
	now, err := t.lookAtDead(ctx, c, port)
	return err == nil && !now.Configured && !now.Reachable
}

// lookAtDead is a quick look at a load balancer that may be down, while users wait.
func (t *takeover) lookAtDead(ctx workflow.Context, c *site.Cluster, port int) (activities.PortState, error) {
	in := activities.PortInput{Scope: t.scope(c), Port: port}
	return resultOf[activities.PortState](deadRead(ctx, fmt.Sprintf("Look at port %d of %s, whose load balancer may be dead", port, c.Endpoint.VIP)), (*activities.Forwarding)(nil).LookAtPort, in)
}

// away reports that an activity found nobody, also when it ran out of time over
// that. A cancelled run found out nothing.
func away(ctx workflow.Context, err error) bool {
	_, late := errors.AsType[*temporal.TimeoutError](err)
	return err != nil && ctx.Err() == nil && (late || isType(err, string(fault.Unreachable)))
}

// paying takes a debt off the list before the step tries to do what is owed.
func (t *takeover) paying(c *site.Cluster, port int, do func(workflow.Context) (activities.Evidence, error)) func(workflow.Context) (activities.Evidence, error) {
	return func(ctx workflow.Context) (activities.Evidence, error) {
		t.rec.Owed = slices.DeleteFunc(t.rec.Owed, func(o activities.Owed) bool { return sameDebt(o, c.Name, activities.OwedClosePort, port) })
		evidence, err := do(ctx)
		if err == nil && !t.owes(c.Name, activities.OwedClosePort, port) {
			t.closed = append(t.closed, activities.Owed{Cluster: c.Name, Action: activities.OwedClosePort, Port: port})
		}
		return evidence, err
	}
}

// owe records what can't be done now, and says so.
func (t *takeover) owe(ctx workflow.Context, o activities.Owed) activities.Evidence {
	o.Since = workflow.Now(ctx).UTC()
	if !t.owes(o.Cluster, o.Action, o.Port) {
		t.rec.Owed = append(t.rec.Owed, o)
	}
	what := fmt.Sprintf("port %d of %s is NOT closed", o.Port, o.Cluster)
	if o.Action != activities.OwedClosePort {
		what = fmt.Sprintf("warlock of %s is NOT restarted", o.Cluster)
	}
	return activities.Evidence{Summary: what + ", but owed: " + o.Why, Host: o.Cluster, Facts: map[string]string{"owed": o.Action}}
}

func (t *takeover) owes(cluster, action string, port int) bool {
	return slices.ContainsFunc(t.rec.Owed, func(o activities.Owed) bool { return sameDebt(o, cluster, action, port) })
}

func sameDebt(o activities.Owed, cluster, action string, port int) bool {
	return o.Cluster == cluster && o.Action == action && o.Port == port
}

// debts are those of this run and those of earlier ones that nobody has paid.
func (t *takeover) debts() []activities.Owed {
	out := slices.Clone(t.rec.Owed)
	if t.before == nil {
		return out
	}
	for _, o := range t.before.Owed {
		if !slices.ContainsFunc(out, o.Same) && !slices.ContainsFunc(t.closed, o.Same) {
			out = append(out, o)
		}
	}
	return out
}
