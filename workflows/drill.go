package workflows

import (
	"fmt"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/site"
)

// DrillBook rehearses a switchover without one (DR-40…DR-43): everything that
// only reads, the very plan, and a canary name that leads to the standby for a
// moment. It changes nothing else, so it holds no lease: a failover never waits
// for a drill. A schedule starts it again and again; in a blackout window it ends
// at once, and well.
var DrillBook = Runbook{
	Name: DrillName, Verb: "drill", Pair: true, Roles: true,
	Steps: func(s *site.Site, _ *site.Cluster, out *Progress) []Step {
		return newDrill(s, out).steps()
	},
}

// Drill is the workflow of DrillBook. Its input is one Request.
func Drill(ctx workflow.Context, input converter.RawValue) (*Progress, error) {
	return execute(ctx, DrillBook, input)
}

// drill is what the steps of one rehearsal share.
type drill struct {
	site  *site.Site
	out   *Progress
	check *syncCheck

	dark  string // why nothing is done now, by blackout
	sides activities.Identity
}

func newDrill(s *site.Site, out *Progress) *drill {
	card := *s
	card.DR.Sync.Canary = nil // a drill writes nothing to a side, so how long that takes is not judged
	return &drill{site: s, out: out, check: &syncCheck{site: &card, out: out}}
}

func (d *drill) steps() []Step {
	needs := func(steps ...Step) []Step {
		for i := range steps {
			steps[i] = unless(d.noDrill, steps[i])
		}
		return steps
	}
	steps := []Step{d.blackout()}
	steps = append(steps, needs(d.roles())...)
	steps = append(steps, needs(d.card()...)...)
	steps = append(steps, needs(d.identify(), d.plan())...)
	steps = append(steps, needs(unless(d.noCanary, d.canaryName()), d.page(), unless(d.noCanary, d.canaryRemoved()))...)
	return steps
}

// noDrill says why nothing is done: it is dark.
func (d *drill) noDrill() string { return d.dark }

// noCanary says why no name is pointed anywhere.
func (d *drill) noCanary() string {
	switch {
	case d.site.DR.Drill == nil || d.site.DR.Drill.Canary == "":
		return "the site has no dr.drill.canary"
	case d.check.facts.Roles().Primary == "":
		return "who is the standby can't be told: " + d.check.facts.Roles().Why
	}
	return ""
}

// darkness is what a blackout window says, for the record.
type darkness struct {
	Dark   bool          `json:"dark"`
	Window site.Blackout `json:"window"`
}

// blackout asks the site's windows about the time of the workflow. The answer is
// recorded, so that a replay does not depend on a worker's time zones.
func (d *drill) blackout() Step {
	return Step{
		StepInfo: StepInfo{ID: "drill.01-blackout", Title: "No blackout window of dr.drill is open", Source: []string{"DR-40"}, Effect: Read, Calls: []string{"(none: pure)"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			now := workflow.Now(ctx).UTC()
			var at darkness
			err := workflow.SideEffect(ctx, func(workflow.Context) any {
				window, dark := d.site.DR.Drill.BlackedOut(now)
				return darkness{Dark: dark, Window: window}
			}).Get(&at)
			if err != nil || !at.Dark {
				return activities.Evidence{Summary: "none is open at " + stamp(now)}, err
			}
			d.dark = fmt.Sprintf("blackout %s to %s: %s", at.Window.From, at.Window.To, at.Window.Reason)
			return activities.Evidence{Summary: "no drill now, " + d.dark, Facts: map[string]string{"at": stamp(now)}}, nil
		},
	}
}

// roles observes who is who; a rehearsal of nobody knows what is none.
func (d *drill) roles() Step {
	step := d.check.observe()
	step.ID = "drill.02-roles"
	return step
}

// card are the steps of a check of the pair that only read, with a whole proof.
func (d *drill) card() []Step {
	vendor, prove, judge := d.check.vendor(), d.check.prove(), d.check.judge()
	vendor.ID, prove.ID, judge.ID = "drill.03-vendor-check", "drill.04-proof", "drill.05-card"
	whole := func(do func(workflow.Context) (activities.Evidence, error)) func(workflow.Context) (activities.Evidence, error) {
		return func(ctx workflow.Context) (activities.Evidence, error) {
			if !d.check.compared { // from the first key on, whatever the ledger remembers
				if err := d.check.compare(ctx, nil); err != nil {
					return activities.Evidence{}, err
				}
			}
			return do(ctx)
		}
	}
	vendor.Do, prove.Do = whole(vendor.Do), whole(prove.Do)
	return []Step{vendor, prove, judge}
}

// pair names the sides by their observed roles.
func (d *drill) pair() (activities.PairInput, pair.Roles) {
	roles := d.check.facts.Roles()
	return activities.PairInput{Site: *d.site, Primary: roles.Primary, Standby: roles.Standby}, roles
}
