package workflows

import (
	"time"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks"
)

// StepState is where a step stands.
type StepState string

// The states of a step.
const (
	Pending   StepState = "pending"
	Running   StepState = "running"
	Parked    StepState = "parked" // failed; a person decides
	Done      StepState = "done"
	SkippedBy StepState = "skipped" // a person skipped it, with a reason
	NotRun    StepState = "not-run" // the run ended before it
	Undone    StepState = "undone"
	WouldRun  StepState = "would-run" // a dry run ended before it
)

// StepProgress is one line of the checklist.
type StepProgress struct {
	StepInfo
	State    StepState            `json:"state"`
	Tries    int                  `json:"tries,omitempty"` // times the step was begun
	Started  *time.Time           `json:"started,omitempty"`
	Ended    *time.Time           `json:"ended,omitempty"`
	Evidence *activities.Evidence `json:"evidence,omitempty"`
	Error    string               `json:"error,omitempty"` // of the last try
}

// Outcome is how a run stands or ended.
type Outcome string

// The outcomes.
const (
	InProgress Outcome = "running"
	Waiting    Outcome = "waiting-for-decision"
	Undoing    Outcome = "undoing"
	Succeeded  Outcome = "succeeded"
	FailedRun  Outcome = "failed"
	Aborted    Outcome = "aborted"
	Cancelled  Outcome = "cancelled"

	ChecksFailed Outcome = "checks-failed" // the run did its work, and the nodes are not fit
)

// Verdict sums up a check of the nodes.
type Verdict struct {
	Nodes    checks.Tally `json:"nodes"`    // rules about one node
	Together checks.Tally `json:"together"` // rules about the cluster as a whole
	Blocking bool         `json:"blocking"` // not fit for an install
}

// Progress answers the status query and is a runbook's result.
type Progress struct {
	Runbook     string         `json:"runbook"`
	Request     Request        `json:"request"`
	Cluster     string         `json:"cluster,omitempty"`
	SiteSHA256  string         `json:"siteSha256,omitempty"`
	PlanDigest  string         `json:"planDigest,omitempty"`
	Outcome     Outcome        `json:"outcome"`
	Started     time.Time      `json:"started"`
	Ended       *time.Time     `json:"ended,omitempty"`
	PlatformURL string         `json:"platformUrl,omitempty"`
	Checks      *Verdict       `json:"checks,omitempty"` // of the last check of the nodes
	Sync        *SyncVerdict   `json:"sync,omitempty"`   // of a check of the pair
	Recovery    *Recovery      `json:"recovery,omitempty"`
	Steps       []StepProgress `json:"steps"`
	Gate        *Gate          `json:"gate,omitempty"` // set while a person is asked
	Decisions   []Decided      `json:"decisions,omitempty"`
}

// Counts returns how many steps are finished, and of how many.
func (p *Progress) Counts() (finished, total int) {
	for _, s := range p.Steps {
		if s.State == Done || s.State == SkippedBy {
			finished++
		}
	}
	return finished, len(p.Steps)
}
