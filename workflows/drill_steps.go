package workflows

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
)

// noPair is why the sides can't be identified; the card has said it already.
func (d *drill) noPair() string { return d.check.noPair() }

// identify demands that each side is the same cluster through its nodes and
// through its VIP: a switchover stops where that is not so.
func (d *drill) identify() Step {
	return unless(d.noPair, Step{
		StepInfo: StepInfo{ID: "drill.06-identify", Title: "Each side is one cluster, through its nodes and through its VIP", Source: []string{"DR-01"}, Effect: Read,
			Calls: []string{"kubectl get ns kube-system -o jsonpath={.metadata.uid}   # on a control plane and through the VIP of both sides"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			in, roles := d.pair()
			if err := workflow.ExecuteActivity(nodeRead(ctx, "Who are "+in.Primary+" and "+in.Standby), sidesView.IdentifySides, activities.IdentifyInput{PairInput: in}).Get(ctx, &d.sides); err != nil {
				return activities.Evidence{}, err
			}
			d.out.Recovery = &Recovery{Mode: ModeDrill, Title: fmt.Sprintf("Drill: %s would take over from %s", roles.Standby, roles.Primary), From: roles.Primary, To: roles.Standby,
				FromUID: d.sides.Sides[roles.Primary].UID, ToUID: d.sides.Sides[roles.Standby].UID}
			return d.sides.Evidence, nil
		},
	})
}

// plan shows what a switchover would do now, and how long it takes at least.
func (d *drill) plan() Step {
	return unless(d.noPair, Step{
		StepInfo: StepInfo{ID: "drill.07-plan", Title: "The plan of a switchover, and its critical path", Source: []string{"DR-40", "DR-41", "DR-42", "DR-43"}, Effect: Read,
			Calls: []string{"acpflow plan switchover --site " + d.site.Name + " --cluster STANDBY"}},
		Do: func(workflow.Context) (activities.Evidence, error) {
			in, _ := d.pair()
			standby, ok := d.site.Cluster(in.Standby)
			if !ok { // roles name clusters of the site only
				return activities.Evidence{}, fmt.Errorf("site %s has no cluster %q", d.site.Name, in.Standby)
			}
			plan := Plan{Runbook: SwitchoverBook.Name, Site: d.site.Name, Cluster: standby.Name, SiteSHA256: d.out.SiteSHA256,
				Steps: infos(SwitchoverBook.Steps(d.site, standby, &Progress{}))}
			path := plan.CriticalPath()
			return activities.Evidence{
				Summary: fmt.Sprintf("%d steps; what they wait for by design adds up to %s on the critical path", len(plan.Steps), time.Duration(path.Seconds*float64(time.Second)).Round(time.Second)),
				Facts:   map[string]string{"digest": plan.Digest(), "criticalPath": strings.Join(path.Steps, " ")},
			}, nil
		},
	})
}

func (d *drill) canary() string {
	if d.site.DR.Drill == nil {
		return ""
	}
	return d.site.DR.Drill.Canary
}

func (d *drill) nameInput() activities.NameInput {
	in, _ := d.pair()
	return activities.NameInput{Scope: activities.Scope{Site: *d.site, Cluster: in.Standby}, Name: d.canary(), To: in.Standby}
}

// canaryName makes a name that nobody uses lead to the standby and waits until
// every server shows it, as a switchover does with the platform's. Whatever ends
// the drill, it is removed again.
func (d *drill) canaryName() Step {
	name := cmp.Or(d.canary(), "(no dr.drill.canary)")
	return Step{
		StepInfo: StepInfo{ID: "drill.08-canary-name", Title: fmt.Sprintf("%s leads to the standby for every name server and resolver", name), Source: []string{"DR-42"}, Effect: Write, Always: true,
			Calls: []string{fmt.Sprintf("upsert %s A and AAAA: the standby's addresses   # one message", name), "dig @SERVER " + name + "   # every name server and resolver, until right three times in a row"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.DNS
			var evidence activities.Evidence
			err := workflow.ExecuteActivity(caches(ctx, "Point "+name+" at the standby"), a.PointName, d.nameInput()).Get(ctx, &evidence)
			return evidence, err
		},
		Undo: d.removeCanary("Undo: remove " + name),
	}
}

func (d *drill) removeCanary(summary string) func(workflow.Context) (activities.Evidence, error) {
	return func(ctx workflow.Context) (activities.Evidence, error) {
		var a *activities.DNS
		var evidence activities.Evidence
		err := workflow.ExecuteActivity(caches(ctx, summary), a.RemoveName, d.nameInput()).Get(ctx, &evidence)
		return evidence, err
	}
}

// page asks the standby for the platform's page as if the name led there.
func (d *drill) page() Step {
	return unless(d.noPair, Step{
		StepInfo: StepInfo{ID: "drill.09-page", Title: "The standby shows the platform's page, with the right certificate", Source: []string{"DR-15", "DR-42"}, Effect: Read,
			Calls: []string{fmt.Sprintf("curl --resolve %s:443:CANARY-ADDRESS https://%s/   # a fresh connection, the address as %s leads there", d.site.Platform.Address, d.site.Platform.Address, cmp.Or(d.canary(), "the canary"))}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.Page
			var evidence activities.Evidence
			in, roles := d.pair()
			page := activities.PageInput{Scope: activities.Scope{Site: *d.site, Cluster: in.Standby}, To: in.Standby, UID: d.sides.Sides[roles.Standby].UID, Drill: true, Canary: d.canary()}
			err := workflow.ExecuteActivity(quickRead(ctx, "The page of "+in.Standby), a.CheckPage, page).Get(ctx, &evidence)
			return evidence, err
		},
	})
}

func (d *drill) canaryRemoved() Step {
	name := cmp.Or(d.canary(), "(no dr.drill.canary)")
	return Step{
		StepInfo: StepInfo{ID: "drill.10-canary-removed", Title: name + " is removed again", Source: []string{"DR-42"}, Effect: Write,
			Calls: []string{"delete " + name + " A and AAAA", "dig @SERVER " + name + "   # every name server and resolver, until it has no address"}},
		Do: d.removeCanary("Remove " + name),
	}
}
