package pair

import "time"

// Address is what the name servers say of the platform's domain.
type Address struct {
	Cluster string   `json:"cluster"` // whose VIP every server gives; "" = neither, or not every server the same
	Answers []Answer `json:"answers"`
	TTL     int      `json:"ttl"` // seconds, of the authoritative servers
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
	Dangling  int       `json:"dangling"` // objects whose owner is not on the standby
	Clean     bool      `json:"clean"`
	Samples   []string  `json:"samples,omitempty"`
	Digest    string    `json:"digest"`
}

// Canary is how long a change on the primary took to the standby.
type Canary struct {
	Lag     time.Duration `json:"lag"`               // nanoseconds
	Arrived bool          `json:"arrived,omitempty"` // within the time that was waited
}

// Ledger is what is remembered of earlier checks.
type Ledger struct {
	Good *Good  `json:"good,omitempty"` // the last check in which all was equal
	Last []Past `json:"last,omitempty"` // newest first
}

// Good is a check in which nothing was missed, surplus or different.
type Good struct {
	At       time.Time `json:"at"`
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
	Outcome string    `json:"outcome"` // of the run
	Summary string    `json:"summary"` // one line
}
