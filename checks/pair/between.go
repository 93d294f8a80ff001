package pair

import (
	"encoding/json"
	"slices"
	"time"
)

// Address is what the name servers say of the platform's domain.
type Address struct {
	Cluster string   `json:"cluster"` // whose VIP every authoritative server gives; "" = neither, or they differ
	Answers []Answer `json:"answers"`
	Stale   bool     `json:"stale,omitempty"`  // a resolver still says something else
	Silent  []string `json:"silent,omitempty"` // "server: why it gave no answer"
	TTL     int      `json:"ttl"`              // seconds, of the authoritative servers
}

// Answer is one server's.
type Answer struct {
	Server    string   `json:"server"`
	Addresses []string `json:"addresses"`
}

// Contract is how both sides fit what was agreed on for the pair (DR-12, DR-22).
type Contract struct {
	Differences []string `json:"differences,omitempty"`
	Compared    int      `json:"compared"` // terms
}

// Vendor is the synchronizer's own report (DR-33).
type Vendor struct {
	Missed  int      `json:"missed"`
	Surplus int      `json:"surplus"`
	Samples []string `json:"samples,omitempty"`
	Unclear string   `json:"unclear,omitempty"` // why the text is not understood: then nothing is known
}

// Position is how far an etcd has come.
type Position struct {
	ClusterID string `json:"clusterId"`
	Revision  int64  `json:"revision"`
}

// Proof is acpflow's own comparison of both etcds.
type Proof struct {
	Mode      string    `json:"mode"` // full or incremental
	Taken     time.Time `json:"taken"`
	Primary   Position  `json:"primary"`
	Standby   Position  `json:"standby"`
	Compared  int       `json:"compared"`
	Missed    int       `json:"missed"`
	Surplus   int       `json:"surplus"`
	Different int       `json:"different"`
	Dangling  int       `json:"dangling"`         // objects whose owner is not on the standby; 0 also where Owners is false
	Owners    bool      `json:"owners,omitempty"` // owners were looked at: a full proof does
	Clean     bool      `json:"clean"`
	Samples   []string  `json:"samples,omitempty"`
	Digest    string    `json:"digest"`
}

// Canary is how long a change on the primary took to the standby.
type Canary struct {
	Lag     time.Duration `json:"lag"`               // nanoseconds
	Arrived bool          `json:"arrived,omitempty"` // within the time that was waited
}

// Ledger is what is remembered of earlier checks, on the standby: it outlives
// the primary.
type Ledger struct {
	Good *Good           `json:"good,omitempty"` // the last check in which all was equal
	Last []Past          `json:"last,omitempty"` // newest first, at most MaxPast
	Mark json.RawMessage `json:"mark,omitempty"` // etcd.Mark of the last proof: where the next one may begin
	// Repairs since all was equal last: times the synchronizer's Pod was recreated.
	Repairs int       `json:"repairs,omitempty"`
	Full    time.Time `json:"full,omitzero"` // when every key was compared last, and every owner looked for
}

// MaxPast bounds the outcomes that a ledger keeps.
const MaxPast = 20

// Good is a check in which nothing was missed, surplus or different.
type Good struct {
	At       time.Time `json:"at"` // when the positions were read
	Primary  Position  `json:"primary"`
	Standby  Position  `json:"standby"`
	Digest   string    `json:"digest"`
	Plugin   string    `json:"plugin"` // version
	Compared int       `json:"compared"`
	From     string    `json:"from"` // the primary then
	To       string    `json:"to"`   // the standby then
}

// Past is how an earlier check ended.
type Past struct {
	At      time.Time `json:"at"`
	Run     string    `json:"run"`               // of the workflow: the same one is kept once
	Outcome string    `json:"outcome"`           // of the run; "repairing" where it did not get further
	Summary string    `json:"summary"`           // one line
	Repairs int       `json:"repairs,omitempty"` // times it recreated the synchronizer's Pod
}

// With adds what a check found; doing it twice changes nothing. An older check
// never hides a newer one.
func (l Ledger) With(past Past, good *Good) Ledger {
	before := 0 // of this run, which counts its repairs as it goes
	if i := slices.IndexFunc(l.Last, func(p Past) bool { return p.Run == past.Run }); i >= 0 {
		before = l.Last[i].Repairs
	}
	past.Repairs = max(before, past.Repairs) // a late attempt to write an earlier count takes none away
	l.Repairs += past.Repairs - before
	if good != nil && !newest(l).After(past.At) {
		l.Repairs = 0
	}
	if good != nil && (l.Good == nil || good.At.After(l.Good.At)) {
		l.Good = good
	}
	last := []Past{past}
	for _, p := range l.Last {
		if p.Run != past.Run {
			last = append(last, p)
		}
	}
	slices.SortStableFunc(last, func(a, b Past) int { return b.At.Compare(a.At) })
	l.Last = last[:min(len(last), MaxPast)]
	return l
}
