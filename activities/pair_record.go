package activities

import "time"

// PairRecord is what a takeover leaves on the side that has become the primary:
// who is who since when, and what is still owed to the other side (DR-41, DR-43).
// The zero record means that no takeover was recorded.
type PairRecord struct {
	Primary    string    `json:"primary"`
	PrimaryUID string    `json:"primaryUID"`
	Standby    string    `json:"standby"`
	StandbyUID string    `json:"standbyUID"`
	Since      time.Time `json:"since"`
	Run        string    `json:"run"`
	Mode       string    `json:"mode"` // "switchover", "failover" or "reprotect"
	Owed       []Owed    `json:"owed,omitempty"`
}

// Owed is a change that could not be made because its side was away. It is paid
// when the side is back, before anything else is done with it.
type Owed struct {
	Cluster string    `json:"cluster"`
	Action  string    `json:"action"` // OwedClosePort or OwedWarlock
	Port    int       `json:"port,omitempty"`
	Why     string    `json:"why"`
	Since   time.Time `json:"since"`
}

// What can be owed.
const (
	OwedClosePort = "close-port"      // of the VIP of Cluster (DR-42)
	OwedWarlock   = "restart-warlock" // of the workload cluster named Cluster (DR-43)
)
