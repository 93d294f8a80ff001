package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// UnreachableInput names the pair by the roles it has had: is the primary gone?
type UnreachableInput struct {
	PairInput
	For time.Duration `json:"for"` // nanoseconds
}

// Reachability is what one round of probes found.
type Reachability struct {
	Answers []string `json:"answers"` // what answered, from where it was asked; empty = nothing
	Probes  int      `json:"probes"`  // that got a clear result
	From    []string `json:"from"`    // the worker and the control planes that asked
	Blind   []string `json:"blind,omitempty"`
}

// reachPause is the time between two rounds.
const reachPause = 2 * time.Second

// ProveUnreachable shows that nothing of the primary answers: the worker and
// every control plane of the standby that can be logged in to connect again and
// again to SSH, the API and etcd of its nodes and to its VIP, for the whole time,
// and not one gets an answer. One answer is fault.Gate at once and names what
// answered from where; a refused connection is one, too, because the machine lives.
// Only at the VIP it is none, nor is a connection that is closed at once: there a
// load balancer may live on without anybody behind it.
//
// What it can't prove is that the old side is down: a network that is cut looks
// the same from this side. A person who knows must say so.
//
// It needs the worker and one control plane of the standby to see something at
// all, else fault.Unreachable. An attempt that begins anew measures the whole
// time anew.
func (a *Sides) ProveUnreachable(ctx context.Context, in UnreachableInput) (Evidence, error) {
	r, err := a.reach(in.PairInput)
	if err != nil {
		return Evidence{}, err
	}
	var last Reachability
	start, rounds, probes := time.Now(), 0, 0
	seen := map[string]bool{}
	for rounds < 2 || time.Since(start) < in.For {
		if rounds > 0 {
			if err := pause(ctx, reachPause); err != nil {
				return Evidence{}, err
			}
		}
		if last, err = r.round(ctx); err != nil {
			return Evidence{}, err
		}
		if len(last.Answers) > 0 {
			return Evidence{}, fault.New(fault.Gate, "prove that "+in.Primary+" is unreachable", "cluster "+in.Primary,
				"it is not gone: use a switchover, or power its machines off or cut them from the network, then retry", errors.New(strings.Join(last.Answers, "; ")))
		}
		rounds, probes = rounds+1, probes+last.Probes
		for _, from := range last.From {
			seen[from] = true
		}
		report(ctx, Progress{Text: fmt.Sprintf("nothing of %s answers, %d probes so far", in.Primary, probes), Done: int64(time.Since(start).Seconds()), Total: int64(in.For.Seconds()), Unit: "seconds"})
	}
	from := slices.Sorted(maps.Keys(seen))
	out := Evidence{Host: in.Primary,
		Summary: fmt.Sprintf("nothing of %s answered for %s: %d probes of %d ports, from %s", in.Primary, time.Since(start).Round(time.Second), probes, len(r.targets), strings.Join(from, ", ")),
		Facts:   map[string]string{"rounds": strconv.Itoa(rounds), "probes": strconv.Itoa(probes), "asked": strings.Join(r.names(), ", "), "from": strings.Join(from, ", "), "kinds": strings.Join(r.kinds(), ", ")}}
	if len(last.Blind) > 0 {
		out.Facts["could not ask"] = strings.Join(last.Blind, "; ")
	}
	return out, nil
}

// WhoAnswers asks once, as ProveUnreachable does, what of the primary answers.
func (a *Sides) WhoAnswers(ctx context.Context, in PairInput) (Reachability, error) {
	r, err := a.reach(in)
	if err != nil {
		return Reachability{}, err
	}
	return r.round(ctx)
}

// reachTarget is one port of the side that may be gone.
type reachTarget struct {
	name string // west-m1 or VIP
	host string
	port int
	kind string // ssh, api, etcd or page
	vip  bool   // a load balancer answers for others
	node *Node  // with kind ssh
}

func (t reachTarget) String() string { return fmt.Sprintf("%s %s:%d", t.name, t.host, t.port) }

