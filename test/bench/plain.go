package main

import (
	"context"
	"errors"
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
	return f.fifty(ctx, slices.Concat([]string{"ssh", "-p", strconv.Itoa(realPort)}, f.opensshOptions(options...), []string{`"root@$0"`}))
}

// noNetwork is what no tool can be faster than on this machine, which is all
// nodes at once: the script as often as there are nodes, and nothing else.
func (f *fleet) noNetwork(ctx context.Context) (sample, error) { return f.fifty(ctx, nil) }

// fifty runs the script for every node through the command, fifty at a time.
func (f *fleet) fifty(ctx context.Context, through []string) (sample, error) {
	out := filepath.Join(f.tmp, "out")
	if err := errors.Join(os.RemoveAll(out), os.Mkdir(out, 0o755)); err != nil {
		return sample{}, err
	}
	line := slices.Concat([]string{"exec"}, through, []string{"bash", "--norc", "--noprofile", "-s", "<" + f.script, `>"` + out + `/$0"`})
	cmd := exec.CommandContext(ctx, "xargs", "-P50", "-n1", "sh", "-c", strings.Join(line, " "))
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

// targetAt logs in at an address with port.
func (f *fleet) targetAt(address string) ssh.Target {
	return sshtest.TargetOf(address, f.sshd.HostKeys[0], f.sshd.Key)
}

// bare is acpflow's SSH client without the engine around it.
func (f *fleet) bare(ctx context.Context) (sample, error) {
	outs := make([]string, f.nodes)
	clients := make([]*ssh.Client, f.nodes)
	s, err := f.ofMine(func() error {
		var group errgroup.Group
		group.SetLimit(50)
		for i, a := range addresses(f.nodes) {
			group.Go(func() (err error) {
				if clients[i], err = ssh.Dial(ctx, f.targetAt(net.JoinHostPort(a, strconv.Itoa(realPort)))); err != nil {
					return err
				}
				result, err := clients[i].Run(ctx, ssh.Command{Script: checks.Collector(), Sudo: true})
				outs[i] = result.Stdout
				return err
			})
		}
		return group.Wait()
	})
	for _, c := range clients {
		if c != nil {
			_ = c.Close() // its command has ended
		}
	}
	if err != nil {
		return s, err
	}
	return s, f.complete([]byte(strings.Join(outs, "\n")), f.nodes)
}
