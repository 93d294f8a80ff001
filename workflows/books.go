package workflows

import (
	"fmt"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/site"
)

// Books are the runbooks by workflow type, in the order the CLI lists them.
var Books = []Runbook{PreflightBook, FixBook, UndoFixBook, InstallBook, AddArchitectureBook, InstallPairBook, EnableSyncBook, CheckSyncBook, SwitchoverBook, FailoverBook, ReprotectBook, DrillBook, MergeKeysBook, PushPackagesBook}

// Register puts every workflow on the worker under its fixed name. Runbooks are
// pinned: a run that began under one build ends under it where builds can stay up.
func Register(w worker.WorkflowRegistry) {
	pinned := func(name string) workflow.RegisterOptions {
		return workflow.RegisterOptions{Name: name, VersioningBehavior: workflow.VersioningBehaviorPinned}
	}
	w.RegisterWorkflowWithOptions(Preflight, pinned(PreflightName))
	w.RegisterWorkflowWithOptions(Fix, pinned(FixName))
	w.RegisterWorkflowWithOptions(UndoFix, pinned(UndoFixName))
	w.RegisterWorkflowWithOptions(Install, pinned(InstallName))
	w.RegisterWorkflowWithOptions(AddArchitecture, pinned(AddArchitectureName))
	w.RegisterWorkflowWithOptions(InstallPair, pinned(InstallPairName))
	w.RegisterWorkflowWithOptions(EnableSync, pinned(EnableSyncName))
	w.RegisterWorkflowWithOptions(CheckSync, workflow.RegisterOptions{ // a monitor's checks are short and come again: the newest build does them
		Name: CheckSyncName, VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade})
	w.RegisterWorkflowWithOptions(Switchover, pinned(SwitchoverName))
	w.RegisterWorkflowWithOptions(Failover, pinned(FailoverName))
	w.RegisterWorkflowWithOptions(Reprotect, pinned(ReprotectName))
	w.RegisterWorkflowWithOptions(Drill, pinned(DrillName))
	w.RegisterWorkflowWithOptions(MergeEncryptionKeys, pinned(MergeKeysName))
	w.RegisterWorkflowWithOptions(PushPackages, pinned(PushPackagesName))
	w.RegisterWorkflowWithOptions(SiteLease, workflow.RegisterOptions{
		Name: SiteLeaseName, VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade})
}

// PlanOf lists a runbook's steps for a site without running anything. It is
// the same list that a run records.
func PlanOf(book Runbook, snapshot site.Snapshot, cluster string) (Plan, error) {
	c, ok := snapshot.Site.Cluster(cluster)
	if book.Roles && cluster == "" && len(snapshot.Site.Clusters) > 0 {
		c, ok = &snapshot.Site.Clusters[0], true
	}
	if !ok {
		return Plan{}, fmt.Errorf("site %s has no cluster %q", snapshot.Name, cluster)
	}
	if _, ok := snapshot.Site.Partner(c.Name); book.Pair && !ok {
		return Plan{}, fmt.Errorf("site %s has one cluster; %s needs a pair", snapshot.Name, book.Verb)
	}
	steps := book.Steps(&snapshot.Site, c, &Progress{})
	return Plan{Runbook: book.Name, Site: snapshot.Name, Cluster: c.Name, SiteSHA256: snapshot.SHA256, Steps: infos(steps)}, nil
}

// BookNamed finds a runbook by its CLI verb.
func BookNamed(verb string) (Runbook, bool) {
	for _, b := range Books {
		if b.Verb == verb {
			return b, true
		}
	}
	return Runbook{}, false
}
