package workflows

import (
	"cmp"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/encryption"
	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/internal/fault"
)

var (
	contracts   *activities.Contract
	encryptions *activities.Encryption
	consistency *activities.Consistency
)

func (p *pairing) parameters() Step {
	return Step{
		StepInfo: StepInfo{ID: "pair.01-contract-parameters", Title: "The parameters of both sides fit a pair and one another",
			Source: []string{"DR-12", "DR-13", "DR-14", "DR-15", "DR-16", "DR-17", "DR-18", "DR-22", "DR-23"}, Effect: Read,
			Calls: []string{fmt.Sprintf("diff <(%[1]s --cluster %[2]s) <(%[1]s --cluster %[3]s)", "acpflow installer-config --site "+p.site.Name+".yaml", p.primary.cluster.Name, p.standby.cluster.Name)}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var evidence activities.Evidence
			err := workflow.ExecuteActivity(quickRead(ctx, "Compare the parameters of both sides"), contracts.CheckParameters, p.input()).Get(ctx, &evidence)
			return evidence, err
		},
	}
}

// observe tells bare machines from an installed cluster, for both sides.
func (p *pairing) observe() Step {
	return Step{
		StepInfo: StepInfo{ID: "pair.02-observe", Title: "What is installed already, and on which side", Source: []string{"GEN-04", "DR-01", "VER-05"}, Effect: Read,
			Calls: []string{"ssh USER@NODE sudo -n bash   # every control plane of both sides", "GET /api/v1/nodes, clustermodules/global, namespaces/kube-system   # where there is a cluster"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var futures []workflow.Future
			sides := []*pairSide{&p.primary, &p.standby}
			for _, side := range sides {
				futures = append(futures, workflow.ExecuteActivity(nodeRead(ctx, "Look at "+side.cluster.Name), clusterChecks.ObserveInstall, p.scope(side)))
			}
			evidence := activities.Evidence{Facts: map[string]string{}}
			var failed error
			for i, side := range sides {
				side.state = activities.InstallState{}
				if err := futures[i].Get(ctx, &side.state); err != nil {
					failed = cmp.Or(failed, err)
					continue
				}
				evidence.Facts[side.cluster.Name] = side.state.Summary
			}
			if failed != nil {
				return evidence, p.misled(ctx, failed)
			}
			evidence.Summary = p.primary.state.Summary + "; " + p.standby.state.Summary
			return evidence, p.fits()
		},
	}
}

// misled adds to a failed look that the platform's name leads to a standby which
// is not whole: a run that was terminated, or lost its lease, left it there. A
// standby that is whole may be the primary since a failover.
func (p *pairing) misled(ctx workflow.Context, cause error) error {
	if ctx.Err() != nil || p.standby.state.Installed {
		return cause
	}
	name, first, second := p.site.Platform.Address, p.primary.cluster.Name, p.standby.cluster.Name
	now, err := lookUpPlatform(ctx, p.site)
	var warning string
	switch {
	case err != nil:
		warning = fmt.Sprintf("Where %s leads is not known: %s", name, plainText(err))
	case now.Cluster == second:
		warning = fmt.Sprintf("%s leads to %s: point it at %s first, unless %s is the primary since a failover", name, second, first, second)
	default:
		return cause
	}
	return temporal.NewNonRetryableApplicationError(warning+". "+plainText(cause), string(fault.Gate), cause)
}

// fits refuses what is no half-way point of this runbook.
func (p *pairing) fits() error {
	first, second := p.primary.cluster.Name, p.standby.cluster.Name
	gate := func(format string, args ...any) error {
		return temporal.NewNonRetryableApplicationError("install the pair: "+fmt.Sprintf(format, args...), string(fault.Gate), nil)
	}
	a, b := p.primary.state, p.standby.state
	switch {
	case a.Synchronizer:
		return gate("%s carries the synchronizer, so it is the standby of %s. Fix: nothing is to be installed; acpflow check tells how the pair is", first, second)
	case !a.Installed && b.Installed && b.Synchronizer:
		return gate("%s is bare and %s is still its standby: make %s the primary first (failover, DR-41, DR-42); nothing is to be installed yet", first, second, second)
	case !a.Installed && b.Installed:
		return gate("%s is installed and %s is not, so %s is the primary. Fix: start again with --cluster %s", second, first, second, second)
	case a.Installed && b.Installed && a.UID == b.UID:
		return gate("both sides answer with the same cluster %s. Fix: correct the addresses of the nodes in the site document", a.UID)
	}
	return nil
}

// pointFirst makes the name lead to the primary before it is installed. When both
// are installed and the name leads to the other side, that may be a failover that
// nobody told acpflow of: then a person decides.
func (p *pairing) pointFirst() Step {
	step := pointPlatform("pair.03-point-dns-to-primary", "The platform's name leads to "+p.primary.cluster.Name, p.site, p.primary.cluster, nil)
	ask := step.Ask
	step.Ask = func(ctx workflow.Context) (string, error) {
		if p.primary.state.Installed && p.standby.state.Installed {
			now, err := lookUpPlatform(ctx, p.site)
			if err != nil {
				return "", err
			}
			if now.Cluster != p.primary.cluster.Name {
				return fmt.Sprintf("Both sides are installed and %s does not lead to %s but to %s. If there was a failover, %s is the primary now and must stay it. Make %s the primary?",
					p.site.Platform.Address, p.primary.cluster.Name, orNeither(now.Cluster), p.standby.cluster.Name, p.primary.cluster.Name), nil
			}
		}
		if ask == nil {
			return "", nil
		}
		return ask(ctx)
	}
	return step
}

func orNeither(cluster string) string {
	if cluster == "" {
		return "neither, or not for every server"
	}
	return cluster
}

func (p *pairing) record(id string, side *pairSide) Step {
	return Step{
		StepInfo: StepInfo{ID: id, Title: "Record the parameters of " + side.cluster.Name + " as the contract of the pair, on it", Source: []string{"DR-12", "DR-22"}, Effect: Write,
			Calls: []string{"POST /api/v1/namespaces/cpaas-system/secrets   # acpflow-pair-contract: parameters, hashes of secrets"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var evidence activities.Evidence
			err := workflow.ExecuteActivity(nodeWrite(ctx, "Record the contract on "+side.cluster.Name), contracts.RecordContract, p.scope(side)).Get(ctx, &evidence)
			return evidence, err
		},
	}
}

// pointAtStandby is only for the standby's install: whatever ends that, the name
// goes back to the primary.
func (p *pairing) pointAtStandby() Step {
	step := pointPlatform("pair.05-point-dns-to-standby", "The platform's name leads to "+p.standby.cluster.Name+" while it is installed", p.site, p.standby.cluster, p.primary.cluster)
	step.Always = true
	return unless(p.standby.installed, step)
}

func (p *pairing) pointBack() Step {
	return pointPlatform("pair.08-point-dns-to-primary", "The platform's name leads to "+p.primary.cluster.Name+" again", p.site, p.primary.cluster, nil)
}

func (p *pairing) copyKey() Step {
	in := activities.CopyKeysInput{PairInput: p.input()}
	return unless(p.standby.installed, Step{
		StepInfo: StepInfo{ID: "pair.06-copy-encryption-key", Title: "Give every control plane of " + p.standby.cluster.Name + " the encryption key of " + p.primary.cluster.Name,
			Source: []string{"DR-11", "DR-21", "DR-24"}, Effect: Write,
			Calls: []string{"copy " + encryption.Path + " of " + p.primary.cluster.InstallerNode().Name + " to every control plane of " + p.standby.cluster.Name + ", root:root 0600   # through the worker's memory"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var evidence activities.Evidence
			in.Run = runID(ctx)
			err := workflow.ExecuteActivity(nodeWrite(ctx, "Copy the encryption key to "+in.Standby), encryptions.CopyKeys, in).Get(ctx, &evidence)
			return evidence, err
		},
		Undo: func(ctx workflow.Context) (activities.Evidence, error) {
			var evidence activities.Evidence
			in.Run = runID(ctx)
			err := workflow.ExecuteActivity(nodeWrite(ctx, "Undo: remove the encryption key from "+in.Standby), encryptions.RemoveKeys, in).Get(ctx, &evidence)
			return evidence, err
		},
	})
}

func (p *pairing) compareKeys() Step {
	return Step{
		StepInfo: StepInfo{ID: "pair.09-compare-encryption-keys", Title: "Every control plane of both sides has the same encryption key", Source: []string{"DR-24"}, Effect: Read,
			Calls: []string{"sha256sum " + encryption.Path + "   # every control plane of both sides"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var evidence activities.Evidence
			err := workflow.ExecuteActivity(nodeRead(ctx, "Compare the encryption keys"), encryptions.CompareKeys, p.input()).Get(ctx, &evidence)
			return evidence, err
		},
	}
}

// proof ends the runbook: the standby holds what the primary holds. The standby
// remembers it, so that a failover before the first check knows that much.
func (p *pairing) proof() Step {
	return Step{
		StepInfo: StepInfo{ID: "pair.10-proof", Title: "The standby holds what the primary holds, key by key and value by value", Source: []string{"DR-03", "DR-33", "DR-41"}, Effect: Write,
			Calls: []string{"read both etcds at pinned revisions and compare   # port 2379 of a control plane of each side",
				"PUT /api/v1/namespaces/cpaas-system/configmaps/acpflow-sync-ledger   # on " + p.standby.cluster.Name + ": when both were equal; never synchronised"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var proof etcd.Proof
			in := activities.ProveInput{Site: *p.site, Primary: p.primary.cluster.Name, Standby: p.standby.cluster.Name, Owners: true}
			if err := workflow.ExecuteActivity(proving(ctx, "Prove that both sides hold the same"), consistency.Prove, in).Get(ctx, &proof); err != nil {
				return activities.Evidence{}, err
			}
			evidence := activities.Evidence{
				Summary: fmt.Sprintf("%d keys compared: %d missed, %d surplus, %d different, %d owners missing", proof.Compared, proof.Missed, proof.Surplus, proof.Different, proof.Orphans),
				Facts:   map[string]string{"digest": proof.Digest, "seconds": fmt.Sprintf("%.1f", proof.Seconds)},
			}
			if !proof.Clean() {
				return evidence, temporal.NewNonRetryableApplicationError("the standby does not hold what the primary holds: "+evidence.Summary+
					". Fix: see acpflow check for the keys; retry when the synchronizer has caught up", string(fault.Gate), nil)
			}
			return evidence, p.remember(ctx, activities.ProofFact(proof), evidence.Summary)
		},
	}
}

// remember writes into the standby's ledger that both sides are equal.
func (p *pairing) remember(ctx workflow.Context, proof pair.Proof, summary string) error {
	in := activities.LedgerInput{Scope: p.scope(&p.standby),
		Past: pair.Past{At: workflow.Now(ctx).UTC(), Run: runID(ctx), Outcome: string(Succeeded), Summary: summary},
		Good: &pair.Good{At: proof.Taken, Primary: proof.Primary, Standby: proof.Standby, Digest: proof.Digest, Compared: proof.Compared,
			From: p.primary.cluster.Name, To: p.standby.cluster.Name}}
	return workflow.ExecuteActivity(watching(ctx, "Write the ledger of "+in.Cluster), pairSides.RecordCheck, in).Get(ctx, nil)
}

// synchronize are the steps that make the standby follow the primary. One that this
// run has installed holds nothing that could be lost, whatever the records say.
func (p *pairing) synchronize() []Step {
	found := func() bool { return p.standby.state.Installed }
	return newSync(p.site, p.standby.cluster, p.out).heeding(found).steps()
}
