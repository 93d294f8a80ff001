package server

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// RecordFile on the installer node tells tests what happened there.
const RecordFile = "/var/lib/acp-lab/installer.json"

// Record is the content of RecordFile.
type Record struct {
	Posts  Posts         `json:"posts"`
	Phases []PhaseRecord `json:"phases"`
	// Times of the one accepted configuration; zero = not yet.
	AcceptedAt time.Time `json:"acceptedAt,omitzero"`
	SuccessAt  time.Time `json:"successAt,omitzero"`
}

// Posts counts what POST /api/config was answered.
type Posts struct {
	Accepted int `json:"accepted"`
	Refused  int `json:"refused"`  // 4xx: not valid, or machines that can't be used
	Conflict int `json:"conflict"` // 409: there is a configuration already
	Errors   int `json:"errors"`   // 500 by order of a fault
}

// PhaseRecord is one run of a phase.
type PhaseRecord struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	Failed  bool    `json:"failed,omitempty"`
}

func readRecord(path string) Record {
	var r Record
	if data, err := os.ReadFile(path); err == nil {
		_ = json.Unmarshal(data, &r) // a torn record starts anew
	}
	return r
}

func writeRecord(path string, r Record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, append(data, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
