package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// starts makes all monitors and tells what that took.
func (m *monitors) starts(ctx context.Context) error {
	before, err := m.usage()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := m.schedule(ctx); err != nil {
		return err
	}
	after, err := m.usage()
	if err != nil {
		return err
	}
	u, n := after.since(before), 1000/float64(m.sites)
	fmt.Printf("\n%d sites checked every minute by one worker: all monitors started in %.0f s, for %.0f ms CPU of the worker, %.0f of Temporal and %.0f of the simulated sites each; then %s to warm up\n",
		m.sites, time.Since(began).Seconds(), n*u.worker, n*u.server, n*(u.sides+u.bench), warmUp)
	return nil
}

// usage is CPU seconds so far, by who used them.
type usage struct{ worker, server, sides, bench, machine float64 }

func (m *monitors) usage() (u usage, err error) {
	add := func(into *float64, pids ...int) {
		for _, pid := range pids {
			used, e := ownCPU(pid)
			*into += used
			err = errors.Join(err, e)
		}
	}
	add(&u.worker, m.worker.PID)
	add(&u.server, m.devserver.PID)
	add(&u.bench, os.Getpid())
	for _, s := range []*side{m.west, m.east} {
		for _, p := range s.processes {
			add(&u.sides, p.Process.Pid)
		}
	}
	var e error
	u.machine, e = machineCPU()
	return u, errors.Join(err, e)
}

func (u usage) since(before usage) usage {
	return usage{u.worker - before.worker, u.server - before.server, u.sides - before.sides, u.bench - before.bench, u.machine - before.machine}
}

// idle is what everything uses in a second without any check: less of it is in
// each check the more of them there are.
func (m *monitors) idle(ctx context.Context) (usage, error) {
	if err := pause(ctx, settled); err != nil {
		return usage{}, err
	}
	before, err := m.usage()
	if err != nil {
		return before, err
	}
	if err := pause(ctx, settled); err != nil {
		return usage{}, err
	}
	after, err := m.usage()
	u, n := after.since(before), settled.Seconds()
	return usage{u.worker / n, u.server / n, u.sides / n, u.bench / n, u.machine / n}, err
}

// settled is how long the programs need after their start, and how long they
// are then measured without any check.
const settled = 15 * time.Second
