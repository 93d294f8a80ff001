// Package faults makes the stand-in installer misbehave on demand. A test
// writes a JSON object to Path on the installer node; it is read again at
// every use, so that faults can be set and lifted while the install runs.
package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Path is where the installer node keeps its orders.
const Path = "/etc/acp-lab/faults.json"

// Faults are the orders. The zero value orders nothing.
type Faults struct {
	// setup.sh prints the message to stderr and exits with the code (EXE-06).
	SetupFails *SetupFails `json:"setupFails,omitempty"`
	// The installer starts but serves nothing until lifted.
	SetupSilent bool `json:"setupSilent,omitempty"`

	// POST /api/config answers 500 this often without taking the document.
	ConfigErrors int `json:"configErrors,omitempty"`
	// The document is taken, then the connection is closed without an answer.
	ConfigReplyLost bool `json:"configReplyLost,omitempty"`

	// GET /api/progress, once a configuration was taken: this many answers are
	// 500, or no JSON. -1 = all of them.
	ProgressErrors  int `json:"progressErrors,omitempty"`
	ProgressGarbage int `json:"progressGarbage,omitempty"`
	// The log text holds the word Success, and the status a word of its own,
	// while the install is still running.
	SuccessInLog bool `json:"successInLog,omitempty"`

	// Phase (1…n) that fails Times before it succeeds. Times -1 = always.
	FailPhase *FailPhase `json:"failPhase,omitempty"`
	// Phase that never ends until the order is lifted.
	StallPhase int `json:"stallPhase,omitempty"`
	// Phase that takes this much longer.
	SlowPhase *SlowPhase `json:"slowPhase,omitempty"`

	// The installer goes before anybody can read Success.
	GoneAfterSuccess bool `json:"goneAfterSuccess,omitempty"`
	// The installer never removes itself (CLN-01).
	NeverRemoved bool `json:"neverRemoved,omitempty"`
	// Seconds between Success and the installer's end; nil = DefaultGrace.
	GraceSeconds *int `json:"graceSeconds,omitempty"`
	// The token endpoint answers the bare token instead of a JSON object.
	RawToken bool `json:"rawToken,omitempty"`
}

// DefaultGrace is how long the installer serves on after Success, in seconds.
const DefaultGrace = 10

// SetupFails is how setup.sh ends.
type SetupFails struct {
	ExitCode int    `json:"exitCode"`
	Message  string `json:"message"`
}

// FailPhase is a phase that fails.
type FailPhase struct {
	Phase int `json:"phase"`
	Times int `json:"times"`
}

// SlowPhase is a phase that takes longer.
type SlowPhase struct {
	Phase   int `json:"phase"`
	Seconds int `json:"seconds"`
}

// Grace is GraceSeconds or its default.
func (f Faults) Grace() int {
	if f.GraceSeconds != nil {
		return *f.GraceSeconds
	}
	return DefaultGrace
}

// Read reads the orders; without a file there are none. An order that is not
// known is an error: a misspelt fault would be a test that tests nothing.
func Read(path string) (Faults, error) {
	var f Faults
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return Faults{}, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}
