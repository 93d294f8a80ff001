package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
)

// xargs is what a person with a shell does: the collector over `ssh`, fifty at
// a time, the outputs in files.
func (f *fleet) xargs(ctx context.Context, options ...string) (sample, error) {
	out := filepath.Join(f.tmp, "out")
	if err := os.RemoveAll(out); err != nil {
		return sample{}, err
	}
	if err := os.Mkdir(out, 0o755); err != nil {
		return sample{}, err
	}
	ssh := slices.Concat([]string{"ssh", "-p", strconv.Itoa(realPort)}, f.opensshOptions(options...),
		[]string{`"root@$0"`, "bash", "--norc", "--noprofile", "-s", "<" + f.script, `>"` + out + `/$0"`})
	cmd := exec.CommandContext(ctx, "xargs", "-P50", "-n1", "sh", "-c", "exec "+strings.Join(ssh, " "))
	cmd.Stdin = strings.NewReader(strings.Join(addresses(f.nodes), "\n") + "\n")
	m, err := newMeter(f.sshd.Pid())
	if err != nil {
		return sample{}, err
	}
	if err := runCommand(m, cmd); err != nil {
		return sample{}, err
	}
	s, err := m.done()
	if err != nil {
		return s, err
	}
	var all []byte
	for _, a := range addresses(f.nodes) {
		text, err := os.ReadFile(filepath.Join(out, a))
		if err != nil {
			return s, err
		}
		all = append(all, text...)
	}
	return s, f.complete(all, f.nodes)
}

func (f *fleet) target(address string) ssh.Target {
	return sshtest.TargetOf(net.JoinHostPort(address, strconv.Itoa(realPort)), f.sshd.HostKeys[0], f.sshd.Key)
}

// bare is acpflow's SSH client without the engine around it.
func (f *fleet) bare(ctx context.Context) (sample, error) {
	m, err := newMeter(f.sshd.Pid(), os.Getpid())
	if err != nil {
		return sample{}, err
	}
	outs := make([]string, f.nodes)
	clients := make([]*ssh.Client, f.nodes)
	var group errgroup.Group
	group.SetLimit(50)
	for i, a := range addresses(f.nodes) {
		group.Go(func() (err error) {
			if clients[i], err = ssh.Dial(ctx, f.target(a)); err != nil {
				return err
			}
			result, err := clients[i].Run(ctx, ssh.Command{Script: checks.Collector(), Sudo: true})
			outs[i] = result.Stdout
			return err
		})
	}
	err = group.Wait()
	s, err2 := m.done()
	for _, c := range clients {
		if c != nil {
			_ = c.Close() // its command has ended
		}
	}
	if err == nil {
		err = err2
	}
	if err != nil {
		return s, err
	}
	return s, f.complete([]byte(strings.Join(outs, "\n")), f.nodes)
}

// connects is how many connections one after the other make a run of P6.
const connects = 50

// connect is P6: connect, log in, run `true`, again and again.
func (f *fleet) connect() contest {
	address := addresses(1)[0]
	const ours, curve, ssh = "acpflow's SSH client", "ssh, curve25519", "ssh, defaults"
	return contest{
		name: fmt.Sprintf("connect and run `true`, %d times in turn", connects), runs: f.runs,
		entrants: []entrant{
			{name: ours, run: func(ctx context.Context) (sample, error) { return f.connectOurs(ctx, address) }},
			{name: curve, run: func(ctx context.Context) (sample, error) { return f.connectOpenSSH(ctx, address, curve25519) }},
			{name: ssh, run: func(ctx context.Context) (sample, error) { return f.connectOpenSSH(ctx, address) }},
		},
		goals: []goal{{ID: "P6", Text: "time to connect and run / ssh, curve25519", Bound: 0.5, Most: true, Value: share(ours, curve)}},
	}
}

func (f *fleet) connectOurs(ctx context.Context, address string) (sample, error) {
	m, err := newMeter(f.sshd.Pid(), os.Getpid())
	if err != nil {
		return sample{}, err
	}
	for range connects {
		c, err := ssh.Dial(ctx, f.target(address))
		if err != nil {
			return sample{}, err
		}
		if _, err := c.Run(ctx, ssh.Command{Script: "true"}); err != nil {
			return sample{}, err
		}
		_ = c.Close() // its command has ended
	}
	return m.done()
}

func (f *fleet) connectOpenSSH(ctx context.Context, address string, options ...string) (sample, error) {
	m, err := newMeter(f.sshd.Pid())
	if err != nil {
		return sample{}, err
	}
	args := append([]string{"-p", strconv.Itoa(realPort)}, append(f.opensshOptions(options...), "root@"+address, "true")...)
	for range connects {
		if err := runCommand(m, exec.CommandContext(ctx, "ssh", args...)); err != nil {
			return sample{}, err
		}
	}
	return m.done()
}
