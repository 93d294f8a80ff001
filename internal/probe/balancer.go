package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/probe/wire"
)

// Patience bounds how long a balancer is watched. Health checks need some
// seconds to notice that a control plane listens, or no longer does.
type Patience struct {
	Spread time.Duration // until all control planes were reached
	Turn   time.Duration // until connections turn to others, when the reached ones listen no longer
	Check  time.Duration // until a control plane that listens no longer is left out
	Pause  time.Duration // between two rounds of connections
}

// UsualPatience suits health checks every five seconds that must succeed twice.
var UsualPatience = Patience{Spread: 15 * time.Second, Turn: 20 * time.Second, Check: 20 * time.Second, Pause: 500 * time.Millisecond}

const (
	knockMillis = 6000 // balancers take some five seconds to give up on a backend
	portAPI     = 6443
)

// watch is the view of one address.
type watch struct {
	fleet    *Fleet
	source   Source
	address  string
	patience Patience
	doors    []*door
}

// Balancer tries the ports at an address of the load balancer: from the first
// source that gets any answer there, else from a member. The control planes
// are the members with ports. It fails only when ctx ends.
func (f *Fleet) Balancer(ctx context.Context, address string, sources []Source, p Patience, progress func(string)) (checks.BalancerView, error) {
	w := &watch{fleet: f, address: address, patience: p, doors: f.doors()}
	view := checks.BalancerView{Measured: time.Now().UTC(), Address: address}
	if err := w.choose(ctx, slices.Concat(sources, f.sources())); err != nil {
		return view, err
	}
	view.From = w.source.Name
	progress("trying " + address + " from " + w.source.Name)
	if err := w.try(ctx); err != nil {
		return view, err
	}
	if err := w.near(ctx, &view); err != nil {
		return view, err
	}
	if err := w.turn(ctx); err != nil {
		return view, err
	}
	if err := w.check(ctx); err != nil {
		return view, err
	}
	for _, d := range w.doors {
		view.Ports = append(view.Ports, d.result())
	}
	return view, f.restore(ctx)
}

// round makes some connections to every door that is not done.
func (w *watch) round(ctx context.Context, doors []*door) ([]wire.Knocks, error) {
	order := wire.Knock{Millis: knockMillis}
	for _, d := range doors {
		order.Doors = append(order.Doors, wire.Door{Address: w.address, Port: d.port, Times: max(2*len(d.behind), 4)})
	}
	got, err := w.source.knock(ctx, order)
	if err == nil && len(got) != len(doors) {
		err = errors.New("the probe agent answered for other ports")
	}
	if err != nil {
		return nil, err
	}
	for i, d := range doors {
		d.hear(got[i])
	}
	return got, nil
}

func open(doors []*door) []*door {
	return slices.DeleteFunc(slices.Clone(doors), (*door).full)
}

