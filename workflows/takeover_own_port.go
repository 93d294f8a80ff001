package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/site"
)

// In a failover etcd's port of the new side is no danger while it is open: only a
// synchronizer copies through it, the new side's was removed before, each look sees
// that none has come back, and the old side answers nobody. So users do not wait for
// a machine of the new side's load balancer that is down: the change is owed. A
// reprotect strikes it, as the other direction needs the port. In a switchover the
// old side is alive, and nothing is owed.

// closeOwn closes a port of the side that takes over, or owes it.
func (t *takeover) closeOwn(step Step, c *site.Cluster, port int) Step {
	step.Title += ", or owe it"
	step.Do = t.paying(c, port, t.unlessAway(c, port, step.Do))
	return step
}

// unlessAway owes what can't be done because a machine of the load balancer is away.
func (t *takeover) unlessAway(c *site.Cluster, port int, act func(workflow.Context) (activities.Evidence, error)) func(workflow.Context) (activities.Evidence, error) {
	return func(ctx workflow.Context) (evidence activities.Evidence, err error) {
		if _, err = t.lookAtDead(ctx, c, port); err == nil {
			evidence, err = act(ctx)
		}
		if away(ctx, err) {
			return t.owe(ctx, activities.Owed{Cluster: c.Name, Action: activities.OwedClosePort, Port: port, Why: clip(plainText(err), 500)}), nil
		}
		return evidence, err
	}
}

// owedPort is what a look says of etcd's port where closing it is owed.
func (t *takeover) owedPort(c *site.Cluster) string {
	if c == t.from {
		return fmt.Sprintf("port %d of %s is owed, and nothing answers there", activities.EtcdPort, c.Name)
	}
	return fmt.Sprintf("port %d of %s is owed, and no synchronizer is left that could use it", activities.EtcdPort, c.Name)
}

// ownPortAsIs is the part of the last question about such a port.
func (t *takeover) ownPortAsIs() string {
	if t.planned || !t.owes(t.to.Name, activities.OwedClosePort, activities.EtcdPort) {
		return ""
	}
	return fmt.Sprintf("Port %d of %s stays as it is, because a machine of its load balancer can't be reached; no synchronizer is left that could use it. ", activities.EtcdPort, t.to.Name)
}
