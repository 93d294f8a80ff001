// Package activities holds the effects of the runbooks: one file per outside
// system. Each activity observes, returns if the world is already so, acts,
// and confirms. Each takes one Input and returns one Result. Inputs carry
// references to secrets; values are resolved here and never returned.
package activities

import (
	"encoding/json"

	"github.com/acpflow/acpflow/checks"
)

// Evidence is what a step saw and did, fit for a change review: no secrets,
// bounded in size.
type Evidence struct {
	Summary  string            `json:"summary"`            // one sentence
	Host     string            `json:"host,omitempty"`     // where it was done
	Command  string            `json:"command,omitempty"`  // SHA-256 of the script that ran
	ExitCode *int              `json:"exitCode,omitempty"` // of that script
	Tail     string            `json:"tail,omitempty"`     // end of its output, at most 2 KiB
	Facts    map[string]string `json:"facts,omitempty"`    // counts, hashes, sizes
	Findings []checks.Finding  `json:"findings,omitempty"`
}

// Progress is the heartbeat of a long activity; `acpflow watch` draws it.
type Progress struct {
	Text  string `json:"text,omitempty"`  // what is going on
	Done  int64  `json:"done,omitempty"`  // in Unit
	Total int64  `json:"total,omitempty"` // 0 = unknown
	Unit  string `json:"unit,omitempty"`  // "bytes", "steps" or "nodes"

	Resume json.RawMessage `json:"resume,omitempty"` // for the next attempt only
}
