package site

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Snapshot is a validated document as one run uses it: defaults applied,
// secrets only as references. It goes into workflow history.
type Snapshot struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // hex, of Canonical
	Site   Site   `json:"site"`
}

// NewSnapshot freezes a parsed and validated document. The copy is what the
// canonical form decodes to, so it equals what a run reads back from history.
func NewSnapshot(s *Site) (Snapshot, error) {
	canonical, err := Canonical(s)
	if err != nil {
		return Snapshot{}, err
	}
	sum := sha256.Sum256(canonical)
	out := Snapshot{Name: s.Name, SHA256: hex.EncodeToString(sum[:])}
	if err := json.Unmarshal(canonical, &out.Site); err != nil {
		return Snapshot{}, fmt.Errorf("freeze site %s: %w", s.Name, err)
	}
	return out, nil
}

// Canonical is the document as JSON in one form: sorted keys, no blanks, no
// final newline. `jq -cS .site` prints the same, so a person can check a digest.
func Canonical(s *Site) ([]byte, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode site %s: %w", s.Name, err)
	}
	var tree any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&tree); err != nil {
		return nil, fmt.Errorf("encode site %s: %w", s.Name, err)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tree); err != nil { // maps are written with sorted keys
		return nil, fmt.Errorf("encode site %s: %w", s.Name, err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
