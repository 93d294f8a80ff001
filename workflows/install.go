package workflows

import (
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/site"
)

// InstallBook installs a `global` cluster: PREPARE → EXECUTE → VERIFY (GEN-02).
var InstallBook = Runbook{
	Name:    InstallName,
	Verb:    "install",
	Changes: true,
	Steps: func(s *site.Site, c *site.Cluster, out *Progress) []Step {
		i := newInstall(s, c, out)
		steps := []Step{
			i.reachNodes(),
			i.checkNodes(),
			i.checkTogether(),

			i.inspectPackage(),
			i.spaceBefore(),
			i.upload(),
			i.extract(),
			i.spaceAfter(),
			i.setup(),
			i.waitInstaller(),
			i.configure(),
			i.watch(),

			i.nodesReady(),
			i.clusterModule(),
			i.appReleases(),
			i.pods(),
			i.platformURL(),
		}
		if s.Platform.ProductDocs {
			steps = append(steps, i.productDocs())
		}
		return append(steps, i.installerGone())
	},
}

// Install is the workflow of InstallBook. Its input is one Request.
func Install(ctx workflow.Context, input converter.RawValue) (*Progress, error) {
	return execute(ctx, InstallBook, input)
}
