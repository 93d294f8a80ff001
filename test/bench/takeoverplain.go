package main

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/site"
)

// plainTakeover is a switchover without Temporal: the activities of the runbook,
// in its order and as much side by side, called by a Go loop that keeps nothing
// and forgets all when it dies. What it takes is what the work takes.
type plainTakeover struct {
	site  *site.Site
	from  string // the primary until now
	to    string
	hosts *activities.Hosts
	moved *time.Time // when the name was told to move

	mu      sync.Mutex
	calls   map[string]int     // activities by name
	seconds map[string]float64 // steps by their number in the runbook
}

type plainStep struct {
	id string // as in the runbook, without its word
	do func(context.Context) error
}

func newPlainTakeover(s *site.Site, from, to string) *plainTakeover {
	return &plainTakeover{site: s, from: from, to: to, hosts: &activities.Hosts{Pool: ssh.NewPool()},
		calls: map[string]int{}, seconds: map[string]float64{}}
}

// run does it and returns how long it took.
func (p *plainTakeover) run(ctx context.Context) (time.Duration, error) {
	defer p.hosts.Pool.Close()
	start := time.Now()
	for _, group := range p.groups() {
		if err := p.together(ctx, group); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

// timed does a step and keeps what it took.
func (p *plainTakeover) timed(ctx context.Context, s plainStep) error {
	began := time.Now()
	err := s.do(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seconds[s.id] = time.Since(began).Seconds()
	if err != nil {
		return fmt.Errorf("%s: %w", s.id, err)
	}
	return nil
}

// path is what the steps up to the restarts take when of each group only the
// longest counts: no order of these steps is faster.
func (p *plainTakeover) path() float64 {
	sum := 0.0
	for _, group := range p.groups() {
		longest := 0.0
		for _, s := range group {
			if s.id < "21" { // the soak is no part of it
				longest = max(longest, p.seconds[s.id])
			}
		}
		sum += longest
	}
	return sum
}

// call does one activity and counts it by its name.
func call[I, O any](ctx context.Context, p *plainTakeover, activity func(context.Context, I) (O, error), in I) (O, error) {
	name := runtime.FuncForPC(reflect.ValueOf(activity).Pointer()).Name()
	name = strings.TrimSuffix(name[strings.LastIndex(name, ".")+1:], "-fm")
	p.mu.Lock()
	p.calls[name]++
	p.mu.Unlock()
	out, err := activity(ctx, in)
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return out, err
}

// missing tells which activities of a real run the loop did not do as often.
func (p *plainTakeover) missing(real map[string]int) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(real)) {
		if real[name] != p.calls[name] {
			out = append(out, fmt.Sprintf("%s %d times instead of %d", name, p.calls[name], real[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.calls)) {
		if real[name] == 0 {
			out = append(out, fmt.Sprintf("%s %d times instead of never", name, p.calls[name]))
		}
	}
	return strings.Join(out, ", ")
}
