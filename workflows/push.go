package workflows

import (
	"errors"
	"path"
	"strings"
	"unicode"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// PushPackagesBook uploads a package of the vendor to one side. A standby gets it
// at its own address and into its own registry; else it would land in the
// primary's, and block installs and upgrades on the standby (DR-50).
var PushPackagesBook = Runbook{
	Name:    PushPackagesName,
	Verb:    "push",
	Changes: true,
	Steps: func(s *site.Site, c *site.Cluster, out *Progress) []Step {
		p := &pushing{site: s, cluster: c, out: out}
		return []Step{p.side(), p.verify(), p.push()}
	},
	Demands: demandsPackage,
}

// PushPackages is the workflow of PushPackagesBook. Its input is one Request.
func PushPackages(ctx workflow.Context, input converter.RawValue) (*Progress, error) {
	return execute(ctx, PushPackagesBook, input)
}

// demandsPackage refuses what violet could not be told.
func demandsPackage(r Request) error {
	p := r.Push
	switch {
	case p == nil || p.Package == "":
		return errors.New(`"push.package" is missing: name the package's path on the worker`)
	case !path.IsAbs(p.Package):
		return errors.New(`"push.package" must be a path from / on`)
	case p.SkipCRs && p.SkipPush:
		return errors.New(`"push.skipCRs" and "push.skipPush" exclude one another`)
	case strings.ContainsFunc(p.Package+p.CatalogSource+strings.Join(p.Clusters, ""), unicode.IsControl):
		return errors.New(`"push" must hold no control characters`)
	case strings.HasPrefix(p.CatalogSource, "-"):
		return errors.New(`"push.catalogSource" is a name`)
	}
	for _, c := range p.Clusters {
		if !site.IsLabel(c) {
			return errors.New(`"push.clusters" are names of clusters`)
		}
	}
	return nil
}

// pushing is what the steps of one upload share.
type pushing struct {
	site    *site.Site
	cluster *site.Cluster
	out     *Progress
	primary bool // by side: for sure
}

func (p *pushing) input() activities.PushInput {
	in := activities.PushInput{Scope: activities.Scope{Site: *p.site, Cluster: p.cluster.Name}, Primary: p.primary}
	if push := p.out.Request.Push; push != nil { // a plan has no request
		in.PackagePush = *push
	} else {
		in.Package = "PACKAGE"
	}
	return in
}

// side finds out whether the cluster is the primary. Only what is the primary for
// sure gets a package by the platform's name.
func (p *pushing) side() Step {
	return Step{
		StepInfo: StepInfo{ID: "push.01-side", Title: "Which side " + p.cluster.Name + " is", Source: []string{"DR-08", "DR-50"}, Effect: Read,
			Calls: []string{"look up " + p.site.Platform.Address, "GET moduleinfoes   # etcd-sync"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			p.primary = true
			said := p.cluster.Name + " is the only cluster"
			if _, pair := p.site.Partner(p.cluster.Name); pair {
				var err error
				if p.primary, err = p.isPrimary(ctx); err != nil {
					return activities.Evidence{}, err
				}
				said = p.cluster.Name + " is the primary"
				if !p.primary {
					said = p.cluster.Name + " is the standby, or not the primary for sure"
				}
			}
			push, err := activities.PushOf(p.input())
			if err != nil {
				return activities.Evidence{}, temporal.NewNonRetryableApplicationError(err.Error(), string(fault.ClassOf(err)), nil)
			}
			return activities.Evidence{Summary: said, Facts: map[string]string{"command": push.String()}}, nil
		},
	}
}

func (p *pushing) isPrimary(ctx workflow.Context) (bool, error) {
	var state activities.InstallState
	scope := activities.Scope{Site: *p.site, Cluster: p.cluster.Name}
	if err := workflow.ExecuteActivity(nodeRead(ctx, "Look at "+p.cluster.Name), clusterChecks.ObserveInstall, scope).Get(ctx, &state); err != nil {
		return false, err
	}
	if state.Synchronizer || p.site.DR.DNS == nil {
		return false, nil
	}
	now, err := lookUpPlatform(ctx, p.site)
	return now.Agreed && now.Cluster == p.cluster.Name, err
}

func (p *pushing) verify() Step {
	return Step{
		StepInfo: StepInfo{ID: "push.02-verify", Title: "The package is whole", Source: []string{"DR-50"}, Effect: Read, Skippable: true,
			Calls: []string{"violet verify PACKAGE   # on the worker"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.Packages
			var evidence activities.Evidence
			err := workflow.ExecuteActivity(transfer(ctx, "Verify the package"), a.VerifyPackage, p.input()).Get(ctx, &evidence)
			return evidence, err
		},
	}
}

func (p *pushing) push() Step {
	return Step{
		StepInfo: StepInfo{ID: "push.03-push", Title: "Push the package to " + p.cluster.Name, Source: []string{"DR-08", "DR-50"}, Effect: Write, Calls: p.calls()},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.Packages
			var evidence activities.Evidence
			err := workflow.ExecuteActivity(transfer(ctx, "Push to "+p.cluster.Name), a.PushPackage, p.input()).Get(ctx, &evidence)
			return evidence, err
		},
	}
}

// calls are the commands for either role: a plan does not know it.
func (p *pushing) calls() []string {
	roles := []string{"the primary", "the standby"}
	if len(p.site.Clusters) == 1 {
		roles = roles[:1]
	}
	var out []string
	for i, role := range roles {
		in := p.input()
		in.Primary = i == 0
		push, err := activities.PushOf(in)
		if err != nil {
			out = append(out, "("+err.Error()+")")
			continue
		}
		out = append(out, push.String()+"   # as "+role)
	}
	return out
}
