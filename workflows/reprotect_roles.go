package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/site"
)

// lookRound is how long one activity waits for the old side. Each round is six
// events of history: 48 rounds and 288 events a day, 2,016 a week. A run that had
// waited a week was measured at 2,086 events, so that not even at two weeks it comes
// to the 4,096 from which on a run should be continued as new.
const lookRound = 30 * time.Minute

var sidesView *activities.Sides

// roles makes sure, while the old side may still be away, that the new primary
// is the one: otherwise nobody need wait.
func (r *reprotecting) roles() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "reprotect.01-roles", Title: fmt.Sprintf("%s is the primary, as far as can be seen while %s may be away", r.primary.Name, r.standby.Name),
			Source: []string{"DR-01", "DR-43"}, Effect: Read, Calls: r.roleCalls(),
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) { return r.look(ctx, false) },
	}
}

// onePrimary judges again when both sides answer, and asks the old side's own
// nodes: they must have learnt where the platform's name leads.
func (r *reprotecting) onePrimary() Step {
	within := r.resolvesWithin()
	return Step{
		StepInfo: StepInfo{
			ID: "reprotect.03-one-primary", Title: fmt.Sprintf("Both sides answer, and only %s does as the primary", r.primary.Name),
			Source: []string{"DR-01", "DR-11", "DR-43"}, Effect: Read,
			Calls: append(r.roleCalls(), fmt.Sprintf("ssh USER@NODE getent ahosts %s   # every node of %s, %d times right in a row, within %s",
				r.site.Platform.Address, r.standby.Name, r.site.DR.Takeover.InARow(), within)),
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			evidence, err := r.look(ctx, true)
			if err != nil {
				return evidence, err
			}
			var a *activities.DNS
			var seen activities.Evidence
			in := activities.NodeLookupInput{Scope: r.scope(r.standby), To: r.primary.Name, Clusters: []string{r.standby.Name}, InARow: r.site.DR.Takeover.InARow(), Within: within}
			if err := workflow.ExecuteActivity(caches(ctx, "Look up "+r.site.Platform.Address+" on the nodes of "+r.standby.Name), a.LookUpOnNodes, in).Get(ctx, &seen); err != nil {
				return evidence, err
			}
			evidence.Summary += "; " + seen.Summary
			return evidence, nil
		},
	}
}

// resolvesWithin is how long the old side's nodes may still have the old address
// in their caches.
func (r *reprotecting) resolvesWithin() time.Duration {
	within := time.Minute
	if d := r.site.DR.DNS; d != nil {
		within += time.Duration(d.TTL) * time.Second
	}
	return within
}

func (r *reprotecting) roleCalls() []string {
	return []string{
		"kubectl get ns kube-system -o jsonpath={.metadata.uid}   # on a control plane and through the VIP of both sides",
		"kubectl -n cpaas-system get configmap acpflow-pair   # the record of the last takeover, on both sides",
		readPluginCall + "   # on both sides",
		fmt.Sprintf("look up %s   # every name server says %s", r.site.Platform.Address, r.primary.Name),
	}
}

// look observes both sides and the platform's name, and judges who is primary.
func (r *reprotecting) look(ctx workflow.Context, both bool) (activities.Evidence, error) {
	// As before the takeover: the side that may be away, or whose VIP may be closed, is
	// the one that was primary.
	in := activities.IdentifyInput{PairInput: activities.PairInput{Site: *r.site, Primary: r.standby.Name, Standby: r.primary.Name}, Alone: true}
	var sides activities.Identity
	if err := workflow.ExecuteActivity(nodeRead(ctx, "Who are "+r.primary.Name+" and "+r.standby.Name), sidesView.IdentifySides, in).Get(ctx, &sides); err != nil {
		return activities.Evidence{}, err
	}
	if both && !sides.Sides[r.standby.Name].Reachable {
		behind, err := r.behindTheFence(ctx)
		if err != nil {
			return sides.Evidence, err
		}
		sides.Sides[r.standby.Name] = behind
	}
	address, err := lookUpPlatform(ctx, r.site)
	if err != nil {
		return activities.Evidence{}, err
	}
	evidence, err := r.judge(sides, address, both)
	if err != nil {
		return evidence, err
	}
	r.sides, r.record, r.older = sides, recordOf(sides.Sides[r.primary.Name]), r.outdated(sides)
	if len(r.older) > 0 {
		r.record = nil // what it says and owes is of other roles
	}
	return evidence, r.sameDoubt()
}

// behindTheFence looks at the old side through its control planes only. A takeover
// may have closed the API at its VIP; a VIP that leads to another cluster has been
// refused already.
func (r *reprotecting) behindTheFence(ctx workflow.Context) (activities.SideIdentity, error) {
	plugin, err := r.sync.read(ctx, r.standby)
	if err != nil {
		return activities.SideIdentity{}, err
	}
	var record activities.PairRecord
	if err := workflow.ExecuteActivity(quickRead(ctx, "Read the record of "+r.standby.Name), sidesView.ReadPairRecord, r.scope(r.standby)).Get(ctx, &record); err != nil {
		return activities.SideIdentity{}, err
	}
	return activities.SideIdentity{UID: plugin.UID, Reachable: true, Synchronizer: len(plugin.Left()) > 0, Carries: plugin.Carries(), Record: &record}, nil
}

