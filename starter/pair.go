package main

import (
	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/workflows"
)

func newInstallPairCmd() *cobra.Command {
	return newStartCmd(workflows.InstallPairBook, "install-pair",
		"Install a disaster recovery pair: --cluster becomes the primary, the other one follows it (DR-11)",
		`  acpflow install-pair --site moscow --cluster west --change CHG-1042
  acpflow install-pair --site moscow --cluster west      # again: what is installed and healthy is left alone`)
}

func newMergeKeysCmd() *cobra.Command {
	return newStartCmd(workflows.MergeKeysBook, "merge-keys",
		"Give both sides of a pair both encryption keys, one node at a time (FAQ-01…05); --cluster is the primary",
		`  acpflow merge-keys --site moscow --cluster west --change CHG-1042`)
}

func newPushCmd() *cobra.Command {
	var f startFlags
	push := &activities.PackagePush{}
	cmd := &cobra.Command{
		Use: "push", Short: "Push a package of the vendor to one side with violet; a standby gets it into its own registry (DR-50)", Args: cobra.NoArgs,
		Example: `  acpflow push --site moscow --cluster east --package /packages/etcd-sync.tgz`,
		RunE: withTemporal(func(cmd *cobra.Command, _ []string, c client.Client) error {
			if err := f.output.check(); err != nil {
				return err
			}
			f.request.Push = push
			return f.start(cmd, c, workflows.PushPackagesBook)
		}),
	}
	f.register(cmd, false)
	f.output.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&push.Package, "package", "", "path of the package where the worker runs")
	flags.StringSliceVar(&push.Clusters, "clusters", nil, "workload clusters that shall get it")
	flags.StringVar(&push.CatalogSource, "target-catalog-source", "", "catalog source that shall get it")
	flags.BoolVar(&push.SkipCRs, "skip-crs", false, "images only")
	flags.BoolVar(&push.SkipPush, "skip-push", false, "objects only")
	return cmd
}
