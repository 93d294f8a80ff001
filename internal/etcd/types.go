// Package etcd reads the etcds of two `global` clusters and proves, key by key
// and value by value, that the standby holds what the primary holds (DR-33,
// DR-41). It never writes. Both sides are read at pinned revisions, so live
// traffic cannot make one half of a read newer than the other. Clients don't
// retry; every error is a *fault.Error.
package etcd

import "time"

// Position is a point in the history of one etcd.
type Position struct {
	ClusterID string `json:"clusterID"` // 16 hex digits; another one means another etcd, but an etcd restored under its old names and token keeps it
	Revision  int64  `json:"revision"`
	Term      uint64 `json:"term,omitempty"` // of raft: it only grows, and begins anew in a restored etcd
}

// Mark is where the next incremental proof begins. Its zero value, and that of
// a proof of a part only, cannot be used: the next proof is then a full one.
type Mark struct {
	Primary Position `json:"primary"`
	Standby Position `json:"standby"`
	Open    []string `json:"open,omitempty"` // keys that differed, or could not be settled, then
	Digest  string   `json:"digest"`         // of Proof, at Primary
	Rules   string   `json:"rules"`          // fingerprint of what is ignored; under other rules a mark is of no use
}

// Usable reports whether an incremental proof can begin here.
func (m Mark) Usable() bool {
	return m.Primary.Revision > 0 && m.Standby.Revision > 0 && m.Digest != ""
}

// The two modes of a Proof.
const (
	Full        = "full"        // every compared key
	Incremental = "incremental" // keys changed since a Mark, and those open then
)

// Proof is what a comparison of both sides found. It names keys, never values.
type Proof struct {
	Mode string `json:"mode"`          // Full or Incremental
	Why  string `json:"why,omitempty"` // why it is full although an incremental one was asked for

	Taken   time.Time `json:"taken"`   // when the positions were pinned
	Primary Position  `json:"primary"` // pinned
	Standby Position  `json:"standby"` // pinned
	Seconds float64   `json:"seconds"` // how long it took

	Compared  int `json:"compared"`         // keys of either side, without the ignored ones
	Missed    int `json:"missed"`           // only on the primary
	Surplus   int `json:"surplus"`          // only on the standby
	Different int `json:"different"`        // on both, with another meaning
	Alike     int `json:"alike,omitempty"`  // other bytes, same meaning: see Ignored "status" and "managedFields"
	Moving    int `json:"moving,omitempty"` // still being written while looked at, and the standby followed; in Mark.Open
	Once      int `json:"once,omitempty"`   // of the differences: too many to be looked at twice

	Resources []ResourceDiff `json:"resources,omitempty"` // those with differences, by name
	Dangling  []Dangling     `json:"dangling,omitempty"`  // at most maxDangling
	Orphans   int            `json:"orphans,omitempty"`   // how many references dangle; Dangling may be cut
	Owners    bool           `json:"owners,omitempty"`    // owner references were looked at
	Ignored   []IgnoredClass `json:"ignored"`             // what was not compared, and why

	Digest string `json:"digest,omitempty"` // of all compared keys and values of the primary, 64 hex digits, independent of order
	Mark   Mark   `json:"mark,omitzero"`    // for the next incremental proof
}

// Clean reports whether nothing differs and nothing dangles. A proof that was
// never made is not clean.
func (p Proof) Clean() bool {
	return p.Primary.Revision > 0 && p.Standby.Revision > 0 && p.Missed+p.Surplus+p.Different+p.Orphans == 0
}

// ResourceDiff are the differences of one resource, for example
// "deployments" or "machines.platform.tkestack.io".
type ResourceDiff struct {
	Resource  string   `json:"resource"`
	Missed    int      `json:"missed,omitempty"`
	Surplus   int      `json:"surplus,omitempty"`
	Different int      `json:"different,omitempty"`
	Samples   []Sample `json:"samples"` // at most maxSamples
}

// Sample is one differing key.
type Sample struct {
	Key  string `json:"key"`
	Kind Kind   `json:"kind"`
}

// Kind is how a key differs.
type Kind string

// The kinds of difference, in the vendor's words (DR-33) where it has them.
const (
	Missed    Kind = "missed"    // only on the primary
	Surplus   Kind = "surplus"   // only on the standby
	Different Kind = "different" // on both, with another value
)

// Dangling is an object on the standby whose owner does not exist there: the
// garbage collector deletes it as soon as the synchronizer no longer puts it
// back (DR-41).
type Dangling struct {
	Key       string `json:"key"`
	OwnerKind string `json:"ownerKind"`
	OwnerName string `json:"ownerName"`
	OwnerUID  string `json:"ownerUID"`
}

// IgnoredClass is a class of keys, or of parts of values, that is not compared.
type IgnoredClass struct {
	Name    string `json:"name"`
	Reason  string `json:"reason"`
	Primary int64  `json:"primary"` // keys of it on the primary; in an incremental proof those that changed
	Standby int64  `json:"standby"`
}

// Machine is an object of kind machines.platform.tkestack.io (DR-41).
type Machine struct {
	Name     string    `json:"name"`
	UID      string    `json:"uid"`
	Phase    string    `json:"phase"`             // status.phase, "" when there is none
	Deleting time.Time `json:"deleting,omitzero"` // deletionTimestamp
}
