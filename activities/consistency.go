package activities

import (
	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/site"
)

// Consistency proves from the etcds themselves that the standby holds what the
// primary holds (DR-33, DR-41).
type Consistency struct{ Hosts *Hosts }

// ProveInput names both sides by their cluster names and says how much to look at.
type ProveInput struct {
	Site    site.Site  `json:"site"`
	Primary string     `json:"primary"`
	Standby string     `json:"standby"`
	Since   *etcd.Mark `json:"since,omitempty"`  // of an earlier proof; nil = look at every key
	Only    []string   `json:"only,omitempty"`   // resources as kubectl names them, or prefixes of keys; empty = all
	Owners  bool       `json:"owners,omitempty"` // also find owner references that lead nowhere (reads the whole standby once more)
}

// MachinesInput names a side.
type MachinesInput struct{ Scope }

// Machines are the objects of kind machines.platform.tkestack.io of one side.
type Machines struct {
	Machines []etcd.Machine `json:"machines"`
}
