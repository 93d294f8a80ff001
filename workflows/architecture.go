package workflows

import (
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/site"
)

// AddArchitectureBook turns a single-architecture cluster into a hybrid one:
// the site's package must be the hybrid one by now (PKG-10).
var AddArchitectureBook = Runbook{
	Name:    AddArchitectureName,
	Verb:    "add-architecture",
	Changes: true,
	Steps: func(s *site.Site, c *site.Cluster, out *Progress) []Step {
		i := newInstall(s, c, out)
		return []Step{
			i.reachNodes(),

			i.inspectHybrid(),
			i.spaceBefore(),
			i.upload(),
			i.extract(),
			i.syncImages(),
			i.freeArchitecture(),

			i.nodesReady(),
		}
	},
}

// AddArchitecture is the workflow of AddArchitectureBook. Its input is one Request.
func AddArchitecture(ctx workflow.Context, input converter.RawValue) (*Progress, error) {
	return execute(ctx, AddArchitectureBook, input)
}
