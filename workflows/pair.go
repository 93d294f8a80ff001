package workflows

import (
	"slices"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/site"
)

// pairing is what the steps of a pair's install share. The request names the
// primary; what each side already is, is observed.
type pairing struct {
	site    *site.Site
	out     *Progress
	primary pairSide
	standby pairSide
}

type pairSide struct {
	cluster *site.Cluster
	state   activities.InstallState // by observe
}

func newPairing(s *site.Site, primary *site.Cluster, out *Progress) *pairing {
	standby, _ := s.Partner(primary.Name) // a pair has one, see Runbook.Pair
	return &pairing{site: s, out: out, primary: pairSide{cluster: primary}, standby: pairSide{cluster: standby}}
}

func (p *pairing) input() activities.PairInput {
	return activities.PairInput{Site: *p.site, Primary: p.primary.cluster.Name, Standby: p.standby.cluster.Name}
}

func (p *pairing) scope(side *pairSide) activities.Scope {
	return activities.Scope{Site: *p.site, Cluster: side.cluster.Name}
}

// InstallPairBook installs a disaster recovery pair: the primary, the standby
// with the primary's key while the platform's name leads to it, the
// synchronizer, and the proof that both hold the same (DR-11). What is installed
// and healthy is left alone, so a run that ended half-way is started again.
var InstallPairBook = Runbook{
	Name:    InstallPairName,
	Verb:    "install-pair",
	Changes: true,
	Pair:    true,
	Steps: func(s *site.Site, c *site.Cluster, out *Progress) []Step {
		p := newPairing(s, c, out)
		return slices.Concat(
			[]Step{p.parameters(), p.observe(), p.pointFirst()},
			p.install(&p.primary),
			[]Step{p.record("pair.04-record-contract", &p.primary), p.pointAtStandby(), p.copyKey()},
			p.install(&p.standby),
			[]Step{p.record("pair.07-record-contract", &p.standby), p.pointBack(), p.compareKeys()},
			p.synchronize(),
			[]Step{p.proof()},
		)
	},
}

// InstallPair is the workflow of InstallPairBook. Its input is one Request.
func InstallPair(ctx workflow.Context, input converter.RawValue) (*Progress, error) {
	return execute(ctx, InstallPairBook, input)
}

// install are the steps of one side's install, with the cluster's name before
// their ids. They are not needed where the side is installed already.
func (p *pairing) install(side *pairSide) []Step {
	steps := newInstall(p.site, side.cluster, p.out).steps()
	for i := range steps {
		steps[i].ID = side.cluster.Name + "." + steps[i].ID
		steps[i] = unless(side.installed, steps[i])
	}
	return steps
}

// installed says, where it is so, that nothing is to be installed.
func (s *pairSide) installed() string {
	if !s.state.Installed {
		return ""
	}
	return s.cluster.Name + " is installed and healthy"
}
