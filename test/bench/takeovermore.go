package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/etcd"
)

func (p *plainTakeover) lookAgain(ctx context.Context, machines *activities.MachinesView) error {
	if err := p.look(ctx, p.to, machines, machines); err != nil {
		return err
	}
	owners, err := call(ctx, p, p.proofs().LookAtOwners, p.scope(p.to))
	if err == nil && owners.Count > 0 {
		err = errors.New(owners.Summary)
	}
	return err
}

func (p *plainTakeover) port(cluster string) activities.PortInput {
	return activities.PortInput{Scope: p.scope(cluster), Port: activities.EtcdPort}
}

func (p *plainTakeover) closeEtcd(ctx context.Context, cluster string) error {
	ports := &activities.Forwarding{Hosts: p.hosts}
	if _, err := call(ctx, p, ports.LookAtPort, p.port(cluster)); err != nil {
		return err
	}
	_, err := call(ctx, p, ports.ClosePort, p.port(cluster))
	return err
}

// nothingCopies is the last look before the name moves.
func (p *plainTakeover) nothingCopies(ctx context.Context, machines *activities.MachinesView, mark *etcd.Mark) error {
	ports := &activities.Forwarding{Hosts: p.hosts}
	for _, cluster := range []string{p.from, p.to} {
		view, err := call(ctx, p, p.sync().ReadPlugin, activities.ReadPluginInput{Scope: p.scope(cluster)})
		if err != nil || len(view.Left()) > 0 {
			return errors.Join(err, fmt.Errorf("left on %s: %v", cluster, view.Left()))
		}
		state, err := call(ctx, p, ports.LookAtPort, p.port(cluster))
		if err != nil || state.Reachable || state.Configured {
			return errors.Join(err, fmt.Errorf("port %d of %s is open", activities.EtcdPort, cluster))
		}
	}
	if err := p.look(ctx, p.to, machines, machines); err != nil {
		return err
	}
	in := activities.ProveInput{Site: *p.site, Primary: p.from, Standby: p.to}
	if mark.Usable() {
		in.Since = mark
	}
	_, err := call(ctx, p, p.proofs().Prove, in)
	return err
}

func (p *plainTakeover) record(ctx context.Context, on string, uids map[string]string) error {
	_, err := call(ctx, p, p.sides().WritePairRecord, activities.WriteRecordInput{Scope: p.scope(on), Record: activities.PairRecord{
		Primary: p.to, PrimaryUID: uids[p.to], Standby: p.from, StandbyUID: uids[p.from], Since: time.Now().UTC(), Run: p.runID(), Mode: "switchover", Moved: p.moved}})
	return err
}

// point looks once more right before it acts, as the runbook does after a quick approval,
// and records that the name moves.
func (p *plainTakeover) point(ctx context.Context, uids map[string]string, machines *activities.MachinesView, mark *etcd.Mark) error {
	if err := p.nothingCopies(ctx, machines, mark); err != nil {
		return err
	}
	p.moved = new(time.Now().UTC())
	if err := p.record(ctx, p.to, uids); err != nil {
		return err
	}
	_, err := call(ctx, p, p.dns().PointPlatform, activities.PointInput{Scope: p.scope(p.to), To: p.to})
	return err
}

func (p *plainTakeover) nodesSee(ctx context.Context) error {
	_, err := call(ctx, p, p.dns().LookUpOnNodes, activities.NodeLookupInput{Scope: p.scope(p.to), To: p.to, Clusters: []string{p.from, p.to},
		InARow: p.site.DR.Takeover.InARow(), Within: plainPatience})
	return err
}

func (p *plainTakeover) podsSee(ctx context.Context) error {
	coredns := []activities.ServiceGroup{activities.CoreDNS}
	for restarts := 0; ; restarts++ {
		seen, err := call(ctx, p, p.dns().LookUpInPod, activities.PodLookupInput{Scope: p.scope(p.to), To: p.to, InARow: p.site.DR.Takeover.InARow()})
		if err != nil || seen.Right {
			return err
		}
		if restarts == p.site.DR.Takeover.MaxCoreDNSRestarts() {
			return errors.New(seen.Why)
		}
		if err := p.restart(ctx, coredns); err != nil {
			return err
		}
	}
}

func (p *plainTakeover) list(ctx context.Context, groups []activities.ServiceGroup) ([]activities.ServiceGroup, error) {
	view, err := call(ctx, p, p.sync().ListServices, activities.ServicesInput{Scope: p.scope(p.to), Groups: groups})
	return view.Groups, err
}

func (p *plainTakeover) restarted(ctx context.Context, found []activities.ServiceGroup) error {
	_, err := call(ctx, p, p.sync().RestartServices, activities.ServicesInput{Scope: p.scope(p.to), Groups: found, Settle: plainPatience})
	return err
}

func (p *plainTakeover) restart(ctx context.Context, groups []activities.ServiceGroup) error {
	found, err := p.list(ctx, groups)
	if err != nil {
		return err
	}
	return p.restarted(ctx, found)
}

func (p *plainTakeover) soak(ctx context.Context, machines *activities.MachinesView) error {
	const looks, least = 12, 5 * time.Second // as in the runbook
	limit := p.site.DR.Takeover.SoakFor()
	for began := time.Now(); ; {
		if err := p.look(ctx, p.to, machines, nil); err != nil {
			return err
		}
		left := limit - time.Since(began)
		if left <= 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(max(limit/looks, least), left)):
		}
	}
}
