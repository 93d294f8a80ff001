package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/internal/etcd"
)

// Entrants of the comparison of etcds.
const (
	proveFull    = "acpflow's proof, keys and values"
	proveChanges = "the same after 1,000 changes"
	etcdctlDiff  = "diff of two etcdctl --keys-only"
	peakProof    = "MB of the process"
)

// Of the keys that are changed between two proofs, so many reach the primary only.
const (
	changedKeys = 1000
	staleKeys   = 5
)

// contests are E1 and E2.
func (e *etcds) contests() []contest {
	return []contest{
		{
			name: fmt.Sprintf("compare two etcds of %d keys", e.keys), runs: e.runs,
			entrants: []entrant{
				{name: proveFull, run: e.full},
				{name: etcdctlDiff, run: e.etcdctl},
			},
			goals: []goal{
				{ID: "E1", Text: "time, values compared too / diff of etcdctl --keys-only", Bound: 0.8, Most: true, Value: share(proveFull, etcdctlDiff)},
				{ID: "E1", Text: "memory of the proof, MB", Bound: 100, Most: true, Value: func(rows map[string]*row) float64 { return rows[proveFull].Peaks[peakProof] }},
			},
		},
		{
			name: fmt.Sprintf("prove two etcds of %d keys again", e.keys), runs: e.runs,
			entrants: []entrant{
				{name: proveFull, run: e.full},
				{name: proveChanges, run: e.again},
			},
			goals: []goal{{ID: "E2", Text: "time after 1,000 changes / full", Bound: 0.05, Most: true, Value: share(proveChanges, proveFull)}},
		},
	}
}

// proved is what the measured process prints.
type proved struct {
	Proof  etcd.Proof `json:"proof"`
	Memory string     `json:"memory"` // "12345 kB"
}

// prove runs the proof in a process of its own. Every planted difference must
// be found, and nothing else.
func (e *etcds) prove(ctx context.Context, want []string, args ...string) (sample, error) {
	m, err := newMeter(e.both.Process.Pid)
	if err != nil {
		return sample{}, err
	}
	cmd := exec.CommandContext(ctx, e.program, append([]string{"-mark", e.mark(), "-primary", e.address[0], "-standby", e.address[1]}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return sample{}, err
	}
	m.ran(cmd)
	s, err := m.done()
	if err != nil {
		return s, err
	}
	var answer proved
	if err := json.Unmarshal(out, &answer); err != nil {
		return s, err
	}
	var kib float64
	if _, err := fmt.Sscanf(answer.Memory, "%f kB", &kib); err != nil {
		return s, err
	}
	p := answer.Proof
	s.Peaks = map[string]float64{peakProof: kib * 1024 / 1e6}
	slices.Sort(want)
	if !slices.Equal(want, p.Mark.Open) || p.Missed+p.Surplus+p.Different != len(want) {
		return s, fmt.Errorf("%s proof: %d missed, %d surplus, %d different: %q, planted were %q", p.Mode, p.Missed, p.Surplus, p.Different, p.Mark.Open, want)
	}
	if expect := map[bool]string{false: etcd.Full, true: etcd.Incremental}[len(args) > 0]; p.Mode != expect {
		return s, fmt.Errorf("the proof was a %s one: %s", p.Mode, p.Why)
	}
	return s, nil
}

func (e *etcds) mark() string { return filepath.Join(e.tmp, "mark.json") }

func (e *etcds) full(ctx context.Context) (sample, error) {
	return e.prove(ctx, slices.Clone(e.planted))
}

// again is a proof from the last mark on; what makes the changes is not measured.
func (e *etcds) again(ctx context.Context) (s sample, err error) {
	if _, err := os.Stat(e.mark()); err != nil {
		if _, err := e.full(ctx); err != nil {
			return s, err
		}
	}
	stale, err := e.change(ctx, changedKeys, staleKeys)
	if err != nil {
		return s, err
	}
	s, err = e.prove(ctx, append(stale, e.planted...), "-since", e.mark())
	return s, errors.Join(err, write(ctx, e.client[1], stale, e.round))
}

// etcdctl is what people do by hand; it compares no values.
func (e *etcds) etcdctl(ctx context.Context) (sample, error) {
	m, err := newMeter(e.both.Process.Pid)
	if err != nil {
		return sample{}, err
	}
	get := func(side int) string {
		return fmt.Sprintf("<(etcdctl --endpoints=http://%s --command-timeout=5m get --prefix /registry/ --keys-only)", e.address[side])
	}
	cmd := exec.CommandContext(ctx, "bash", "-c", "diff "+get(0)+" "+get(1)+"; echo $?; wait")
	cmd.Env = append(os.Environ(), "ETCDCTL_API=3")
	out, err := cmd.Output()
	if err != nil {
		return sample{}, err
	}
	m.ran(cmd)
	s, err := m.done()
	for _, key := range e.planted[:2] { // the first missing and the first surplus key
		if !strings.Contains(string(out), key) {
			err = errors.Join(err, fmt.Errorf("diff does not name %s: %s", key, out[:min(len(out), 500)]))
		}
	}
	return s, err
}