// judge refuses while both sides answer as the primary, or may do so. A side
// answers as the primary when any of this is so: the platform's name leads to it
// for any name server; the other side carries the synchronizer and so follows
// it; its own record says that it is the primary, and no newer record of the
// other side says otherwise. What can't be read is not "no". Records that are only
// older than a takeover by hand are left to people, see doubt.
func (r *reprotecting) judge(sides activities.Identity, address activities.PlatformAddress, both bool) (activities.Evidence, error) {
	first, second := sides.Sides[r.primary.Name], sides.Sides[r.standby.Name]
	evidence := activities.Evidence{
		Summary: fmt.Sprintf("%s is the primary: %s leads there, %s", r.primary.Name, r.site.Platform.Address, r.saidBy(sides)),
		Facts: map[string]string{"primary": r.primary.Name, "standby": r.standby.Name,
			"uid." + r.primary.Name: first.UID, "uid." + r.standby.Name: second.UID},
	}
	if !second.Reachable {
		evidence.Summary += fmt.Sprintf("; %s does not answer: %s", r.standby.Name, second.Why)
	}
	for _, check := range []func() error{
		func() error { return r.answering(first, second, both) },
		func() error { return r.named(address, recordOf(first), both) },
		func() error { return r.claims(recordOf(first), recordOf(second), first, second) },
	} {
		if err := check(); err != nil {
			return evidence, err
		}
	}
	return evidence, nil
}

func (r *reprotecting) refuse(fix, format string, args ...any) error {
	return gateFault("make "+r.standby.Name+" the standby of "+r.primary.Name, fix, format, args...)
}

// answering judges by what the sides themselves are.
func (r *reprotecting) answering(first, second activities.SideIdentity, both bool) error {
	switch {
	case !first.Reachable || first.UID == "":
		return r.refuse("bring it back first, or name the other cluster", "%s must be the primary and does not answer: %s", r.primary.Name, first.Why)
	case both && (!second.Reachable || second.UID == ""):
		return r.refuse("wait until it is back, then retry", "%s does not answer: %s", r.standby.Name, second.Why)
	case first.UID == second.UID:
		return r.refuse("give each cluster nodes and a VIP of its own in the site document", "%s and %s are one cluster: %s", r.primary.Name, r.standby.Name, first.UID)
	case first.Synchronizer:
		return r.refuse("name the side that shall be overwritten: acpflow reprotect --cluster "+r.primary.Name+", or do a switchover first",
			"%s carries the synchronizer%s, so it is the standby and follows %s", r.primary.Name, inBrackets(first.Carries), r.standby.Name)
	}
	return nil
}

// named judges by the platform's name: every server must have forgotten the old
// side. Those that died with it may be silent while it is away.
func (r *reprotecting) named(address activities.PlatformAddress, record *activities.PairRecord, both bool) error {
	name := r.site.Platform.Address
	switch {
	case address.Cluster == r.standby.Name:
		return r.refuse("if that is right, "+r.primary.Name+" is the side to be overwritten: acpflow reprotect --cluster "+r.primary.Name+". Leave the name where the newest data is", "%s leads to %s, so users work there: %s", name, r.standby.Name, answers(address))
	case address.Cluster != r.primary.Name:
		return r.refuse(r.mendServers("mend the name servers, then retry", address, record), "both sides may answer as the primary: the name servers differ on where %s leads, or it leads to neither: %s", name, answers(address))
	case !address.Agreed && (both || address.Contradicted):
		return r.refuse(r.mendServers("wait until caches have forgotten the old address, or mend the name servers, then retry", address, record),
			"both sides may answer as the primary: not every name server says that %s leads to %s: %s", name, r.primary.Name, answers(address))
	}
	return nil
}

// mendServers says more of a server that is silent, or that was during the takeover
// and so was never seen to lead to the new side.
func (r *reprotecting) mendServers(fix string, address activities.PlatformAddress, record *activities.PairRecord) string {
	var owed []string
	if record != nil {
		for _, o := range record.Owed {
			if isNameServer(o) && !slices.Equal(slices.Sorted(slices.Values(address.Answers[o.Server])), slices.Sorted(slices.Values(activities.ClusterAddresses(r.site, r.primary)))) {
				owed = append(owed, o.Server)
			}
		}
	}
	switch {
	case len(owed) > 0:
		return fmt.Sprintf("%s. The takeover went on without %s, which was silent: %s", fix, strings.Join(owed, ", "), activities.GoneServer("it"))
	case len(address.Silent) > 0:
		return fix + "; one that is gone for good, take out of dr.dns in the site document and start again"
	}
	return fix
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// controlPlanes are all that a wait looks for: a round carries them and no other
// node, so that days of waiting keep history small on a large site, too.
func (r *reprotecting) controlPlanes() activities.Scope {
	scope := r.scope(r.standby)
	alone := *r.standby
	alone.Nodes = alone.ControlPlanes()
	scope.Site.Clusters = []site.Cluster{alone}
	return scope
}

// wait ends when the old side is back; until then nothing else is done.
func (r *reprotecting) wait() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "reprotect.02-wait", Title: "Wait for " + r.standby.Name + ", for days if need be", Source: []string{"DR-43"}, Effect: Read,
			Calls: []string{"ssh USER@NODE true   # every control plane of " + r.standby.Name, "GET /readyz   # its API server"},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			began := workflow.Now(ctx)
			in := activities.AwaitInput{Scope: r.controlPlanes(), For: lookRound}
			for round := 1; ; round++ {
				var arrival activities.Arrival
				summary := fmt.Sprintf("Wait for %s since %s", r.standby.Name, stamp(began))
				if err := workflow.ExecuteActivity(awaiting(ctx, summary), sidesView.AwaitSide, in).Get(ctx, &arrival); err != nil {
					return activities.Evidence{}, err
				}
				if arrival.Back {
					evidence := arrival.Evidence
					evidence.Summary = strings.TrimPrefix(fmt.Sprintf("%s; waited %s in %d rounds", evidence.Summary, workflow.Now(ctx).Sub(began).Round(time.Second), round), "; ")
					return evidence, nil
				}
			}
		},
	}
}
