package workflows

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
)

// Effect says what a step does to the world.
type Effect string

// The effects.
const (
	Read        Effect = "read"
	Write       Effect = "write"
	Destructive Effect = "destructive"
)

// StepInfo is the recorded part of a step: what `plan` prints and what history
// keeps before anything is done.
type StepInfo struct {
	ID              string   `json:"id"` // "execute.02-upload"
	Title           string   `json:"title"`
	Source          []string `json:"source,omitempty"` // requirement ids and document headings
	Effect          Effect   `json:"effect"`
	Reversible      bool     `json:"reversible,omitempty"`      // an abort undoes it
	Skippable       bool     `json:"skippable,omitempty"`       // a person may skip it with a reason
	Approval        bool     `json:"approval,omitempty"`        // it may wait for an approval before it acts
	Strict          bool     `json:"strict,omitempty"`          // that approval follows the site's policy.approvals: never by who asked for the run
	PointOfNoReturn bool     `json:"pointOfNoReturn,omitempty"` // from here on an abort does not undo it, nor what came before
	Always          bool     `json:"always,omitempty"`          // undone on abort before all others, also after the point of no return
	Beside          string   `json:"beside,omitempty"`          // neighbours with the same word run at the same time
	Waits           float64  `json:"waitsSeconds,omitempty"`    // what it waits by design: caches, soaking, repeated looks
	Calls           []string `json:"calls,omitempty"`           // the very commands and API calls
}

// Step is a recorded step with the code that does and undoes it. Do must be
// safe to repeat; Undo must succeed when there is nothing to undo. Ask, where it
// is set, says before each try of Do what a person must approve; an empty
// answer means that there is nothing to ask. A step made by unless may turn out
// not to be needed.
type Step struct {
	StepInfo
	Ask  func(ctx workflow.Context) (question string, err error)
	Do   func(ctx workflow.Context) (activities.Evidence, error)
	Undo func(ctx workflow.Context) (activities.Evidence, error)
	// Hold, where set, is asked before anything is taken back once the step was begun.
	// Its error keeps everything as it is; an unsure one only until a person who was
	// told of it wants the undo all the same.
	Hold func(ctx workflow.Context, told bool) error

	unneeded func() string // why it is not needed; "" = it is
}

// unless is a step that is left out when why, asked right before it, gives a
// reason. The step then counts as done, and as never begun. The first reason of
// nested ones wins.
func unless(why func() string, s Step) Step {
	inner := s.unneeded
	s.unneeded = func() string {
		if reason := why(); reason != "" || inner == nil {
			return reason
		}
		return inner()
	}
	return s
}

// Plan is the ordered list of steps of one run, before it is run.
type Plan struct {
	Runbook    string     `json:"runbook"`
	Site       string     `json:"site"`
	Cluster    string     `json:"cluster"`
	SiteSHA256 string     `json:"siteSha256"` // of the resolved site document
	Steps      []StepInfo `json:"steps"`
}

// Digest is the SHA-256 of the plan's JSON, hex.
func (p Plan) Digest() string {
	b, err := json.Marshal(p)
	if err != nil { // strings and bools only: cannot happen
		panic(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func infos(steps []Step) []StepInfo {
	out := make([]StepInfo, len(steps))
	for i, s := range steps {
		out[i] = s.StepInfo
		out[i].Reversible = s.Undo != nil
		out[i].Approval = s.Ask != nil
	}
	return out
}
