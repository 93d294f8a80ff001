package workflows

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/site"
)

var pairSides *activities.Sides

// identify tells the sides apart by what they are, not by their addresses: a VIP
// that leads to the wrong cluster would turn the takeover around.
func (t *takeover) identify() Step {
	silent := "each must answer, or the name can't be moved later"
	if !t.planned {
		silent = "one that serves the zone must answer; those that don't are owed"
	}
	return Step{
		StepInfo: StepInfo{
			ID: t.id("01-identify"), Title: fmt.Sprintf("%s is the primary, %s the standby that takes over", t.from.Name, t.to.Name),
			Source: []string{"DR-01", "DR-41"}, Effect: Read,
			Calls: []string{
				"kubectl get ns kube-system -o jsonpath={.metadata.uid}   # of both sides, over SSH on a control plane and through VIP:6443: the same UID",
				"kubectl -n cpaas-system get configmap acpflow-pair   # what an earlier takeover has recorded",
				readPluginCall + "   # on both sides",
				"look up " + t.site.Platform.Address + "   # at every name server and resolver: " + silent,
			},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			in := activities.IdentifyInput{PairInput: t.pair(), Alone: !t.planned}
			var identity activities.Identity
			var address activities.PlatformAddress
			_, err := together(ctx,
				func(ctx workflow.Context) (_ string, err error) {
					identity, err = resultOf[activities.Identity](nodeRead(ctx, "Identify both sides"), pairSides.IdentifySides, in)
					return "", err
				},
				func(ctx workflow.Context) (_ string, err error) {
					address, err = t.lookUp(ctx)
					return "", err
				})
			if err != nil {
				return identity.Evidence, t.behindAFence(ctx, err)
			}
			if t.identity == nil {
				t.before = t.remembered(identity)
			}
			t.identity = &identity
			t.rec.FromUID, t.rec.ToUID = t.uid(t.from), t.uid(t.to)
			evidence := identity.Evidence
			evidence.Summary += fmt.Sprintf("; %s leads to %s", t.site.Platform.Address, orNeither(address.Cluster))
			if err := t.judgeSides(address); err != nil {
				return evidence, err
			}
			if err := t.judgeServers(ctx, address); err != nil {
				return evidence, err
			}
			if unseen := t.unseen(t.spared()); unseen != "" {
				evidence.Summary += "; " + unseen
			}
			return evidence, nil
		},
	}
}

// remembered is the new side's record. One by which it is the primary although it
// carries the synchronizer is what a terminated run left: nobody must put that back.
func (t *takeover) remembered(identity activities.Identity) *activities.PairRecord {
	side := identity.Sides[t.to.Name]
	if r := side.Record; r != nil && r.Primary == t.to.Name && side.Synchronizer {
		return nil
	}
	return side.Record
}

// uid is a side's as it was seen, else as it was recorded once; "" = unknown.
func (t *takeover) uid(c *site.Cluster) string {
	if seen := t.identity.Sides[c.Name].UID; seen != "" {
		return seen
	}
	for _, name := range slices.Sorted(maps.Keys(t.identity.Sides)) {
		if r := t.identity.Sides[name].Record; r != nil {
			if recorded := recordedUID(r, c.Name); recorded != "" {
				return recorded
			}
		}
	}
	return ""
}

func recordedUID(r *activities.PairRecord, cluster string) string {
	switch cluster {
	case r.Primary:
		return r.PrimaryUID
	case r.Standby:
		return r.StandbyUID
	}
	return ""
}

// who names a side for a person.
func (t *takeover) who(c *site.Cluster) string {
	if uid := t.uid(c); uid != "" {
		return fmt.Sprintf("%s (cluster %s)", c.Name, uid)
	}
	return c.Name + " (its UID is not known: it does not answer, and no record names it)"
}

func (t *takeover) judgeSides(address activities.PlatformAddress) error {
	op := "make " + t.to.Name + " the primary"
	old, young := t.identity.Sides[t.from.Name], t.identity.Sides[t.to.Name]
	t.resumed = ""
	switch {
	case old.Synchronizer:
		return gateFault(op, "name the other side, or remove the synchronizer from "+t.from.Name+" if a failover was done by hand",
			"%s carries the synchronizer%s, as a standby does; it would copy over what users write on %s", t.from.Name, inBrackets(old.Carries), t.to.Name)
	case t.planned && t.halfDone(young, address):
		t.resume(young.Record, address)
	case t.planned && address.Cluster == t.to.Name && !young.Synchronizer:
		return gateFault(op, "nothing is to be taken over; make "+t.from.Name+" its standby: acpflow reprotect --cluster "+t.from.Name,
			"%s leads to %s already and %s carries no synchronizer: it is the primary", t.site.Platform.Address, t.to.Name, t.to.Name)
	case t.planned && !young.Synchronizer:
		return gateFault(op, t.protect()+" first, then start again; if "+t.from.Name+" is lost, acpflow failover",
			"%s carries no synchronizer, so nothing shows that it holds what %s holds", t.to.Name, t.from.Name)
	case t.planned && address.Cluster != t.from.Name:
		return gateFault(op, fmt.Sprintf("find out which side holds what users wrote last. If it is %[1]s, point the name at it first; if it is %[2]s, remove the synchronizer from it, then acpflow reprotect --cluster %[1]s", t.from.Name, t.to.Name),
			"%s leads to %s and not to %s: %s", t.site.Platform.Address, orNeither(address.Cluster), t.from.Name, answers(address))
	}
	return nil
}

func inBrackets(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

// readiness is the whole card of both sides, as acpflow check makes it, but
// without any repair: what a takeover finds out too late costs users' time.
func (t *takeover) readiness() Step {
	effect := Read
	if t.site.DR.Sync.Canary != nil {
		effect = Write
	}
	return Step{
		StepInfo: StepInfo{
			ID: t.id("02-readiness"), Title: "Both sides are fit: the whole card of the pair", Source: []string{"DR-22", "DR-24", "DR-30", "DR-31", "DR-33", "DR-41"},
			Effect: effect, Skippable: true,
			Calls: []string{"acpflow check --site " + t.site.Name + " --full   # the same rules; it repairs nothing"},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			card := &Progress{Request: t.out.Request, SiteSHA256: t.out.SiteSHA256}
			card.Request.Full = true
			check := &syncCheck{site: t.site, out: card}
			steps := []Step{check.observe(), check.vendor(), check.prove()}
			if t.site.DR.Sync.Canary != nil {
				steps = append(steps, unless(check.noPair, check.canary()))
			}
			evidence, err := inTurn(ctx, append(steps, check.judge()))
			if err != nil {
				return evidence, err
			}
			if v := card.Sync; v.Blocking {
				var worst []string
				for _, f := range evidence.Findings {
					worst = append(worst, strings.TrimSpace(f.Rule+" "+f.Node)+": "+f.Said())
				}
				return evidence, gateFault("make "+t.to.Name+" the primary", "mend what the card names, then retry; what you accept, skip with a reason",
					"the pair is not ready: %s", strings.Join(worst, "; "))
			}
			return evidence, nil
		},
	}
}

// inTurn does steps that are part of another one, and returns what the last says.
func inTurn(ctx workflow.Context, steps []Step) (evidence activities.Evidence, err error) {
	for _, s := range steps {
		if s.unneeded != nil && s.unneeded() != "" {
			continue
		}
		if evidence, err = s.Do(ctx); err != nil {
			return evidence, err
		}
	}
	return evidence, nil
}
