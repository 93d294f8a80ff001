// Package workflows holds the runbooks: one file each, reading like the
// document it encodes. Workflow code is deterministic and does no I/O; every
// effect is an activity. The kernel (runbook.go) executes a list of steps that
// was recorded before anything is done.
package workflows

import "go.temporal.io/sdk/temporal"

// TaskQueue is the one queue that acpflow workers poll.
const TaskQueue = "acpflow"

// Workflow types, as they appear in the Temporal UI's start form.
const (
	PreflightName       = "Preflight"
	InstallName         = "Install"
	AddArchitectureName = "AddArchitecture"
	InstallPairName     = "InstallPair"
	MergeKeysName       = "MergeEncryptionKeys"
	PushPackagesName    = "PushPackages"
	FixName             = "Fix"
	UndoFixName         = "UndoFix"
	EnableSyncName      = "EnableSync"
	CheckSyncName       = "CheckSync"
	SwitchoverName      = "Switchover"
	FailoverName        = "Failover"
	ReprotectName       = "Reprotect"
	DrillName           = "Drill"
	SiteLeaseName       = "SiteLease"
)

// Handler names of every runbook.
const (
	StatusQuery   = "status"  // returns Progress
	DecideUpdate  = "decide"  // takes Decision, returns a sentence
	ApproveUpdate = "approve" // takes Approval, returns a sentence
)

// Search attributes of every runbook, all Keyword.
var (
	AttrSite        = temporal.NewSearchAttributeKeyKeyword("AcpSite")
	AttrCluster     = temporal.NewSearchAttributeKeyKeyword("AcpCluster")
	AttrRunbook     = temporal.NewSearchAttributeKeyKeyword("AcpRunbook")
	AttrChange      = temporal.NewSearchAttributeKeyKeyword("AcpChange")
	AttrRequestedBy = temporal.NewSearchAttributeKeyKeyword("AcpRequestedBy")
	AttrStep        = temporal.NewSearchAttributeKeyKeyword("AcpStep")
	AttrOutcome     = temporal.NewSearchAttributeKeyKeyword("AcpOutcome")
)

// StartAttributes are what lists find a run by before it has said more itself.
func StartAttributes(book Runbook, site string) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(AttrSite.ValueSet(site), AttrRunbook.ValueSet(book.Name))
}

// Error types that a runbook's failure carries beside the fault classes.
const (
	ErrInvalidInput = "InvalidInput" // the workflow input is not a valid Request
	ErrSiteBusy     = "SiteBusy"     // another changing run holds the site
	ErrAborted      = "Aborted"      // a person ended the run at a gate
)

// RunID is the workflow id that the CLI gives a runbook: one per site, cluster
// and verb, so that starting twice finds the first.
func RunID(verb, site, cluster string) string {
	id := verb + "/" + site
	if cluster == "" { // the site's only one
		return id
	}
	return id + "/" + cluster
}

// LeaseID is the workflow id of a site's lease. Holding it is the right to change.
func LeaseID(site string) string { return "acpflow-site-lease/" + site }
