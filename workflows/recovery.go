package workflows

import (
	"time"

	"github.com/acpflow/acpflow/activities"
)

// Modes of a Recovery.
const (
	ModeSwitchover = "switchover"
	ModeFailover   = "failover"
	ModeReprotect  = "reprotect"
	ModeDrill      = "drill"
)

// Unverified is part of a Recovery's title when nobody can say that no data was lost.
const Unverified = "UNVERIFIED"

// Recovery is what a takeover, a reprotect or a drill came to. Its timeline is
// Progress.Steps.
type Recovery struct {
	Mode         string            `json:"mode"`
	Title        string            `json:"title"` // has the word UNVERIFIED when the RPO is not verified
	From         string            `json:"from,omitempty"`
	To           string            `json:"to,omitempty"`
	FromUID      string            `json:"fromUID,omitempty"` // of namespace kube-system
	ToUID        string            `json:"toUID,omitempty"`
	RTO          *RTO              `json:"rto,omitempty"`
	RPO          *RPO              `json:"rpo,omitempty"`
	Restarted    []string          `json:"restarted,omitempty"` // Pods, as "namespace/name uid"
	NotInstalled []string          `json:"notInstalled,omitempty"`
	Owed         []activities.Owed `json:"owed,omitempty"`
}

// RTO is how long users were without the platform, in seconds, from the start of
// the run: what was before it, no run can tell. It ends when the page is verified
// and the restarted components are ready, not at the last command. The parts sum to
// the total.
type RTO struct {
	TotalSeconds     float64 `json:"totalSeconds"`
	DetectionSeconds float64 `json:"detectionSeconds"` // proving that the old side is down
	WaitingSeconds   float64 `json:"waitingSeconds"`   // for people
	MachineSeconds   float64 `json:"machineSeconds"`   // everything else
	Note             string  `json:"note,omitempty"`   // what the figures leave out
}

// RPO says what is known of lost data: nothing is lost up to EqualAt; what was
// written in the UnknownSeconds after it, nobody can tell.
type RPO struct {
	Verified       bool       `json:"verified"` // both sides were proven equal, and how many keys were written since and are missing is known: Text has it
	EqualAt        *time.Time `json:"equalAt,omitempty"`
	UnknownSeconds float64    `json:"unknownSeconds,omitempty"`
	Text           string     `json:"text"`
}
