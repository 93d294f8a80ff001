package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"

	"github.com/acpflow/acpflow/internal/ssh/sshtest"
	"github.com/acpflow/acpflow/internal/upload"
)

const gcm = "aes128-gcm@openssh.com"

// contests are all comparisons, with the goals they decide.
func (w *world) contests() []contest {
	return []contest{w.loopback(), w.distant(w.ms10, 10, 1.8), w.distant(w.ms50, 50, 4), w.proven(), w.resumed(), w.again()}
}

// commands is an entrant that runs commands one after the other and leaves the
// file at the target.
func (w *world) commands(name string, f file, make func(context.Context) []*exec.Cmd) entrant {
	return entrant{name: name, run: func(ctx context.Context) (sample, error) {
		if err := w.clean(); err != nil {
			return sample{}, err
		}
		m, err := newMeter(w.server.Pid())
		if err != nil {
			return sample{}, err
		}
		for _, cmd := range make(ctx) {
			if err := runCommand(m, cmd); err != nil {
				return sample{}, err
			}
		}
		s, err := m.done()
		if err != nil {
			return s, err
		}
		return s, w.check(f)
	}}
}

func runCommand(m *meter, cmd *exec.Cmd) error {
	var out bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	cmd.Stderr = &out
	err := cmd.Run()
	if cmd.ProcessState != nil {
		m.ran(cmd)
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", cmd.Args[0], err, out.String())
	}
	return nil
}

func one(cmd *exec.Cmd) []*exec.Cmd { return []*exec.Cmd{cmd} }

// loopback is U1 and U2: only moving bytes, as scp does.
func (w *world) loopback() contest {
	addr := w.server.Addr
	return contest{
		name: fmt.Sprintf("upload %d MiB over loopback", w.size>>20), runs: w.runs,
		entrants: []entrant{
			w.commands("acpflow, unverified", w.big, func(ctx context.Context) []*exec.Cmd { return one(w.ours(ctx, addr, w.big, "-unverified")) }),
			w.commands("scp, aes128-gcm", w.big, func(ctx context.Context) []*exec.Cmd { return one(w.scp(ctx, addr, gcm, w.big)) }),
			w.commands("scp, default cipher", w.big, func(ctx context.Context) []*exec.Cmd { return one(w.scp(ctx, addr, "", w.big)) }),
		},
		goals: []goal{
			{ID: "U1", Text: "throughput / scp, same cipher", Bound: 1.2, Value: faster("acpflow, unverified", "scp, aes128-gcm")},
			{ID: "U2", Text: "throughput / scp, defaults of both", Bound: 1.6, Value: faster("acpflow, unverified", "scp, default cipher")},
		},
	}
}

// distant is U3: a long line.
func (w *world) distant(p *sshtest.Proxy, ms int, bound float64) contest {
	return contest{
		name: fmt.Sprintf("upload %d MiB with %d ms round trip", w.wan>>20, ms), runs: w.runs,
		entrants: []entrant{
			w.commands("acpflow, unverified", w.small, func(ctx context.Context) []*exec.Cmd { return one(w.ours(ctx, p.Addr, w.small, "-unverified")) }),
			w.commands("scp, aes128-gcm", w.small, func(ctx context.Context) []*exec.Cmd { return one(w.scp(ctx, p.Addr, gcm, w.small)) }),
		},
		goals: []goal{{ID: "U3", Text: fmt.Sprintf("throughput / scp at %d ms", ms), Bound: bound, Value: faster("acpflow, unverified", "scp, aes128-gcm")}},
	}
}

// proven is U4: SHA-256 known to be equal at both ends. Neither side knows it before.
func (w *world) proven() contest {
	addr := w.server.Addr
	byHand := func(tool string) func(context.Context) []*exec.Cmd {
		return func(ctx context.Context) []*exec.Cmd {
			here := exec.CommandContext(ctx, "bash", "-c", tool+" "+w.big.path)
			return []*exec.Cmd{w.scp(ctx, addr, gcm, w.big), here, w.ssh(ctx, addr, gcm, tool+" "+w.target())}
		}
	}
	return contest{
		name: fmt.Sprintf("upload %d MiB with its SHA-256 proven at both ends", w.size>>20), runs: max(3, w.runs/2),
		entrants: []entrant{
			w.commands("acpflow", w.big, func(ctx context.Context) []*exec.Cmd { return one(w.ours(ctx, addr, w.big)) }),
			w.commands("scp + 2 sha256sum", w.big, byHand("sha256sum")),
			w.commands("scp + 2 openssl dgst", w.big, byHand("openssl dgst -sha256")),
		},
		goals: []goal{{ID: "U4", Text: "throughput / (scp + 2 sha256sum)", Bound: 2.5, Value: faster("acpflow", "scp + 2 sha256sum")}},
	}
}

// blocksPerCrash is the most that may be sent again after a crash, bytes.
const blocksPerCrash = upload.DefaultChannels * upload.DefaultBlock
