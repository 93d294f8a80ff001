// Package checks holds the node rules of the document as data, judged from
// facts by pure functions. Nothing here opens a connection: one collector
// script per node prints the facts, and the same facts can be judged again
// later, offline, under another profile.
package checks

// Outcome of one rule on one node. Error ("could not tell") is never a pass.
type Outcome string

// The outcomes.
const (
	Pass    Outcome = "pass"
	Warn    Outcome = "warn"
	Fail    Outcome = "fail"
	Error   Outcome = "error"   // could not tell
	Skipped Outcome = "skipped" // the rule's condition does not hold
	Waived  Outcome = "waived"  // failed, and the site document accepts it
)

// Finding is the verdict of one rule on one node ("" = the whole cluster).
type Finding struct {
	Rule    string   `json:"rule"`
	Title   string   `json:"title"`
	Node    string   `json:"node,omitempty"`
	Outcome Outcome  `json:"outcome"`
	Seen    string   `json:"seen,omitempty"`   // what was found, short
	Want    string   `json:"want,omitempty"`   // what the rule demands
	Fix     string   `json:"fix,omitempty"`    // exact command or edit
	Reason  string   `json:"reason,omitempty"` // why skipped, waived or in error
	Source  string   `json:"source,omitempty"` // document heading
	Nodes   []string `json:"nodes,omitempty"`  // of a finding about the cluster: those at fault
}

// Said is what was seen, with the reason behind it in brackets.
func (f Finding) Said() string {
	if f.Seen == "" || f.Reason == "" {
		return f.Seen + f.Reason
	}
	return f.Seen + " (" + f.Reason + ")"
}

// Blocking reports whether the finding stops an install.
func (f Finding) Blocking() bool { return f.Outcome == Fail || f.Outcome == Error }
