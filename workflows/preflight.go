package workflows

import (
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/site"
)

// PreflightBook checks the nodes of a cluster and changes nothing: PREPARE of
// an install, whose findings are its result (GEN-03). Every read is kept in
// history, so the verdict can be made again without the nodes.
var PreflightBook = Runbook{
	Name: PreflightName,
	Verb: "preflight",
	Steps: func(s *site.Site, c *site.Cluster, out *Progress) []Step {
		p := newPrepare(s, c, out)
		p.advise = true
		return []Step{
			p.checkNodes("prepare.01-check-nodes"),
			p.viewPackage(),
			p.checkTogether(),
		}
	},
}

// Preflight is the workflow of PreflightBook. Its input is one Request.
func Preflight(ctx workflow.Context, input converter.RawValue) (*Progress, error) {
	return execute(ctx, PreflightBook, input)
}
