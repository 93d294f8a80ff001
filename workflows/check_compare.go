package workflows

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/etcd"
)

// vendor asks the synchronizer's own check.
func (c *syncCheck) vendor() Step {
	return unless(func() string { return cmp.Or(c.noSynchronizer(), c.noPair()) }, Step{
		StepInfo: StepInfo{
			ID: "check.02-vendor-check", Title: "Ask the synchronizer's own check for missed and surplus keys", Source: []string{"DR-33"}, Effect: Read,
			Calls: []string{"curl http://$(kubectl -n cpaas-system get svc etcd-sync-monitor -o jsonpath='{.spec.clusterIP}')/check   # on the standby"},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			if err := c.compareOnce(ctx); err != nil {
				return activities.Evidence{}, err
			}
			v, err := c.facts.Vendor.Get()
			summary := fmt.Sprintf("%d missed keys, %d surplus keys", v.Missed, v.Surplus)
			switch {
			case err != nil:
				summary = "not known: " + err.Error()
			case v.Unclear != "":
				summary = v.Unclear
			}
			return activities.Evidence{Summary: summary}, nil
		},
	})
}

// noSynchronizer tells why there is nothing to ask. The rules find no answer
// then, and say so.
func (c *syncCheck) noSynchronizer() string {
	roles := c.facts.Roles()
	switch {
	case roles.By != pair.SyncSign:
		return "no side is known to carry the synchronizer"
	default:
		for _, s := range c.facts.Sides {
			if s.Cluster == roles.Standby && s.Fault != nil {
				return s.Cluster + " can't be reached"
			}
		}
	}
	return ""
}

// prove compares both etcds key by key and value by value.
func (c *syncCheck) prove() Step {
	return unless(c.noPair, Step{
		StepInfo: StepInfo{
			ID: "check.03-proof", Title: "Prove from both etcds that the standby holds what the primary holds", Source: []string{"DR-33", "DR-41"}, Effect: Read,
			Calls: []string{"etcd Range /registry at a pinned revision   # both sides; only what changed, when the last full comparison is less than an hour old"},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			if err := c.compareOnce(ctx); err != nil {
				return activities.Evidence{}, err
			}
			if why := c.facts.Proof.Why; why != "" {
				return activities.Evidence{Summary: "not known: " + why}, nil
			}
			p, err := c.facts.Proof.Get()
			if err != nil {
				return activities.Evidence{}, err
			}
			owners := "owners not looked for"
			if p.Owners {
				owners = fmt.Sprintf("%d without their owner", p.Dangling)
			}
			return activities.Evidence{
				Summary: fmt.Sprintf("%s: %d keys, %d missed, %d surplus, %d different, %s", p.Mode, p.Compared, p.Missed, p.Surplus, p.Different, owners),
				Facts:   map[string]string{"digest": p.Digest, "primary": position(p.Primary), "standby": position(p.Standby), "seconds": fmt.Sprintf("%.1f", c.proof.Seconds)},
			}, nil
		},
	})
}

func position(p pair.Position) string {
	return fmt.Sprintf("cluster %s, revision %d", p.ClusterID, p.Revision)
}

// since is where the proof may begin: at the ledger's mark, while a full one is
// young enough.
func (c *syncCheck) since(ctx workflow.Context) *etcd.Mark {
	ledger, err := c.facts.Ledger().Get()
	if c.out.Request.Full || err != nil || len(ledger.Mark) == 0 || workflow.Now(ctx).Sub(ledger.Full) >= again {
		return nil
	}
	var mark etcd.Mark
	if json.Unmarshal(ledger.Mark, &mark) != nil || !mark.Usable() {
		return nil
	}
	return &mark
}

// compareOnce is what the steps of both checks do: the first of them for both.
func (c *syncCheck) compareOnce(ctx workflow.Context) error {
	if c.compared {
		return nil
	}
	return c.compare(ctx, c.since(ctx))
}

// compare asks the synchronizer's check and makes the proof. What could not be
// told is a fact; an error is a cancellation, or a worker that can't do it.
func (c *syncCheck) compare(ctx workflow.Context, since *etcd.Mark) error {
	roles := c.facts.Roles()
	in := activities.CompareInput{Vendor: c.noSynchronizer() == "",
		ProveInput: activities.ProveInput{Site: *c.site, Primary: roles.Primary, Standby: roles.Standby, Since: since, Owners: true}} // which a full proof finds, also one that was to be incremental
	what := "Ask the synchronizer's check, and compare every key of both etcds"
	if since != nil {
		what = "Ask the synchronizer's check, and compare what changed in both etcds"
	}
	var result activities.Comparison
	if err := c.do(comparing(ctx, what), since == nil, "CompareSides", in, &result); err != nil {
		return err
	}
	c.compared, c.facts.Vendor = true, result.Vendor
	c.facts.Proof = pair.Known[pair.Proof]{Why: result.Proof.Why}
	if p := result.Proof.Value; p != nil {
		c.proof, c.facts.Proof = p, pair.Of(activities.ProofFact(*p))
	}
	return nil
}

// canary measures how long a change takes to the standby.
func (c *syncCheck) canary() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "check.04-canary", Title: fmt.Sprintf("Write a ConfigMap on the primary and wait for it on the standby, %s at most", c.site.DR.Sync.Lag()), Effect: Write,
			Source: []string{"DR-33"},
			Calls:  []string{fmt.Sprintf("kubectl -n %s apply configmap acpflow-canary   # on the primary", c.site.DR.Sync.Canary.Namespace)},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.Sides
			f := workflow.ExecuteActivity(travelling(ctx, "Measure the lag", 2*c.site.DR.Sync.Lag()), a.MeasureLag, c.input())
			var measured pair.Canary
			if err := f.Get(ctx, &measured); err != nil {
				c.facts.Canary = pair.Unknown[pair.Canary](plainText(err))
			} else {
				c.facts.Canary = pair.Of(measured)
			}
			v, err := c.facts.Canary.Get()
			summary := "it took " + v.Lag.Round(time.Millisecond).String()
			switch {
			case err != nil:
				summary = "not known: " + err.Error()
			case !v.Arrived:
				summary = fmt.Sprintf("nothing arrived within %s", v.Lag.Round(time.Millisecond))
			}
			return activities.Evidence{Summary: summary}, ctx.Err()
		},
	}
}
