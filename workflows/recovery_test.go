package workflows_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/workflows"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return t0.Add(time.Duration(seconds) * time.Second) }

func stepFrom(id string, from, to int) workflows.StepProgress {
	begun, ended := at(from), at(to)
	s := workflows.StepProgress{StepInfo: workflows.StepInfo{ID: id}, Started: &begun}
	if to > 0 {
		s.Ended = &ended
	}
	return s
}

func decidedFrom(asked, given int) workflows.Decided {
	return workflows.Decided{Asked: at(asked), At: at(given)}
}

func TestRecoveryTimesPartsAreWhatTheySay(t *testing.T) {
	p := &workflows.Progress{Started: t0,
		Steps: []workflows.StepProgress{
			stepFrom("x.01-look", 0, 10), stepFrom("x.02-unreachable", 10, 130), // 50…100 waits for a person
			stepFrom("x.03-copy", 130, 160), stepFrom("x.04-save", 130, 200), // side by side
			stepFrom("x.05-point", 200, 290),
		},
		// Two people at one gate, a lapsed one among them; a decision after the end.
		Decisions: []workflows.Decided{decidedFrom(50, 100), decidedFrom(200, 210), decidedFrom(200, 260), decidedFrom(295, 400)},
	}
	got := workflows.RecoveryTimes(p, []string{"x.02-unreachable"}, at(300))
	assert.Equal(t, &workflows.RTO{TotalSeconds: 300, DetectionSeconds: 70, WaitingSeconds: 115, MachineSeconds: 115}, got)

	got = workflows.RecoveryTimes(p, nil, at(300))
	assert.Zero(t, got.DetectionSeconds)
	assert.InDelta(t, 185, got.MachineSeconds, 1e-9)

	got = workflows.RecoveryTimes(&workflows.Progress{Started: t0, Steps: []workflows.StepProgress{stepFrom("d", 5, 0)}}, []string{"d"}, at(20))
	assert.InDelta(t, 15, got.DetectionSeconds, 1e-9, "it still runs")
	assert.Equal(t, &workflows.RTO{}, workflows.RecoveryTimes(&workflows.Progress{Started: t0}, nil, at(-5)))
}

// Whatever overlaps whatever, no second is counted twice and none is lost.
func TestRecoveryTimesPartsSumToTheTotal(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		p := &workflows.Progress{Started: t0}
		var watched [400]byte // second by second: 1 = detected, 2 = waited
		for i := range random.IntN(6) {
			from := random.IntN(300) - 20
			to := from + random.IntN(100)
			if to <= 0 {
				continue
			}
			if i%2 == 0 {
				p.Steps = append(p.Steps, stepFrom("d", from, to))
			} else {
				p.Decisions = append(p.Decisions, decidedFrom(from, to))
			}
			for second := max(from, 0); second < to; second++ {
				watched[second] |= byte(1 + i%2)
			}
		}
		end := 1 + random.IntN(350)
		var detected, waited float64
		for _, what := range watched[:end] {
			switch {
			case what&2 != 0:
				waited++
			case what == 1:
				detected++
			}
		}
		got := workflows.RecoveryTimes(p, []string{"d"}, at(end))
		assert.InDelta(t, float64(end), got.TotalSeconds, 1e-6)
		assert.InDelta(t, waited, got.WaitingSeconds, 1e-6)
		assert.InDelta(t, detected, got.DetectionSeconds, 1e-6)
		assert.InDelta(t, got.TotalSeconds, got.WaitingSeconds+got.DetectionSeconds+got.MachineSeconds, 1e-6)
		assert.GreaterOrEqual(t, got.MachineSeconds, -1e-6)
	}
}

func TestRecoveryTellsWhatItCameTo(t *testing.T) {
	r := &workflows.Recovery{Mode: workflows.ModeFailover, Title: "Failover to east, UNVERIFIED",
		RTO:          &workflows.RTO{TotalSeconds: 312.3, DetectionSeconds: 60, WaitingSeconds: 120, MachineSeconds: 132.3},
		RPO:          &workflows.RPO{Text: "known equal up to 12:00, unknown for 4 minutes"},
		Restarted:    []string{"cpaas-system/a 1", "cpaas-system/b 2"},
		NotInstalled: []string{"ElasticSearch"},
		Owed:         []activities.Owed{{Cluster: "west", Action: activities.OwedClosePort, Port: 2379, Why: "its balancer does not answer", Since: t0}}}
	assert.Equal(t, []string{
		"Failover to east, UNVERIFIED",
		"RTO 5m12.3s, 3m12.3s without waiting for people: 1m0s to be sure that the old side is down, 2m0s waiting for people, 2m12.3s work",
		"RPO known equal up to 12:00, unknown for 4 minutes",
		"restarted 2 Pods",
		"not installed: ElasticSearch",
		"owed: close-port 2379 of west, since 2026-03-01T12:00:00Z: its balancer does not answer",
	}, r.Lines())
	shown := workflows.Board(&workflows.Progress{Runbook: "Failover", Recovery: r})
	for _, line := range r.Lines() {
		assert.True(t, strings.Contains(shown, "- "+line+"\n"), line)
	}
}
