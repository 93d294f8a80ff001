package main

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/site"
)

// serial is the documented procedure (DR-40…DR-43) as a script does it: its
// commands in its order, one after another, each with the wait that belongs to
// it, and nothing of what acpflow adds but its last wait: whoever follows the
// document watches the new primary as long as acpflow does. Every command is the
// activity of the same effect, which is quicker than a process of its own.
func (p *plainTakeover) serial(ctx context.Context) (time.Duration, error) {
	defer p.hosts.Pool.Close()
	start := time.Now()
	ports := &activities.Forwarding{Hosts: p.hosts}
	elastic, monitoring := activities.AfterSync[:1], activities.AfterSync[1:]
	steps := []func(context.Context) error{
		func(ctx context.Context) error { return p.elasticsearch(ctx, elastic) },
		func(ctx context.Context) error { _, err := p.sync().FetchCheck(ctx, p.scope(p.to)); return err },
		func(ctx context.Context) error { return p.look(ctx, p.from, nil, nil) },
		func(ctx context.Context) error { return p.look(ctx, p.to, nil, nil) },
		func(ctx context.Context) error {
			_, err := p.sync().RemovePlugin(ctx, activities.RemoveSyncInput{Scope: p.scope(p.to), Primary: p.from, Settle: plainPatience, Proven: true})
			return err
		},
		func(ctx context.Context) error { _, err := ports.ClosePort(ctx, p.port(p.from)); return err },
		func(ctx context.Context) error { _, err := ports.ClosePort(ctx, p.port(p.to)); return err },
		func(ctx context.Context) error {
			_, err := p.dns().PointPlatform(ctx, activities.PointInput{Scope: p.scope(p.to), To: p.to})
			return err
		},
		p.podsSee,
		func(ctx context.Context) error { return p.restart(ctx, elastic) },
		func(ctx context.Context) error { return p.restart(ctx, monitoring) },
		func(ctx context.Context) error { return p.restart(ctx, transformerPods) },
	}
	for _, w := range p.site.DR.Takeover.WorkloadClusters {
		steps = append(steps, func(ctx context.Context) error { return p.warlock(ctx, w) })
	}
	steps = append(steps, func(ctx context.Context) error { return p.soak(ctx, nil) })
	for _, do := range steps {
		if err := do(ctx); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

// remember records who is primary now, which the document does not know of, so
// that acpflow goes on from there.
func (p *plainTakeover) remember(ctx context.Context) error {
	defer p.hosts.Pool.Close()
	uids := map[string]string{}
	return errors.Join(p.identify(ctx, uids), p.record(ctx, p.to, uids), p.record(ctx, p.from, uids))
}

var transformerPods = []activities.ServiceGroup{activities.Transformer}

// warlock restarts what sends a workload cluster's monitoring.
func (p *plainTakeover) warlock(ctx context.Context, w site.WorkloadCluster) error {
	a := &activities.Workloads{Hosts: p.hosts}
	in := activities.WorkloadInput{Site: *p.site, Name: w.Name, Settle: plainPatience}
	found, err := call(ctx, p, a.ListWarlock, in)
	if err != nil {
		return err
	}
	in.Pods = found.Pods
	_, err = call(ctx, p, a.RestartWarlock, in)
	return err
}

// warlocks are the steps of all workload clusters.
func (p *plainTakeover) warlocks() []plainStep {
	var out []plainStep
	for _, w := range p.site.DR.Takeover.WorkloadClusters {
		out = append(out, plainStep{"20-" + w.Name, func(ctx context.Context) error { return p.warlock(ctx, w) }})
	}
	return out
}

// together runs steps side by side and keeps what each took.
func (p *plainTakeover) together(ctx context.Context, group []plainStep) error {
	var side errgroup.Group
	for _, s := range group {
		side.Go(func() error { return p.timed(ctx, s) })
	}
	return side.Wait()
}
