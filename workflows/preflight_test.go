package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/workflows"
)

func broken(rule string) checks.Finding {
	return checks.Finding{Rule: rule, Outcome: checks.Fail, Seen: "seen", Want: "wanted", Fix: "mend it"}
}

func TestPreflightReadsAndChangesNothing(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.runBook(workflows.PreflightName, request))
	assert.Equal(t, []string{"LoadSite", "RecordPlan", "CheckNodes", "ViewPackage", "ProbeNodes", "ProbeBalancer", "CompareNodes"}, w.done())
	p := w.status()
	assert.Equal(t, workflows.Succeeded, p.Outcome)
	assert.Equal(t, &workflows.Verdict{Nodes: checks.Tally{Pass: 3}, Together: checks.Tally{Pass: 2}}, p.Checks)
	for _, s := range p.Steps {
		assert.Equal(t, workflows.Read, s.Effect)
	}
}

// Findings are what a preflight is for: they don't stop it.
func TestPreflightGoesOnWithFindings(t *testing.T) {
	dead := activities.NodeFault{Class: fault.HostKey, Message: "host key changed"}
	for name, change := range map[string]func(*world){
		"a failure on the nodes": func(w *world) {
			w.answer["CheckNodes"] = func() any { return nodeReports(checks.Tally{Fail: 1}, broken("CHK-07")) }
		},
		"a failure between them": func(w *world) {
			w.answer["CompareNodes"] = func() any {
				return activities.TogetherResult{Tally: checks.Tally{Fail: 1}, Notable: []checks.Finding{broken("CHK-26")}}
			}
		},
		"a dead node": func(w *world) {
			w.answer["CheckNodes"] = func() any {
				r := nodeReports(checks.Tally{Pass: 1})
				r.Nodes[1] = activities.NodeReport{Node: "m2", Fault: &dead, Tally: checks.Tally{Error: 1}}
				return r
			}
		},
		"nothing judged": func(w *world) {
			w.answer["CheckNodes"] = func() any { return nodeReports(checks.Tally{}) }
			w.answer["CompareNodes"] = func() any { return activities.TogetherResult{} }
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			change(w)
			require.NoError(t, w.runBook(workflows.PreflightName, request))
			assert.True(t, w.called("CompareNodes"))
			p := w.status()
			assert.Equal(t, workflows.ChecksFailed, p.Outcome)
			assert.True(t, p.Checks.Blocking)
			assert.Empty(t, p.Decisions)
		})
	}
}

func TestPreflightWithoutProbes(t *testing.T) {
	w := newWorld(t)
	r := request
	r.SkipProbes = true
	require.NoError(t, w.runBook(workflows.PreflightName, r))
	assert.False(t, w.called("ProbeNodes"))
	assert.False(t, w.called("ProbeBalancer"))
	assert.True(t, w.called("CompareNodes"))
}

// A node that answers at last is no finding.
func TestUnreachableNodesAreTriedAgain(t *testing.T) {
	w := newWorld(t)
	calls := 0
	w.answer["CheckNodes"] = func() any {
		r := nodeReports(checks.Tally{Pass: 1})
		if calls++; calls < 3 {
			r.Nodes = r.Nodes[:1]
			r.Nodes[0].Node = "m2"
			r.Nodes[0].Fault = &activities.NodeFault{Class: fault.Unreachable, Message: "no route"}
			if calls == 1 {
				all := nodeReports(checks.Tally{Pass: 1})
				all.Nodes[1] = r.Nodes[0]
				return all
			}
		} else {
			r.Nodes = r.Nodes[1:2]
		}
		return r
	}
	require.NoError(t, w.runBook(workflows.PreflightName, request))
	assert.Equal(t, 3, calls)
	assert.Equal(t, workflows.Succeeded, w.status().Outcome)
	assert.Equal(t, checks.Tally{Pass: 3}, w.status().Checks.Nodes)
}

// An install does not go on with findings, and reads again on retry.
func TestInstallParksOnFindings(t *testing.T) {
	w := newWorld(t)
	w.answer["CheckNodes"] = func() any { return nodeReports(checks.Tally{Fail: 1}, broken("CHK-07")) }
	w.after(time.Minute, func() {
		gate := w.status().Gate
		require.NotNil(t, gate)
		assert.Equal(t, "prepare.01-check-nodes", gate.Step)
		assert.Contains(t, gate.Error, "CHK-07 fail on the cluster: seen; wanted: wanted. Fix: mend it")
		delete(w.answer, "CheckNodes")
		w.decide(workflows.Decision{Step: gate.Step, Action: workflows.Retry, By: "me"})
	})
	require.NoError(t, w.run(request))
	assert.Equal(t, workflows.Succeeded, w.status().Outcome)
}

// A dry run ends before anything is changed, and takes no lease.
func TestDryRun(t *testing.T) {
	w := newWorld(t)
	r := request
	r.DryRun = true
	require.NoError(t, w.run(r))
	assert.Equal(t, "CheckSpace", w.done()[len(w.done())-1])
	p := w.status()
	assert.Equal(t, workflows.Succeeded, p.Outcome)
	assert.Equal(t, workflows.WouldRun, p.Steps[len(p.Steps)-1].State)
}
