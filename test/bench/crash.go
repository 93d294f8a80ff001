package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/acpflow/acpflow/internal/upload"
)

// framing is what SSH, scripts and logins add to the bytes of a file, at most.
const framing = 0.01

// resumed is U5: the worker is killed at half way and another one goes on. Its
// time is shown beside the undisturbed one but decides nothing: here client and
// node share the CPUs, and the half that was hashed already is hashed again.
func (w *world) resumed() contest {
	return contest{
		name: fmt.Sprintf("upload %d MiB, worker killed at half way", w.size>>20), runs: max(3, w.runs/2),
		entrants: []entrant{
			{name: "undisturbed", run: func(ctx context.Context) (sample, error) { return w.counted(ctx, false) }},
			{name: "killed once", run: func(ctx context.Context) (sample, error) { return w.counted(ctx, true) }},
		},
		goals: []goal{
			{ID: "U5", Text: "bytes sent again / one block per channel", Bound: 1, Most: true, Value: func(rows map[string]*row) float64 {
				again := float64(rows["killed once"].Bytes-w.size) - framing*float64(w.size)
				return max(0, again) / blocksPerCrash
			}},
		},
	}
}

// counted uploads through the counting proxy, in two goes when kill is set.
func (w *world) counted(ctx context.Context, kill bool) (sample, error) {
	if err := w.clean(); err != nil {
		return sample{}, err
	}
	before := w.direct.ToServer.Load()
	m, err := newMeter(w.server.Pid())
	if err != nil {
		return sample{}, err
	}
	if kill {
		if err := w.killed(m, w.ours(ctx, w.direct.Addr, w.big, "-sha256", w.big.digest), before+w.size/2); err != nil {
			return sample{}, err
		}
	}
	if err := runCommand(m, w.ours(ctx, w.direct.Addr, w.big, "-sha256", w.big.digest)); err != nil {
		return sample{}, err
	}
	s, err := m.done()
	s.Bytes = w.direct.ToServer.Load() - before
	return s, errors.Join(err, w.check(w.big))
}

// killed starts a worker and kills it when the proxy has passed so many bytes.
func (w *world) killed(m *meter, cmd *exec.Cmd, at int64) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	for w.direct.ToServer.Load() < at {
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	if err := cmd.Wait(); err == nil {
		return errors.New("the worker ended before it could be killed")
	}
	m.ran(cmd)
	return nil
}

// again is U6: the same package once more.
func (w *world) again() contest {
	rerun := func(forget bool) func(context.Context) (sample, error) {
		return func(ctx context.Context) (sample, error) {
			if _, err := w.counted(ctx, false); err != nil { // not measured: it puts the file there
				return sample{}, err
			}
			if forget {
				if err := os.Remove(filepath.Join(filepath.Dir(w.target()), ".file.acpflow", "verified")); err != nil {
					return sample{}, err
				}
			}
			return w.rerun(ctx)
		}
	}
	return contest{
		name: fmt.Sprintf("upload %d MiB that are there already", w.size>>20), runs: max(3, w.runs/2),
		entrants: []entrant{
			{name: "first time", run: func(ctx context.Context) (sample, error) { return w.counted(ctx, false) }},
			{name: "again, digest cached", run: rerun(false)},
			{name: "again, node hashes", run: rerun(true)},
		},
		goals: []goal{
			{ID: "U6", Text: "time with cached digest / first time", Bound: 0.05, Most: true, Value: share("again, digest cached", "first time")},
			{ID: "U6", Text: "time when the node hashes / first time", Bound: 0.5, Most: true, Value: share("again, node hashes", "first time")},
		},
	}
}

// rerun uploads the file that is there; sending any of it is an error.
func (w *world) rerun(ctx context.Context) (sample, error) {
	m, err := newMeter(w.server.Pid())
	if err != nil {
		return sample{}, err
	}
	before := w.direct.ToServer.Load()
	cmd := w.ours(ctx, w.direct.Addr, w.big, "-sha256", w.big.digest)
	out, err := cmd.Output()
	if err != nil {
		return sample{}, fmt.Errorf("%w: %s", err, out)
	}
	m.ran(cmd)
	s, err := m.done()
	if err != nil {
		return s, err
	}
	var result upload.Result
	if err := json.Unmarshal(out, &result); err != nil {
		return s, err
	}
	if s.Bytes = w.direct.ToServer.Load() - before; result.Sent != 0 || s.Bytes > 64<<10 {
		return s, fmt.Errorf("sent %d bytes of the file, %d on the wire, though it was there", result.Sent, s.Bytes)
	}
	return s, w.check(w.big)
}
