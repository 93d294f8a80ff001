package main

import (
	"context"
	"fmt"

	"github.com/acpflow/acpflow/checks"
)

// Entrants of the comparison on real sshd endpoints.
const (
	ours      = "acpflow preflight, cold"
	oursKept  = "acpflow preflight, connections kept"
	oursBare  = "acpflow's SSH client alone"
	noNetwork = "the script here, without any ssh"
	xargsBest = "xargs -P50 ssh, curve25519"
	xargs     = "xargs -P50 ssh, defaults"
	ansible   = "Ansible, a task per check"
	ansibleM  = "Ansible with Mitogen, a task per check"
	ansible1  = "Ansible, the script as one task"
)

// contests are all comparisons on many machines, with the goals they decide.
func (f *fleet) contests() []contest {
	return []contest{f.connect(), f.distant(), f.again(), f.machines(), f.growth()}
}

// machines is P1 to P4: the same facts of the same machines, in every usual way.
func (f *fleet) machines() contest {
	p, site := f.playbooks(), realSite(f.nodes)
	return contest{
		name: fmt.Sprintf("check %d machines: %d facts each, judged by %d rules; %d Ansible tasks", f.nodes, f.facts, rulesOfNodes(), len(tasksOf(checks.Collector()))), runs: f.runs, slowRuns: f.ansibleRuns,
		entrants: []entrant{
			{name: ours, run: func(ctx context.Context) (sample, error) { return f.cold(ctx, site, f.sshd) }},
			{name: oursKept, run: func(ctx context.Context) (sample, error) { return f.kept(ctx, site, f.sshd) }},
			{name: oursBare, run: f.bare},
			{name: noNetwork, run: f.noNetwork},
			{name: xargsBest, run: func(ctx context.Context) (sample, error) { return f.xargs(ctx, curve25519) }},
			{name: xargs, run: func(ctx context.Context) (sample, error) { return f.xargs(ctx) }},
			{name: ansible1, run: p.oneTask, only: []string{"P1", "P2", "P4"}},
			{name: ansible, run: func(ctx context.Context) (sample, error) { return p.taskPerCheck(ctx) }, only: []string{"P1", "P4"}, slow: true},
			{name: ansibleM, run: func(ctx context.Context) (sample, error) { return p.taskPerCheck(ctx, mitogen...) }, only: []string{"P1"}, slow: true},
		},
		goals: []goal{
			{ID: "P1", Text: "faster than Ansible with a task per check", Bound: 40, Value: faster(ours, ansible)},
			{ID: "P1", Text: "faster than Ansible with Mitogen", Bound: 20, Value: faster(ours, ansibleM)},
			{ID: "P2", Text: "faster than Ansible with the script as one task", Bound: 3, Value: faster(ours, ansible1)},
			{ID: "P3", Text: "time / xargs -P50 ssh, curve25519", Bound: 1.15, Most: true, Value: share(ours, xargsBest)},
			{ID: "P4", Text: "CPU of worker and Temporal / Ansible's", Bound: 0.01, Most: true, Value: func(rows map[string]*row) float64 {
				return rows[ours].Client / rows[ansible].Client
			}},
		},
	}
}

// rulesOfNodes is how many rules are judged from one node's facts.
func rulesOfNodes() int {
	n := 0
	for _, r := range checks.Rules() {
		if r.Subject == checks.OneNode && r.Judged() {
			n++
		}
	}
	return n
}

// again is P5 with the engine. The machines answer with recorded facts, because
// the script takes the same time over any connection.
func (f *fleet) again() contest {
	const cold, kept = "cold", "connections kept"
	site := quickSite(f.nodes)
	return contest{
		name: fmt.Sprintf("acpflow preflight of %d machines, without the script's time", f.nodes), runs: f.runs,
		entrants: []entrant{
			{name: cold, run: func(ctx context.Context) (sample, error) { return f.cold(ctx, site, f.quick) }},
			{name: kept, run: func(ctx context.Context) (sample, error) { return f.kept(ctx, site, f.quick) }},
		},
		goals: []goal{{ID: "P5", Text: "time on kept connections / cold, less the script's", Bound: 0.8, Most: true, Value: share(kept, cold)}},
	}
}

// Peaks of a run of the engine.
const (
	peakEvents = "events of history"
	peakMemory = "MB of the worker"
)

// growth is N500: how time, history and memory grow with the machines.
func (f *fleet) growth() contest {
	c := contest{name: "check many machines that answer with recorded facts", runs: max(3, f.runs/2)}
	name := func(n int) string { return fmt.Sprint(n, " machines") }
	for _, n := range sizes {
		c.entrants = append(c.entrants, entrant{name: name(n), run: func(ctx context.Context) (sample, error) { return f.recordedRun(ctx, n) }})
	}
	few, many := sizes[0], sizes[len(sizes)-1]
	peak := func(what string) func(map[string]*row) float64 {
		return func(rows map[string]*row) float64 { return rows[name(many)].Peaks[what] }
	}
	c.goals = []goal{
		{ID: "N500", Text: fmt.Sprintf("time per machine at %d / at %d", many, few), Bound: 1.3, Most: true, Value: func(rows map[string]*row) float64 {
			return rows[name(many)].Median / rows[name(few)].Median * float64(few) / float64(many)
		}},
		{ID: "N500", Text: fmt.Sprint(peakEvents, " at ", many), Bound: 3000, Most: true, Value: peak(peakEvents)},
		{ID: "N500", Text: fmt.Sprint(peakMemory, " at ", many), Bound: 200, Most: true, Value: peak(peakMemory)},
	}
	return c
}
