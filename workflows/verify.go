package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
)

// verification is a step that only looks at the new cluster. Its check is an
// activity of activities.Cluster; a person may skip it with a reason.
func (i *install) verification(info StepInfo, check any) Step {
	info.Skippable = true
	if info.Effect == "" {
		info.Effect = Read
	}
	return Step{StepInfo: info, Do: func(ctx workflow.Context) (activities.Evidence, error) {
		var evidence activities.Evidence
		in := activities.ClusterInput{Scope: i.scope(), Settle: settleWithin}
		err := workflow.ExecuteActivity(untilReady(ctx, info.Title), check, in).Get(ctx, &evidence)
		return evidence, err
	}}
}

var clusterChecks *activities.Cluster

func (i *install) nodesReady() Step {
	return i.verification(StepInfo{ID: "verify.01-nodes", Title: "Every node is Ready", Source: []string{"VER-05"},
		Calls: []string{"GET /api/v1/nodes"}}, clusterChecks.CheckNodesReady)
}

func (i *install) clusterModule() Step {
	return i.verification(StepInfo{ID: "verify.02-cluster-module", Title: "ClusterModule global is healthy", Source: []string{"VER-05"},
		Calls: []string{"GET /apis/cluster.alauda.io/v1alpha2/clustermodules/global"}}, clusterChecks.CheckClusterModule)
}

func (i *install) appReleases() Step {
	return i.verification(StepInfo{ID: "verify.03-app-releases", Title: "No AppRelease has failed", Source: []string{"VER-02", "VER-05"},
		Calls: []string{"GET /apis/operator.alauda.io/v1alpha1/appreleases"}}, clusterChecks.CheckAppReleases)
}

func (i *install) pods() Step {
	return i.verification(StepInfo{ID: "verify.04-pods", Title: "Every Pod runs and is ready, or has completed", Source: []string{"VER-03", "VER-05"},
		Calls: []string{"GET /api/v1/pods"}}, clusterChecks.CheckPods)
}

func (i *install) platformURL() Step {
	step := i.verification(StepInfo{ID: "verify.05-platform-url", Title: "The platform answers with the expected certificate", Source: []string{"VER-04", "PAR-07", "PAR-11"},
		Calls: []string{"GET " + activities.PlatformURL(i.site)}}, clusterChecks.CheckPlatform)
	do := step.Do
	step.Do = func(ctx workflow.Context) (activities.Evidence, error) {
		i.out.PlatformURL = activities.PlatformURL(i.site)
		return do(ctx)
	}
	return step
}

func (i *install) productDocs() Step {
	return i.verification(StepInfo{ID: "verify.06-product-docs", Title: "Install the Product Docs plugin", Source: []string{"VER-06"}, Effect: Write,
		Calls: []string{"POST /apis/cluster.alauda.io/v1alpha1/moduleinfoes   # Product Docs"}}, clusterChecks.InstallProductDocs)
}

// syncImages brings the images of the second architecture into the registry (PKG-10 step 2).
func (i *install) syncImages() Step {
	in := activities.SyncImagesInput{Node: i.node, Directory: i.site.Package.Directory}
	return Step{
		StepInfo: StepInfo{ID: "execute.04-sync-images", Title: "Bring both architectures' images into the registry", Source: []string{"PKG-10"}, Effect: Write, PointOfNoReturn: true,
			Calls: []string{activities.SyncImagesCommand(in)}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.Installer
			var evidence activities.Evidence
			in.Job = jobID(ctx, "sync-images")
			err := workflow.ExecuteActivity(remoteJob(ctx, "upgrade.sh --only-sync-image=true on "+i.node.Name), a.SyncImages, in).Get(ctx, &evidence)
			return evidence, err
		},
	}
}

// freeArchitecture removes the label that ties the cluster to one architecture (PKG-10 step 3).
func (i *install) freeArchitecture() Step {
	step := i.verification(StepInfo{ID: "execute.05-free-architecture", Title: "Remove the architecture constraint of cluster global", Source: []string{"PKG-10"}, Effect: Write,
		Calls: []string{"PATCH /apis/platform.tkestack.io/v1/clusters/global   # remove label cpaas.io/node-arch-constraint"}}, clusterChecks.FreeArchitecture)
	step.Skippable = false
	return step
}

// restoreTemporary ends what a repair set only until the nodes are Ready. An
// install that ends before keeps it: the next one needs it again.
func (i *install) restoreTemporary() Step {
	return Step{
		StepInfo: StepInfo{ID: "verify.08-restore-temporary", Title: "Take back what repairs set only until the nodes are Ready", Source: []string{"CHK-09"}, Effect: Write, Skippable: true,
			Calls: []string{"undo the temporary entries of /var/lib/acpflow/repair   # every node"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var evidence activities.Evidence
			in := activities.RepairInput{Scope: i.scope()}
			err := workflow.ExecuteActivity(nodeWrite(ctx, "Restore temporary settings"), repairs.RestoreTemporary, in).Get(ctx, &evidence)
			return evidence, err
		},
	}
}
