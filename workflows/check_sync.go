package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/site"
)

// CheckSyncBook checks a disaster recovery pair (DR-33, DR-41): both sides
// against one another, the vendor's own check, acpflow's own proof. It changes
// nothing but what the site allows: a canary, and the recreation of the
// synchronizer's Pod where keys are missed. A monitor starts it again and again.
var CheckSyncBook = Runbook{
	Name: CheckSyncName, Verb: "check", Pair: true, Roles: true,
	Steps: func(s *site.Site, _ *site.Cluster, out *Progress) []Step {
		c := &syncCheck{site: s, out: out}
		steps := []Step{c.observe(), c.vendor(), c.prove()}
		if s.DR.Sync.Canary != nil {
			steps = append(steps, unless(c.noPair, c.canary()))
		}
		return append(steps, unless(c.nothingToRepair, c.repair()), c.judge(), unless(c.noLedger, c.remember()))
	},
}

// CheckSync is the workflow of CheckSyncBook. Its input is one Request.
func CheckSync(ctx workflow.Context, input converter.RawValue) (*Progress, error) {
	return execute(ctx, CheckSyncBook, input)
}

// again is how long what rarely changes is not read again, and how long a proof
// may build on earlier ones, while nothing is wrong.
const again = time.Hour

// SyncVerdict sums up a check of the pair.
type SyncVerdict struct {
	pair.Card
	Summary string      `json:"summary"`         // one line
	Proof   *pair.Proof `json:"proof,omitempty"` // acpflow's own, where one was made

	Resources []etcd.ResourceDiff `json:"resources,omitempty"` // what the proof found, by resource
	Ignored   []etcd.IgnoredClass `json:"ignored,omitempty"`   // what it left out, and why

	Repairs int    `json:"repairs,omitempty"` // times the synchronizer's Pod was recreated
	Note    string `json:"note,omitempty"`    // why nothing was repaired although keys are missed
}

// syncCheck holds what the steps of one check share.
type syncCheck struct {
	site *site.Site
	out  *Progress

	facts    pair.Facts
	earlier  *pair.Card // whose slow facts stand
	proof    *etcd.Proof
	compared bool
	repairs  int
	note     string
}

func (c *syncCheck) input() activities.PairInput {
	roles := c.facts.Roles()
	return activities.PairInput{Site: *c.site, Primary: roles.Primary, Standby: roles.Standby}
}

func (c *syncCheck) scope(cluster string) activities.Scope {
	return activities.Scope{Site: *c.site, Cluster: cluster}
}

// noPair tells why the two sides can't be compared; "" = they can.
func (c *syncCheck) noPair() string {
	if roles := c.facts.Roles(); roles.Primary == "" {
		return roles.Why
	}
	for _, s := range c.facts.Sides {
		if s.Fault != nil {
			return fmt.Sprintf("%s can't be reached: %s", s.Cluster, s.Fault.Message)
		}
	}
	return ""
}

// observe looks at both sides at once, and at what lies between them.
func (c *syncCheck) observe() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "check.01-observe-sides", Title: "Look at both sides: roles, versions, synchronizer, Machines, keys, certificates, clocks, ports, the platform's domain",
			Source: []string{"DR-01", "DR-22", "DR-24", "DR-30", "DR-31", "DR-41"}, Effect: Read,
			Calls: []string{
				"GET /api/v1/namespaces/kube-system, moduleinfoes, machines.platform.tkestack.io, pods -l app=etcd-sync   # both sides",
				"ssh USER@CONTROL-PLANE cat /etc/kubernetes/encryption-provider.conf /etc/kubernetes/pki/*.crt; date   # once an hour, hashes only",
				fmt.Sprintf("dig %s   # every name server of the site", c.site.Platform.Address),
			},
		},
		Do: c.doObserve,
	}
}

func (c *syncCheck) doObserve(ctx workflow.Context) (activities.Evidence, error) {
	c.earlier = c.lately(ctx)
	c.proof, c.compared = nil, false
	deep := c.earlier == nil
	var view activities.PairView
	in := activities.PairViewInput{Site: *c.site, Deep: deep}
	if err := c.do(watching(ctx, "Look at both sides"), deep, "ObservePair", in, &view); err != nil {
		return activities.Evidence{}, err
	}
	c.facts = pair.Facts{Site: *c.site, Sides: view.Sides, Address: view.Address, Contract: view.Contract}
	return activities.Evidence{Summary: c.sidesSummary(deep)}, nil
}

// do does one activity of the check. In a routine check, which builds on an
// earlier one and reads little, it is done in place.
func (c *syncCheck) do(ctx workflow.Context, long bool, name string, in, out any) error {
	if c.earlier == nil || long {
		return workflow.ExecuteActivity(ctx, name, in).Get(ctx, out)
	}
	return inPlaceFirst(ctx, name, in, out)
}

// lately is the card of the monitor's check before this one, when what rarely
// changes need not be read again.
func (c *syncCheck) lately(ctx workflow.Context) *pair.Card {
	if c.out.Request.Full || !workflow.HasLastCompletionResult(ctx) {
		return nil
	}
	var last Progress
	if err := workflow.GetLastCompletionResult(ctx, &last); err != nil || last.Sync == nil {
		return nil
	}
	card := last.Sync.Card
	if last.SiteSHA256 != c.out.SiteSHA256 || !card.Carries() || workflow.Now(ctx).Sub(card.Deep) >= again {
		return nil
	}
	return &card
}

func (c *syncCheck) sidesSummary(deep bool) string {
	roles := c.facts.Roles()
	text := "who is primary can't be told: " + roles.Why
	if roles.Primary != "" {
		text = fmt.Sprintf("primary %s, standby %s, by the %s", roles.Primary, roles.Standby, roles.By)
	}
	for _, s := range c.facts.Sides {
		if s.Fault != nil {
			text += fmt.Sprintf("; %s can't be reached: %s", s.Cluster, s.Fault.Message)
		}
	}
	if !deep {
		text += fmt.Sprintf("; what rarely changes was read at %s", c.earlier.Deep.UTC().Format(time.TimeOnly))
	}
	return text
}
