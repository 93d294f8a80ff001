package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	temporal "go.temporal.io/sdk/client"

	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/installer/server"
	"github.com/acpflow/acpflow/workflows"
)

// overheadLab is the lab of this measurement; its name is the site's too.
const overheadLab = "bench"

// overheadBound is the most that acpflow may add to what installer and nodes
// take, in seconds.
const overheadBound = 3

// overhead measures I1 on a lab: the wall time of an install less what the
// nodes and the installer took by their own clocks.
func overhead(ctx context.Context, runs int, rep *report) error {
	fmt.Println("\ninstall of three nodes on the lab: wall time less what installer and nodes take")
	return onLab(ctx, lab.Options{}, func(l *lab.Lab, d *harness.Devserver, _ string) error {
		c, err := d.Client(ctx)
		if err != nil {
			return err
		}
		defer c.Close()
		return installs(ctx, c, l, runs, rep)
	})
}

// onLab gives use a lab with Temporal and a worker, and the folder of its site
// documents, and takes all of it down.
func onLab(ctx context.Context, o lab.Options, use func(l *lab.Lab, d *harness.Devserver, sites string) error) (err error) {
	dir, err := os.MkdirTemp("", "acpflow-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := lab.Down(ctx, overheadLab); err != nil { // what a killed run left
		return err
	}
	o.Name, o.Dir = overheadLab, filepath.Join(dir, "lab")
	l, err := lab.Up(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.Down(context.WithoutCancel(ctx), overheadLab)) }()
	devserver, err := harness.StartDevserver(ctx, dir, os.Stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, devserver.Stop()) }()
	sites := filepath.Join(dir, "sites")
	if err := l.SiteStore(sites); err != nil {
		return err
	}
	worker, err := harness.StartWorker(ctx, devserver, harness.WorkerOptions{Sites: sites, Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, worker.Stop()) }()
	if err := use(l, devserver, sites); err != nil {
		return fmt.Errorf("%w\n%s", err, worker.Log())
	}
	return nil
}

// installs runs the installs and judges the median of acpflow's own time.
func installs(ctx context.Context, c temporal.Client, l *lab.Lab, runs int, rep *report) error {
	const all, ours = "whole install", "acpflow's own"
	samples := map[string][]sample{}
	for range runs {
		if err := l.Reset(ctx); err != nil {
			return err
		}
		p, err := install(ctx, c)
		if err != nil {
			return err
		}
		total := p.Ended.Sub(p.Started).Seconds()
		theirs, err := theirTime(ctx, l, p)
		if err != nil {
			return err
		}
		printSteps(p)
		samples[all] = append(samples[all], sample{Wall: total})
		samples[ours] = append(samples[ours], sample{Wall: total - theirs})
	}
	rows := map[string]*row{}
	for _, name := range []string{all, ours} {
		rows[name] = summarize("install", name, samples[name])
		rep.Rows = append(rep.Rows, rows[name])
	}
	printRows([]entrant{{name: all}, {name: ours}}, rows)
	rep.judge(goal{ID: "I1", Text: "install's own overhead, seconds", Bound: overheadBound, Most: true}, rows[ours].Median)
	return nil
}

func install(ctx context.Context, c temporal.Client) (*workflows.Progress, error) {
	run, err := c.ExecuteWorkflow(ctx, temporal.StartWorkflowOptions{ID: "bench", TaskQueue: workflows.TaskQueue}, workflows.InstallName,
		workflows.Request{Site: overheadLab, Cluster: "west", OnFailure: workflows.OnFailureAbort})
	if err != nil {
		return nil, err
	}
	var p workflows.Progress
	return &p, run.Get(ctx, &p)
}

// theirTime is what nodes and installer took, in seconds: the upload, the jobs
// on the node, the installer from configuration to success, and its grace.
func theirTime(ctx context.Context, l *lab.Lab, p *workflows.Progress) (float64, error) {
	var sum float64
	for _, s := range p.Steps {
		if text, ok := s.Evidence.Facts["seconds"]; ok {
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", s.ID, err)
			}
			sum += value
		}
		if s.ID == "verify.07-installer-gone" {
			sum += s.Ended.Sub(*s.Started).Seconds()
		}
	}
	node, err := l.Node("west-1")
	if err != nil {
		return 0, err
	}
	out, err := node.Exec(ctx, "cat", server.RecordFile)
	if err != nil {
		return 0, err
	}
	var r server.Record
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		return 0, err
	}
	if r.AcceptedAt.IsZero() || r.SuccessAt.IsZero() {
		return 0, errors.New("the installer's record does not say when it began and ended")
	}
	return sum + r.SuccessAt.Sub(r.AcceptedAt).Round(time.Millisecond).Seconds(), nil
}

// printSteps shows where the time went.
func printSteps(p *workflows.Progress) {
	for _, s := range p.Steps {
		fmt.Printf("    %-28s %6.2f s  node %s s\n", s.ID, s.Ended.Sub(*s.Started).Seconds(), s.Evidence.Facts["seconds"])
	}
}
