package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"

	"github.com/acpflow/acpflow/internal/ssh"
)

// Runs of the contests of single connections: commands in turn.
const (
	connects        = 50
	distantConnects = 5
)

// Entrants that connect.
const (
	connectOurs  = "acpflow's SSH client"
	connectKept  = "the same, connection kept"
	connectCurve = "ssh, curve25519"
	connectSSH   = "ssh, defaults"
)

// connect is P6, and P5 without a script: connect, log in, run `true`.
func (f *fleet) connect() contest {
	address := net.JoinHostPort(addresses(1)[0], fmt.Sprint(realPort))
	c := f.connections(fmt.Sprintf("connect and run `true`, %d times in turn", connects), address, connects)
	c.goals = []goal{
		{ID: "P5", Text: "time to run on a kept connection / cold, one machine", Bound: 0.5, Most: true, Value: share(connectKept, connectOurs)},
		{ID: "P6", Text: "time to connect and run / ssh, curve25519", Bound: 0.5, Most: true, Value: share(connectOurs, connectCurve)},
	}
	return c
}

// distant is the same over a line with 50 ms round trip.
func (f *fleet) distant() contest {
	c := f.connections(fmt.Sprintf("connect and run `true` with 50 ms round trip, %d times in turn", distantConnects), f.ms50.Addr, distantConnects)
	c.goals = []goal{
		{ID: "P5", Text: "time to run on a kept connection / cold, at 50 ms", Bound: 0.35, Most: true, Value: share(connectKept, connectOurs)},
	}
	return c
}

func (f *fleet) connections(name, address string, times int) contest {
	return contest{name: name, runs: f.runs, entrants: []entrant{
		{name: connectOurs, run: func(ctx context.Context) (sample, error) {
			return f.ofMine(func() error { return f.connectOurs(ctx, address, times) })
		}},
		{name: connectKept, run: func(ctx context.Context) (sample, error) { return f.connectKept(ctx, address, times) }},
		{name: connectCurve, run: func(ctx context.Context) (sample, error) {
			return f.connectOpenSSH(ctx, address, times, curve25519)
		}},
		{name: connectSSH, run: func(ctx context.Context) (sample, error) { return f.connectOpenSSH(ctx, address, times) }},
	}}
}

// ofMine measures something that this process does.
func (f *fleet) ofMine(do func() error) (sample, error) {
	m, err := newMeter(f.sshd.Pid(), os.Getpid())
	if err != nil {
		return sample{}, err
	}
	if err := do(); err != nil {
		return sample{}, err
	}
	return m.done()
}

func (f *fleet) connectOurs(ctx context.Context, address string, times int) error {
	for range times {
		c, err := ssh.Dial(ctx, f.targetAt(address))
		if err != nil {
			return err
		}
		_, err = c.Run(ctx, ssh.Command{Script: "true"})
		_ = c.Close() // its command has ended
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *fleet) connectKept(ctx context.Context, address string, times int) (s sample, err error) {
	c, err := ssh.Dial(ctx, f.targetAt(address))
	if err != nil {
		return sample{}, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return f.ofMine(func() error {
		for range times {
			if _, err := c.Run(ctx, ssh.Command{Script: "true"}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *fleet) connectOpenSSH(ctx context.Context, address string, times int, options ...string) (sample, error) {
	m, err := newMeter(f.sshd.Pid())
	if err != nil {
		return sample{}, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return sample{}, err
	}
	args := append([]string{"-p", port}, append(f.opensshOptions(options...), "root@"+host, "true")...)
	for range times {
		if err := runCommand(m, exec.CommandContext(ctx, "ssh", args...)); err != nil {
			return sample{}, err
		}
	}
	return m.done()
}
