package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/etcd"
)

// patience bounds what the plain loop waits for.
const plainPatience = 5 * time.Minute

// groups are the steps of the runbook; what stands in one line runs side by side.
func (p *plainTakeover) groups() [][]plainStep {
	var machines activities.MachinesView
	var mark etcd.Mark
	uids := map[string]string{}
	elastic := activities.AfterSync[:1]
	return [][]plainStep{
		{{"01", func(ctx context.Context) error { return p.identify(ctx, uids) }}},
		{{"02", p.readiness}},
		{
			{"03", func(ctx context.Context) error { return p.elasticsearch(ctx, elastic) }},
			{"04", func(ctx context.Context) error { return p.keep(ctx, p.safety().SnapshotEtcd) }},
			{"05", func(ctx context.Context) error { return p.keep(ctx, p.safety().ExportObjects) }},
		},
		{{"06", func(ctx context.Context) (err error) { mark, err = p.alike(ctx); return err }}},
		{{"07", func(ctx context.Context) error { return p.removeSynchronizer(ctx, &machines) }}},
		{{"08", func(ctx context.Context) error { return p.lookAgain(ctx, &machines) }}},
		{
			{"09", func(ctx context.Context) error { return p.closeEtcd(ctx, p.from) }},
			{"10", func(ctx context.Context) error { return p.closeEtcd(ctx, p.to) }},
		},
		{{"12-last-look", func(ctx context.Context) error { return p.nothingCopies(ctx, &machines, &mark) }}},
		{{"12-record", func(ctx context.Context) error { return p.record(ctx, p.to, uids) }}},
		{{"13", func(ctx context.Context) error { return p.point(ctx, uids, &machines, &mark) }}},
		{{"14", p.nodesSee}, {"15", p.podsSee}},
		{{"16", func(ctx context.Context) error {
			_, err := call(ctx, p, (&activities.Page{Hosts: p.hosts}).CheckPage, activities.PageInput{Scope: p.scope(p.to), To: p.to, UID: uids[p.to]})
			return err
		}}},
		append(p.warlocks(), []plainStep{
			{"17", func(ctx context.Context) error { return p.restart(ctx, elastic) }},
			{"18", func(ctx context.Context) error { return p.restart(ctx, activities.AfterSync[1:]) }},
			{"19", func(ctx context.Context) error { return p.restart(ctx, transformerPods) }},
		}...),
		{{"21", func(ctx context.Context) error { return p.soak(ctx, &machines) }}},
		{{"22", func(ctx context.Context) error {
			return errors.Join(p.record(ctx, p.to, uids), p.record(ctx, p.from, uids))
		}}},
	}
}

func (p *plainTakeover) scope(cluster string) activities.Scope {
	return activities.Scope{Site: *p.site, Cluster: cluster}
}

func (p *plainTakeover) pair() activities.PairInput {
	return activities.PairInput{Site: *p.site, Primary: p.from, Standby: p.to}
}

func (p *plainTakeover) sides() *activities.Sides   { return &activities.Sides{Hosts: p.hosts} }
func (p *plainTakeover) sync() *activities.Sync     { return &activities.Sync{Hosts: p.hosts} }
func (p *plainTakeover) dns() *activities.DNS       { return &activities.DNS{Hosts: p.hosts} }
func (p *plainTakeover) safety() *activities.Safety { return &activities.Safety{Hosts: p.hosts} }
func (p *plainTakeover) proofs() *activities.Consistency {
	return &activities.Consistency{Hosts: p.hosts}
}

func (p *plainTakeover) identify(ctx context.Context, uids map[string]string) error {
	identity, err := call(ctx, p, p.sides().IdentifySides, activities.IdentifyInput{PairInput: p.pair()})
	if err != nil {
		return err
	}
	for name, side := range identity.Sides {
		uids[name] = side.UID
	}
	_, err = call(ctx, p, p.dns().LookUpPlatform, activities.ClusterInput{Scope: activities.Scope{Site: *p.site}})
	return err
}

