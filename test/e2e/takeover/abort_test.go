package takeover

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/harness/pairs"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
	"github.com/acpflow/acpflow/workflows"
)

// Before the point of no return an abort puts everything back and proves it. One
// run for each step that parks here; the last has everything done but the name.
func TestAbortBeforeThePointOfNoReturn(t *testing.T) {
	s := inSync(t)
	for _, c := range []struct {
		name string
		at   func(*stage) (id string, mend func())
	}{
		{"at the proof", (*stage).atTheProof},
		{"when the garbage collector was quicker", (*stage).afterTheCollector},
		{"at a port that does not close", (*stage).atThePort},
		{"at the last question", (*stage).atTheQuestion},
	} {
		t.Run(c.name, func(t *testing.T) {
			sub := *s
			sub.T = t
			id, mend := c.at(&sub)
			mend()
			sub.Decide(t, id, "abort", "the test says so")
			p := sub.Until(t, id, "the end of the abort", func(p *workflows.Progress) bool { return p.Outcome == workflows.Aborted })
			sub.told(id, p)
			sub.Record(t, id, "switchover-aborted")
			for _, step := range after(p, "switchover.12-record") {
				assert.Equal(t, workflows.NotRun, step.State, step.ID)
			}
			sub.untouched()
			s.runs = append(s.runs, id)
		})
	}
}

// Whoever gives a switchover up gets the pair back as it was, whatever is under way
// just then: one run for each step, or group of steps, before the point of no return.
func TestAbortAtEveryStep(t *testing.T) {
	s := inSync(t)
	s.Edit(t, func(doc *site.Site) { doc.DR.Takeover.Fence = true })
	plan, err := workflows.PlanOf(workflows.SwitchoverBook, site.Snapshot{Site: *s.Document(t)}, s.to.Cluster.Name)
	require.NoError(t, err)
	together := ""
	for _, step := range plan.Steps {
		if step.PointOfNoReturn {
			return
		}
		if step.Beside != "" && step.Beside == together {
			continue // it has begun with the first of them
		}
		together = step.Beside
		t.Run(step.ID, func(t *testing.T) {
			sub := *s
			sub.T = t
			id := sub.start("switchover", s.to)
			sub.Until(t, id, step.ID, running(step.ID))
			sub.CLI(t, 0, "abort", id, "--by", "e2e", "--reason", "the test says so")
			p := sub.Until(t, id, "the end of the abort", func(p *workflows.Progress) bool { return p.Ended != nil })
			sub.told(id, p)
			assert.Contains(t, []workflows.Outcome{workflows.Cancelled, workflows.Aborted}, p.Outcome)
			for _, later := range after(p, "switchover.12-record") {
				assert.Equal(t, workflows.NotRun, later.State, later.ID)
			}
			sub.untouched()
			for _, port := range lab.BalancerPorts {
				assert.True(t, sub.takes(s.from, port), "%d of the old side", port)
			}
			s.runs = append(s.runs, id)
		})
	}
	t.Fatal("the plan has no point of no return")
}

// atTheProof parks a switchover at a check that is not understood. The card may be
// skipped with a reason, the proof before the uninstall may not.
func (s *stage) atTheProof() (string, func()) {
	s.Helper()
	s.Edit(s, func(doc *site.Site) { doc.Policy.StallAfter = "10s" })
	require.NoError(s, s.Lab.BreakSync(s.Context(), s.to.Cluster.Name, lab.SyncFaults{CheckText: "everything is fine, trust me"}))
	id := s.start("switchover", s.to)
	s.fails(id, "switchover.02-readiness", "trust me")
	s.Decide(s, id, "skip", "so what")
	gate := s.fails(id, "switchover.06-consistent", "trust me")
	assert.NotContains(s, gate.Actions, workflows.Skip)
	s.standing("06-consistent")
	return id, func() { require.NoError(s, s.Lab.MendSync(s.Context(), s.to.Cluster.Name)) }
}

// afterTheCollector lets the garbage collector take a Machine when the synchronizer
// is gone. Nobody knows when it comes round: if that is after the first look, the
// last one before the name moves must tell.
func (s *stage) afterTheCollector() (string, func()) {
	s.Helper()
	require.NoError(s, s.Lab.BreakSync(s.Context(), s.to.Cluster.Name, lab.SyncFaults{GarbageMachines: []string{machine}}))
	id := s.start("switchover", s.to)
	gate := s.until(id, "a look that misses the Machine", parked).Gate
	assert.Contains(s, []string{"switchover.08-look-again", "switchover.12-last-look"}, gate.Step)
	assert.Contains(s, gate.Error, machine)
	assert.Equal(s, s.from.Cluster.Endpoint.VIP, authoritative(s, s.Lab), "the name stays")
	return id, func() { require.NoError(s, s.Lab.MendSync(s.Context(), s.to.Cluster.Name)) }
}

// atThePort parks a switchover where HAProxy does not reload.
func (s *stage) atThePort() (string, func()) {
	s.Helper()
	h := s.portHurdles()[0]
	h.breaks()
	id := s.start("switchover", s.to)
	s.fails(id, "switchover."+h.step, h.says)
	return id, h.mends
}

// atTheQuestion brings a switchover with fences to the last question, and tries
// there all that must not be: approvals of the wrong people and of wrong steps,
// and a second run.
func (s *stage) atTheQuestion() (string, func()) {
	s.Helper()
	s.Edit(s, func(doc *site.Site) {
		doc.DR.Takeover.Fence = true
		doc.Policy.Approvals = site.Approvals{People: 2, Approvers: []string{second, "third.person", "e2e"}}
	})
	id := s.start("switchover", s.to)
	gate := s.asks(id, "switchover.13-point-dns")
	require.Contains(s, gate.Question, s.uid(s.to))
	for _, port := range []int{443, 2379, 6443, 11443} {
		assert.False(s, listens(s.Context(), s.from, port), "%d of the old side is fenced", port)
	}
	assert.Empty(s, pairs.Synchronizers(s, s.to))
	refused := func(says string, args ...string) {
		s.Helper()
		out, errs, code, err := harness.CLI(s.Context(), s.Server, append([]string{"approve", id, "--reason", "why not"}, args...)...)
		require.NoError(s, err)
		assert.NotZero(s, code)
		assert.Contains(s, strings.ToLower(out+errs), says, fmt.Sprint(args))
	}
	refused("asked for this run", "--by", "E2E ", "--step", gate.Step)
	refused("not among the approvers", "--by", "somebody.else", "--step", gate.Step)
	refused("the open gate is", "--by", second, "--step", "switchover.12-record")
	s.CLI(s, 0, "approve", id, "--by", second, "--reason", "the test says so", "--step", gate.Step)
	refused("has approved", "--by", second, "--step", gate.Step)
	require.NotNil(s, s.Now(s, id).Gate, "one of two people is not enough")

	for verb, side := range map[string]*labtest.Side{"enable-sync": s.to, "switchover": s.from} {
		other := s.Start(s, verb, name, "--cluster", side.Cluster.Name)
		assert.ErrorContains(s, s.Failure(s, other), "is being changed by", verb)
	}
	return id, func() {}
}
