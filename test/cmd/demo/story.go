package main

import (
	"context"
	"fmt"
	"time"

	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/workflows"
)

// The clusters: west begins as the primary.
const (
	west = "west"
	east = "east"
)

// story is what the demo shows, once everything is up.
type story struct {
	lab       *lab.Lab
	server    *harness.Devserver
	sites     string // folder of the site documents
	takeovers []*workflows.Progress
}

// tell goes through a year of a platform in a few minutes.
func (s *story) tell(ctx context.Context) error {
	for _, chapter := range []struct {
		title string
		do    func() error
	}{
		{"a pair is built: west is the primary, east follows it", func() error { return s.runbook(ctx, "install-pair", west) }},
		{"teams work on west: their data is in east, too", func() error { return s.work(ctx, west, east, "spring") }},
		{"is the pair well?", func() error { return s.acpflow(ctx, "check", "--site", name, "--full") }},
		{"what a switchover would do, and what it waits for", func() error { return s.acpflow(ctx, "plan", "switchover", "--site", name, "--cluster", east) }},
		{"west needs maintenance: switchover to east", func() error { return s.takeOver(ctx, "switchover", east) }},
		{"the data is in east", func() error { return s.held(ctx, east, "spring") }},
		{"west comes back as the standby", func() error { return s.runbook(ctx, "reprotect", west) }},
		{"teams work on east: their data is in west, too", func() error { return s.work(ctx, east, west, "summer") }},
		{"east loses power", func() error { return s.lab.PowerOffCluster(ctx, east) }},
		{"failover to west", func() error { return s.takeOver(ctx, "failover", west) }},
		{"the data is in west", func() error { return s.held(ctx, west, "spring", "summer") }},
		{"east has power again", func() error { return s.lab.PowerOnCluster(ctx, east) }},
		{"east comes back as the standby", func() error { return s.runbook(ctx, "reprotect", east) }},
		{"teams work on west again: their data is in east, too", func() error { return s.work(ctx, west, east, "autumn") }},
		{"is the pair well? A proof over all keys", func() error { return s.acpflow(ctx, "check", "--site", name, "--full") }},
	} {
		say("%s", chapter.title)
		start := time.Now()
		if err := chapter.do(); err != nil {
			return fmt.Errorf("%s: %w", chapter.title, err)
		}
		fmt.Printf("  (%s)\n", time.Since(start).Round(100*time.Millisecond))
	}
	return nil
}

// takeOver is runbook of a takeover, whose figures are kept for the end.
func (s *story) takeOver(ctx context.Context, verb, cluster string) error {
	if err := s.runbook(ctx, verb, cluster); err != nil {
		return err
	}
	p, err := s.status(ctx, workflows.RunID(verb, name, cluster))
	if err != nil {
		return err
	}
	if r := p.Recovery; r == nil || r.RTO == nil || r.RPO == nil {
		return fmt.Errorf("the %s says nothing of RTO and RPO", verb)
	}
	s.takeovers = append(s.takeovers, p)
	return nil
}

// sum prints what the takeovers came to.
func (s *story) sum() {
	say("what it came to")
	for _, p := range s.takeovers {
		r := p.Recovery
		fmt.Printf("  %s\n    RTO %s: detection %s, people %s, machine %s\n    RPO %s\n    %d Pods restarted, %d things owed to the side that was away\n", r.Title,
			seconds(r.RTO.TotalSeconds), seconds(r.RTO.DetectionSeconds), seconds(r.RTO.WaitingSeconds), seconds(r.RTO.MachineSeconds),
			r.RPO.Text, len(r.Restarted), len(r.Owed))
	}
}

func seconds(s float64) string { return fmt.Sprintf("%.1f s", s) }
