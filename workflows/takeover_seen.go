package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
)

var (
	lookups *activities.DNS
	pages   *activities.Page
)

var coreDNSGroup = []activities.ServiceGroup{activities.CoreDNS}

// namesSettle is how much longer than its TTL a name may stay old on a node.
const namesSettle = 15 * time.Second

func (t *takeover) ttl() time.Duration {
	if t.site.DR.DNS == nil {
		return 0
	}
	return time.Duration(t.site.DR.DNS.TTL) * time.Second
}

// seenByNodes demands that every node that answers resolves the name rightly.
func (t *takeover) seenByNodes() Step {
	var clusters []string
	var calls []string
	for _, c := range t.alive() {
		clusters = append(clusters, c.Name)
		calls = append(calls, fmt.Sprintf("getent ahosts %s   # on every node of %s, until right %d times in a row", t.site.Platform.Address, c.Name, t.site.DR.Takeover.InARow()))
	}
	return Step{
		StepInfo: StepInfo{ID: t.id("14-nodes"), Title: "Every node resolves the name to " + t.to.Name, Source: []string{"DR-42"}, Effect: Read, Skippable: true,
			Waits: float64(t.site.DR.Takeover.InARow()), Calls: calls}, // every name server and resolver is right by then
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			in := activities.NodeLookupInput{Scope: t.scope(t.to), To: t.to.Name, Clusters: clusters, InARow: t.site.DR.Takeover.InARow(), Within: t.ttl() + namesSettle}
			return resultOf[activities.Evidence](caches(ctx, "Look up "+t.site.Platform.Address+" on every node"), lookups.LookUpOnNodes, in)
		},
	}
}

// seenInPods looks the name up in a Pod, and restarts coredns where that is
// wrong, as the document says, but no more often than the site allows.
func (t *takeover) seenInPods() Step {
	most := t.site.DR.Takeover.MaxCoreDNSRestarts()
	return Step{
		StepInfo: StepInfo{ID: t.id("15-pods"), Title: "Pods resolve the name to " + t.to.Name, Source: []string{"DR-42"}, Effect: Write, Skippable: true,
			Calls: []string{
				fmt.Sprintf("kubectl exec -n cpaas-system deployments/sentry -- nslookup %s.   # until right %d times in a row", t.site.Platform.Address, t.site.DR.Takeover.InARow()),
				fmt.Sprintf("kubectl delete po -n kube-system -l '%s'   # each by its UID, only while the answer is wrong, at most %d times", coreDNSGroup[0].Selector, most),
			}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			for {
				in := activities.PodLookupInput{Scope: t.scope(t.to), To: t.to.Name, InARow: t.site.DR.Takeover.InARow()}
				seen, err := resultOf[activities.PodLookup](quickCheck(ctx, "Look up "+t.site.Platform.Address+" in a Pod"), lookups.LookUpInPod, in)
				switch {
				case err != nil:
					return seen.Evidence, err
				case seen.Right:
					seen.Summary = fmt.Sprintf("%s; coredns was restarted %d times", seen.Summary, t.coreDNS)
					return seen.Evidence, nil
				case seen.Absent: // nobody could ask, so no answer is stale
					return seen.Evidence, gateFault("look up "+t.site.Platform.Address+" in a Pod of "+t.to.Name, "look it up in another Pod yourself; if it is right, skip with what you saw", "%s", seen.Why)
				case t.coreDNS >= most:
					return seen.Evidence, gateFault("look up "+t.site.Platform.Address+" in a Pod of "+t.to.Name, "see the Corefile and what it forwards to, then retry",
						"Pods still do not see it, after %d restarts of coredns: %s", t.coreDNS, seen.Why)
				}
				t.coreDNS++
				found, err := t.list(ctx, coreDNSGroup)
				if err != nil {
					return seen.Evidence, err
				}
				if evidence, err := t.restart(ctx, found); err != nil {
					return evidence, err
				}
			}
		},
	}
}

// page opens the platform's page over a fresh connection, as users will.
func (t *takeover) page() Step {
	return Step{
		StepInfo: StepInfo{ID: t.id("16-page"), Title: fmt.Sprintf("https://%s shows the platform of %s", t.site.Platform.Address, t.to.Name), Source: []string{"DR-42"}, Effect: Read, Skippable: true,
			Calls: []string{"curl https://" + t.site.Platform.Address + "/   # a fresh connection: to " + t.to.Endpoint.VIP + ", with the site's certificate, from the cluster with the UID of " + t.to.Name}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			in := activities.PageInput{Scope: t.scope(t.to), To: t.to.Name, UID: t.rec.ToUID, Spared: t.spared()}
			return resultOf[activities.Evidence](untilReady(ctx, "Open the platform's page"), pages.CheckPage, in)
		},
	}
}
