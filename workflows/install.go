package workflows

import (
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/site"
)

// install is what the steps of one install share, beside what PREPARE found.
type install struct {
	*prepare
	node activities.Node // the installer node, first control plane (EXE-02)

	posted activities.ConfigureResult // by configure
	ended  time.Time                  // when the installer reported success
}

func newInstall(s *site.Site, c *site.Cluster, out *Progress) *install {
	return &install{prepare: newPrepare(s, c, out), node: activities.NodeOf(c, c.InstallerNode())}
}

// InstallBook installs a `global` cluster: PREPARE → EXECUTE → VERIFY (GEN-02).
var InstallBook = Runbook{
	Name:    InstallName,
	Verb:    "install",
	Changes: true,
	Steps: func(s *site.Site, c *site.Cluster, out *Progress) []Step {
		return newInstall(s, c, out).steps()
	},
}

func (i *install) steps() []Step {
	steps := []Step{
		i.checkNodes("prepare.01-check-nodes"),
		i.inspectPackage(),
		i.checkTogether(),

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
	if i.site.Platform.ProductDocs {
		steps = append(steps, i.productDocs())
	}
	return append(steps, i.installerGone(), i.restoreTemporary())
}

// Install is the workflow of InstallBook. Its input is one Request.
func Install(ctx workflow.Context, input converter.RawValue) (*Progress, error) {
	return execute(ctx, InstallBook, input)
}