// maxReachWorkers bounds the workers that are asked: control planes count.
const maxReachWorkers = 10

// reachTargets are the ports of a cluster that tell whether it lives.
func reachTargets(s *site.Site, c *site.Cluster) []reachTarget {
	var out []reachTarget
	workers := 0
	for i := range c.Nodes {
		n := NodeOf(c, c.Nodes[i])
		add := func(kind string, port int, node *Node) {
			out = append(out, reachTarget{name: n.Name, host: n.Address, port: port, kind: kind, node: node})
		}
		if c.Nodes[i].Role == site.ControlPlane {
			add("ssh", portOr22(n.SSH.Port), &n)
			add("api", 6443, nil)
			add("etcd", 2379, nil)
		} else if workers++; workers <= maxReachWorkers {
			add("ssh", portOr22(n.SSH.Port), &n)
		}
	}
	if Bare(c) { // the nodes themselves, asked above
		return out
	}
	for _, p := range []struct {
		kind string
		port int
	}{{"page", s.Platform.HTTPSPort}, {"api", 6443}, {"etcd", 2379}} {
		out = append(out, reachTarget{name: "VIP", host: c.Endpoint.VIP, port: p.port, kind: p.kind, vip: true})
	}
	return out
}

// reach asks the same targets from several places.
type reach struct {
	hosts    *Hosts
	targets  []reachTarget
	vantages []Node // control planes of the other side
}

func (a *Sides) reach(in PairInput) (reach, error) {
	gone, lives := in.primary(), in.standby()
	cluster, err := gone.cluster()
	if err != nil {
		return reach{}, err
	}
	vantages, err := lives.controlPlanes()
	return reach{hosts: a.Hosts, targets: reachTargets(&in.Site, cluster), vantages: vantages}, err
}

func (r reach) names() []string {
	var out []string
	for _, t := range r.targets {
		out = append(out, t.String())
	}
	return out
}

func (r reach) kinds() []string {
	set := map[string]bool{}
	for _, t := range r.targets {
		set[t.kind] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// round asks once from everywhere, all at the same time.
func (r reach) round(ctx context.Context) (Reachability, error) {
	results := make([][]outcome, len(r.vantages)+1)
	faults := make([]error, len(r.vantages)+1)
	var group sync.WaitGroup
	group.Go(func() { results[0] = r.fromHere(ctx) })
	for i, n := range r.vantages {
		group.Go(func() { results[i+1], faults[i+1] = r.fromNode(ctx, n) })
	}
	group.Wait()
	if ctx.Err() != nil {
		return Reachability{}, ctx.Err()
	}
	return r.judge(results, faults)
}

// judge needs a clear result of every probe at the worker and at one node, unless
// something answered: then nothing else matters.
func (r reach) judge(results [][]outcome, faults []error) (Reachability, error) {
	out := Reachability{Answers: []string{}}
	nodes := 0
	for i, list := range results {
		from := "the worker"
		if i > 0 {
			from = r.vantages[i-1].Name
		}
		blind := faults[i]
		for j, o := range list {
			switch {
			case o.answered(r.targets[j]):
				out.Answers = append(out.Answers, fmt.Sprintf("%s %s, seen from %s", r.targets[j], o.word, from))
			case !o.clear():
				blind = fmt.Errorf("%s: %s", r.targets[j], o.why)
			}
		}
		if blind != nil {
			out.Blind = append(out.Blind, from+": "+clip(message(blind), 300))
			continue
		}
		out.From, out.Probes = append(out.From, from), out.Probes+len(list)
		if i > 0 {
			nodes++
		}
	}
	if len(out.Answers) > 0 || nodes > 0 && nodes < len(out.From) && len(r.kinds()) > 1 {
		return out, nil
	}
	return out, fault.New(fault.Unreachable, "ask whether anything answers", "from the worker and the standby's control planes",
		"the worker and at least one control plane of the standby must be able to ask; their silence alone proves nothing", errors.New(strings.Join(out.Blind, "; ")))
}
