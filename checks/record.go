package checks

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// maxRecord bounds an unpacked record, in bytes.
const maxRecord = 256 << 20

// Record is what a check of nodes read, so that it can be judged again, later
// or under another profile, without the nodes.
type Record struct {
	Judged   time.Time     `json:"judged"` // when: waivers end
	Nodes    []NodeRecord  `json:"nodes,omitempty"`
	Mesh     *Mesh         `json:"mesh,omitempty"`
	Balancer *BalancerView `json:"balancer,omitempty"`
	Package  *PackageView  `json:"package,omitempty"`
	Unprobed string        `json:"unprobed,omitempty"` // why nothing was probed, where that was wanted
}

// NodeRecord is the collector's output on one node, or why there is none.
type NodeRecord struct {
	Node     string    `json:"node"`
	Sent     time.Time `json:"sent"`
	Received time.Time `json:"received"`
	Output   string    `json:"output,omitempty"` // of collect.sh, as it came
	Fault    string    `json:"fault,omitempty"`  // redacted
	NoSudo   bool      `json:"noSudo,omitempty"` // the fault: no root rights without a password (CHK-08)
}

// PackageView is what is known of the Core Package (PKG-03, PKG-04).
type PackageView struct {
	Error         string   `json:"error,omitempty"` // why it could not be inspected, or what is wrong with it
	SHA256        string   `json:"sha256,omitempty"`
	Size          int64    `json:"size,omitempty"`          // bytes
	Architectures []string `json:"architectures,omitempty"` // of its images: amd64, arm64
}

// Facts parses the node's output.
func (n NodeRecord) Facts() (Facts, error) {
	if n.Fault != "" {
		return Facts{}, fmt.Errorf("%s", n.Fault)
	}
	f, err := ParseFacts([]byte(n.Output))
	f.Sent, f.Received = n.Sent, n.Received
	return f, err
}

// Merge puts a later record over this one: a node that was read again counts
// as it was read last.
func (r *Record) Merge(later Record) {
	for _, n := range later.Nodes {
		i := 0
		for i < len(r.Nodes) && r.Nodes[i].Node != n.Node {
			i++
		}
		if i == len(r.Nodes) {
			r.Nodes = append(r.Nodes, n)
		} else {
			r.Nodes[i] = n
		}
	}
	if later.Judged.After(r.Judged) {
		r.Judged = later.Judged
	}
	if later.Mesh != nil {
		r.Mesh = later.Mesh
	}
	if later.Balancer != nil {
		r.Balancer = later.Balancer
	}
	if later.Package != nil {
		r.Package = later.Package
	}
	if later.Unprobed != "" {
		r.Unprobed = later.Unprobed
	}
}

// Pack returns the record as gzipped JSON, small enough for a workflow's history.
func (r Record) Pack() ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := json.NewEncoder(z).Encode(r); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// UnpackRecord reads what Pack wrote.
func UnpackRecord(packed []byte) (Record, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return Record{}, fmt.Errorf("record of a check: %w", err)
	}
	defer func() { _ = z.Close() }() // it holds nothing
	limited := &io.LimitedReader{R: z, N: maxRecord + 1}
	var r Record
	if err := json.NewDecoder(limited).Decode(&r); err != nil {
		if limited.N <= 0 {
			return Record{}, fmt.Errorf("record of a check: more than %d MiB", maxRecord>>20)
		}
		return Record{}, fmt.Errorf("record of a check: %w", err)
	}
	return r, nil
}