// rounds goes on until the doors are all done or time is up.
func (w *watch) rounds(ctx context.Context, limit time.Duration, left func() []*door, after func([]*door, []wire.Knocks)) error {
	for end := time.Now().Add(limit); ; {
		doors := left()
		if len(doors) == 0 || time.Now().After(end) {
			return nil
		}
		got, err := w.round(ctx, doors)
		if err != nil {
			return err
		}
		after(doors, got)
		if len(left()) == 0 {
			return nil
		}
		select {
		case <-time.After(w.patience.Pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// try connects until every control plane was reached behind every door.
func (w *watch) try(ctx context.Context) error {
	err := w.rounds(ctx, w.patience.Spread, func() []*door { return open(w.doors) }, func([]*door, []wire.Knocks) {})
	if err != nil {
		return err
	}
	order := wire.Knock{Millis: knockMillis}
	var mute []*door
	hello := openTLS("localhost")
	for _, d := range w.doors {
		d.spread = d.last
		if d.layer == "" && !d.done {
			mute = append(mute, d)
			for _, opening := range [][]byte{hello, openHTTP} {
				order.Doors = append(order.Doors, wire.Door{Address: w.address, Port: d.port, Times: 1, Opening: opening})
			}
		}
	}
	if len(mute) == 0 {
		return nil
	}
	got, err := w.source.knock(ctx, order)
	if err != nil {
		return err
	}
	for i, d := range mute {
		for _, k := range got[2*i : 2*i+2] {
			if d.layer == "" {
				d.layer = layer(k.First)
			}
		}
	}
	return nil
}

// near tries the API behind the address from every member (NET-02).
func (w *watch) near(ctx context.Context, view *checks.BalancerView) error {
	i := slices.IndexFunc(w.doors, func(d *door) bool { return d.port == portAPI && len(d.behind) > 0 })
	if i < 0 {
		return nil
	}
	cut := make([]string, len(w.fleet.members))
	order := wire.Knock{Millis: knockMillis, Doors: []wire.Door{{Address: w.address, Port: portAPI, Times: 2}}}
	var all sync.WaitGroup
	for i, m := range w.fleet.members {
		all.Go(func() {
			err := m.fault()
			if err == nil {
				var got []wire.Knocks
				got, err = m.source().knock(ctx, order)
				if err == nil && len(got) == 1 && len(got[0].Nodes) == 0 {
					err = errors.New(common(got[0].Cause))
				}
			}
			if err != nil {
				cut[i] = m.Name + ": " + short(err)
			}
		})
	}
	all.Wait()
	view.Cut = slices.DeleteFunc(cut, func(s string) bool { return s == "" })
	view.Near = len(w.fleet.members) - len(view.Cut)
	return context.Cause(ctx)
}

// turn looks behind doors that led to one control plane alone. A balancer that
// keeps a caller on one backend shows the others only when that one is gone.
func (w *watch) turn(ctx context.Context) error {
	sticky := func() []*door {
		return slices.DeleteFunc(open(w.doors), func(d *door) bool { return d.spread != 1 })
	}
	gone := map[string]bool{}
	shut := func(doors []*door, _ []wire.Knocks) {
		for _, d := range doors {
			for _, node := range d.reached {
				if key := fmt.Sprint(node, d.port); !gone[key] {
					gone[key] = true
					w.fleet.release(ctx, node, d.port)
				}
			}
		}
	}
	shut(sticky(), nil)
	for _, d := range sticky() {
		d.checked = "yes" // it is, if all are reached in the end
	}
	return w.rounds(ctx, w.patience.Turn, sticky, shut)
}

// check has one control plane stop listening and sees whether connections
// still go there (LB-06).
func (w *watch) check(ctx context.Context) error {
	var doors []*door
	clean := map[*door]int{}
	for _, d := range w.doors {
		if d.full() && d.layer == "tcp" && d.checked == "" && len(d.behind) > 1 && !d.done {
			doors = append(doors, d)
			d.checked = "no"
			w.fleet.release(ctx, d.behind[0].Name, d.port)
		}
	}
	left := func() []*door {
		return slices.DeleteFunc(slices.Clone(doors), func(d *door) bool { return d.checked == "yes" })
	}
	return w.rounds(ctx, w.patience.Check, left, func(doors []*door, got []wire.Knocks) {
		for i, d := range doors {
			if clean[d]++; len(got[i].Cause) > 0 {
				clean[d] = 0
			}
			if clean[d] == 2 { // once may be luck
				d.checked = "yes"
			}
		}
	})
}

func (f *Fleet) release(ctx context.Context, node string, port int) {
	for _, m := range f.members {
		if m.Name == node && m.fault() == nil {
			// An agent that does not answer is dead, which shows soon enough.
			_, _ = m.agent.Ask(ctx, wire.Order{Release: &wire.Release{TCP: []int{port}}})
		}
	}
}

// restore has all members listen again, for the next address.
func (f *Fleet) restore(ctx context.Context) error {
	for _, m := range f.members {
		if m.fault() != nil {
			continue
		}
		_, err := m.agent.Ask(ctx, wire.Order{Release: &wire.Release{TCP: m.Ports.TCP}})
		if err == nil {
			err = f.listen(ctx, m)
		}
		if err != nil && ctx.Err() == nil {
			m.err = err
		}
	}
	return context.Cause(ctx)
}
