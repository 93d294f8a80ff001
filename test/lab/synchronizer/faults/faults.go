// Package faults makes the stand-in synchronizer misbehave on demand. A test
// writes a JSON object to Path on the standby's control planes; it is read
// again at every use, so that faults can be set and lifted while it mirrors.
package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Path is where a control plane keeps its orders.
const Path = "/etc/acp-lab/sync-faults.json"

// Faults are the orders. The zero value orders nothing.
type Faults struct {
	// Objects that have an owner are written OwnerDelay before those that have
	// none, so the garbage collector of the standby removes them: missed keys,
	// until the synchronizer's Pod is made anew.
	OwnerOrder bool `json:"ownerOrder,omitempty"`
	// Keys of ConfigMaps (/registry/configmaps/NAMESPACE/NAME) that a full sync
	// makes on the standby only, and leaves there.
	Surplus []string `json:"surplus,omitempty"`
	// Changes of keys with one of these prefixes are not mirrored. The keys
	// themselves are, so /check sees nothing.
	Stale []string `json:"stale,omitempty"`
	// GET /check answers this text.
	CheckText string `json:"checkText,omitempty"`
	// Nothing more is mirrored, without a word; /check keeps its last answer.
	Stopped bool `json:"stopped,omitempty"`
	// These Machines are deleted as soon as the plugin is gone, as the vendor warns
	// that uninstalling may do.
	GarbageMachines []string `json:"garbageMachines,omitempty"`
	// Every change arrives this much later.
	LagSeconds int `json:"lagSeconds,omitempty"`
}

// Read reads the orders; without a file there are none. An order that is not
// known is an error: a misspelt fault would be a test that tests nothing.
func Read(path string) (Faults, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Faults{}, nil
	}
	if err != nil {
		return Faults{}, err
	}
	f, err := Parse(data)
	if err != nil {
		return Faults{}, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Parse decodes orders strictly.
func Parse(data []byte) (Faults, error) {
	var f Faults
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return Faults{}, err
	}
	if f.LagSeconds < 0 {
		return Faults{}, fmt.Errorf("lagSeconds %d is negative", f.LagSeconds)
	}
	return f, nil
}