func (p *plainTakeover) readiness(ctx context.Context) error {
	view, err := call(ctx, p, p.sides().ObservePair, activities.PairViewInput{Site: *p.site, Deep: true})
	if err != nil {
		return err
	}
	facts := pair.Facts{Site: *p.site, Sides: view.Sides, Address: view.Address, Contract: view.Contract}
	in := activities.CompareInput{Vendor: true, ProveInput: activities.ProveInput{Site: *p.site, Primary: p.from, Standby: p.to, Owners: true}}
	found, err := call(ctx, p, p.sides().CompareSides, in)
	if err != nil {
		return err
	}
	facts.Vendor = found.Vendor
	if found.Proof.Value == nil {
		return errors.New(found.Proof.Why)
	}
	facts.Proof = pair.Of(activities.ProofFact(*found.Proof.Value))
	if p.site.DR.Sync.Canary != nil {
		lag, err := call(ctx, p, p.sides().MeasureLag, p.pair())
		if err != nil {
			return err
		}
		facts.Canary = pair.Of(lag)
	}
	card, err := p.sides().JudgePair(ctx, activities.JudgePairInput{Facts: facts}) // in place, also in the runbook
	if err == nil && card.Blocking {
		err = fmt.Errorf("the pair is not ready: %+v", card.Findings)
	}
	return err
}

func (p *plainTakeover) elasticsearch(ctx context.Context, groups []activities.ServiceGroup) error {
	found, err := p.list(ctx, groups)
	if err != nil {
		return err
	}
	script, err := call(ctx, p, (&activities.Elastic{Hosts: p.hosts}).RunTemplateScript, activities.TemplateScriptInput{Scope: p.scope(p.to), Run: p.runID()})
	if err != nil || script.Unauthorized {
		return errors.Join(err, errors.New(script.Summary))
	}
	return p.restarted(ctx, found)
}

func (p *plainTakeover) keep(ctx context.Context, copy func(context.Context, activities.SafetyInput) (activities.Evidence, error)) error {
	_, err := call(ctx, p, copy, activities.SafetyInput{Scope: p.scope(p.to), Run: p.runID(), Label: p.to})
	return err
}

// runID tells the loop's runs apart where an activity keeps something.
func (p *plainTakeover) runID() string { return fmt.Sprintf("plain-%p", p) }

func (p *plainTakeover) alike(ctx context.Context) (etcd.Mark, error) {
	for _, cluster := range []string{p.from, p.to} {
		if err := p.look(ctx, cluster, nil, nil); err != nil {
			return etcd.Mark{}, err
		}
	}
	said, err := call(ctx, p, p.sync().FetchCheck, p.scope(p.to))
	if err != nil || !said.Clean() {
		return etcd.Mark{}, errors.Join(err, errors.New(said.String()))
	}
	proof, err := call(ctx, p, p.proofs().Prove, activities.ProveInput{Site: *p.site, Primary: p.from, Standby: p.to, Owners: true})
	if err == nil && !proof.Clean() {
		err = fmt.Errorf("%d missed, %d surplus, %d different", proof.Missed, proof.Surplus, proof.Different)
	}
	return proof.Mark, err
}

// look demands that every Machine runs; what it saw goes into seen, if wanted.
func (p *plainTakeover) look(ctx context.Context, cluster string, before, seen *activities.MachinesView) error {
	view, err := call(ctx, p, p.sides().CheckMachines, activities.MachinesInput{Scope: p.scope(cluster), Before: before})
	if err == nil && !view.Clean() {
		err = errors.New(view.Summary)
	}
	if err == nil && seen != nil {
		*seen = view
	}
	return err
}

func (p *plainTakeover) removeSynchronizer(ctx context.Context, machines *activities.MachinesView) error {
	if _, err := call(ctx, p, p.sync().ReadPlugin, activities.ReadPluginInput{Scope: p.scope(p.to)}); err != nil {
		return err
	}
	if err := errors.Join(p.look(ctx, p.from, nil, nil), p.look(ctx, p.to, nil, machines)); err != nil {
		return err
	}
	_, err := call(ctx, p, p.sync().RemovePlugin, activities.RemoveSyncInput{Scope: p.scope(p.to), Primary: p.from, Settle: plainPatience})
	return err
}
