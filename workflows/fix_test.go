package workflows_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/repair"
	"github.com/acpflow/acpflow/workflows"
)

// fixWorld is a world whose nodes need repairs until they are applied.
type fixWorld struct {
	*world
	removals activities.RemovalPlan
	applied  bool
	stubborn bool // a fix that never holds
	due      bool // m2 needs a reboot after the repair
	bad      []activities.RepairResult
}

func newFixWorld(t *testing.T) *fixWorld {
	w := &fixWorld{world: newWorld(t)}
	w.on("PlanRepairs", func() any {
		plan := activities.RepairPlan{Tally: checks.Tally{Pass: 1}, Nodes: []activities.NodePlan{{Node: "m1"}, {Node: "m2", Boot: "b1"}, {Node: "m3"}}}
		if !w.applied || w.stubborn {
			plan.Nodes[1].Fixes = []activities.PlannedFix{{ID: "swap", Title: "Switch swap off", Rules: []string{"CHK-07"}, Diff: "-swap\n+# swap\n", Changes: []string{"d1"}}}
		}
		return plan
	})
	w.on("ApplyRepairs", func() any {
		w.applied = true
		return activities.RepairReport{Nodes: []activities.NodeRepair{{Node: "m2", Boot: "b1", Due: w.due,
			Results: append([]activities.RepairResult{{Fix: "swap", What: "/etc/fstab", Status: repair.Done}}, w.bad...)}}}
	})
	w.on("PlanRemovals", func() any { return w.removals })
	for _, name := range []string{"RunInitScript", "RemovePackages", "RebootNode", "UndoRepairs"} {
		w.on(name, func() any { return activities.Evidence{Summary: name + " done"} })
	}
	w.on("ListRepairs", func() any {
		return activities.RepairReport{Nodes: []activities.NodeRepair{{Node: "m2", Results: []activities.RepairResult{{Fix: "swap", What: "/etc/fstab", Status: repair.Held}}}}}
	})
	return w
}

func (w *fixWorld) result() workflows.Progress {
	var p workflows.Progress
	require.NoError(w.t, w.env.GetWorkflowResult(&p))
	return p
}

// reboots approves the reboot, which names the node and its reason.
func (w *fixWorld) reboots() {
	gate := w.status().Gate
	require.NotNil(w.t, gate)
	assert.Equal(w.t, "fix.07-reboot", gate.Step)
	assert.Contains(w.t, gate.Question, "m2: an earlier repair counts only after a reboot")
	assert.NotContains(w.t, gate.Question, "m1")
	assert.False(w.t, w.called("RebootNode"))
	w.decide(workflows.Decision{Step: gate.Step, Action: workflows.Approve, By: "me", Reason: "agreed"})
}

func TestFixRunsInOrder(t *testing.T) {
	w := newFixWorld(t)
	w.due = true
	w.after(time.Hour, w.reboots)
	require.NoError(t, w.runBook(workflows.FixName, request))
	assert.Equal(t, []string{"LoadSite", "RecordPlan", "PlanRepairs", "RunInitScript", "PlanRepairs", "ApplyRepairs", "PlanRemovals", "RebootNode", "PlanRepairs"}, w.done())
	p := w.result()
	assert.Equal(t, workflows.Succeeded, p.Outcome)
	assert.Contains(t, p.Steps[0].Evidence.Facts["m2 swap"], "-swap\n+# swap\n")
	assert.Contains(t, p.Steps[6].Evidence.Summary, "rebooted: m2")
}

func TestFixDryRunEndsWithThePlan(t *testing.T) {
	w := newFixWorld(t)
	dry := request
	dry.DryRun = true
	require.NoError(t, w.runBook(workflows.FixName, dry))
	assert.Equal(t, []string{"LoadSite", "RecordPlan", "PlanRepairs"}, w.done())
	p := w.result()
	assert.Equal(t, workflows.Done, p.Steps[0].State)
	for _, s := range p.Steps[1:] {
		assert.Equal(t, workflows.WouldRun, s.State, s.ID)
	}
}

// One case per step that fails: nothing after it runs, and an abort takes back
// what this run has done.
func TestFixParksAtTheFailingStep(t *testing.T) {
	for _, c := range []struct {
		broken string
		step   string
		next   string
		undone int // how often the undo is asked for
	}{
		{"PlanRepairs", "fix.01-plan", "RunInitScript", 0},
		{"RunInitScript", "fix.02-init", "ApplyRepairs", 1},
		{"ApplyRepairs", "fix.04-apply", "PlanRemovals", 2},
		{"PlanRemovals", "fix.05-remove-packages", "RebootNode", 2},
		{"RebootNode", "fix.07-reboot", "", 3},
	} {
		t.Run(c.broken, func(t *testing.T) {
			w := newFixWorld(t)
			w.due = true
			w.breaks(c.broken, fault.Conflict)
			if c.broken == "RebootNode" {
				w.after(time.Minute, w.reboots)
			}
			w.after(time.Hour, func() {
				gate := w.status().Gate
				require.NotNil(t, gate)
				assert.Equal(t, c.step, gate.Step)
				assert.False(t, w.called(c.next))
				w.decide(workflows.Decision{Step: c.step, Action: workflows.Abort, By: "me", Reason: "enough"})
			})
			require.Error(t, w.runBook(workflows.FixName, request))
			undone := 0
			for _, name := range w.done() {
				if name == "UndoRepairs" {
					undone++
				}
			}
			assert.Equal(t, c.undone, undone)
		})
	}
}

// A change that was refused or failed parks the run with its reason.
func TestFixSaysWhichChangeWentWrong(t *testing.T) {
	w := newFixWorld(t)
	w.bad = []activities.RepairResult{{Fix: "sshd-usedns", What: "/etc/ssh/sshd_config", Status: repair.Failed, Message: "rolled back by the node itself"}}
	w.after(time.Hour, func() {
		gate := w.status().Gate
		require.NotNil(t, gate)
		assert.Equal(t, "fix.04-apply", gate.Step)
		assert.Contains(t, gate.Error, "m2: sshd-usedns: /etc/ssh/sshd_config failed: rolled back by the node itself")
		w.bad = nil
		w.decide(workflows.Decision{Step: "fix.04-apply", Action: workflows.Retry, By: "me"})
	})
	require.NoError(t, w.runBook(workflows.FixName, request))
}

// What is still broken after the repair is no success.
func TestFixIsNotDoneWhileSomethingIsLeftToMend(t *testing.T) {
	w := newFixWorld(t)
	w.stubborn = true
	w.after(time.Hour, func() {
		gate := w.status().Gate
		require.NotNil(t, gate)
		assert.Equal(t, "fix.08-check", gate.Step)
		assert.Contains(t, gate.Error, "Switch swap off")
		w.decide(workflows.Decision{Step: "fix.08-check", Action: workflows.Abort, By: "me", Reason: "see the node"})
	})
	var app *temporal.ApplicationError
	require.ErrorAs(t, w.runBook(workflows.FixName, request), &app)
	assert.Equal(t, workflows.ErrAborted, app.Type())
}

func removals() activities.RemovalPlan {
	return activities.RemovalPlan{Nodes: []activities.NodeRemoval{
		{Node: "m1", Packages: []activities.PackageRemoval{{Manager: "dpkg", Name: "docker.io", Version: "20"}}, Along: []string{"docker-compose"}, Runs: []string{"container web of nginx"}},
		{Node: "m2", Packages: []activities.PackageRemoval{{Manager: "rpm", Name: "podman"}}, Blocked: "cockpit needs podman"},
		{Node: "m3"},
	}}
}

// Packages go only after a person has seen what runs on them (DANGER-01).
func TestPackagesAreRemovedOnlyAfterApproval(t *testing.T) {
	for _, action := range []workflows.Action{workflows.Approve, workflows.Skip, workflows.Abort} {
		t.Run(string(action), func(t *testing.T) {
			w := newFixWorld(t)
			w.removals = removals()
			w.after(time.Hour, func() {
				gate := w.status().Gate
				require.NotNil(t, gate)
				assert.Equal(t, "fix.05-remove-packages", gate.Step)
				for _, part := range []string{"m1: dpkg docker.io 20", "go too: docker-compose", "container web of nginx", "m2: left to a person", "cockpit needs podman"} {
					assert.Contains(t, gate.Question, part)
				}
				assert.False(t, w.called("RemovePackages"))
				w.decide(workflows.Decision{Step: gate.Step, Action: action, By: "me", Reason: "agreed"})
			})
			err := w.runBook(workflows.FixName, request)
			assert.Equal(t, action == workflows.Abort, err != nil)
			assert.Equal(t, action == workflows.Approve, w.called("RemovePackages"))
		})
	}
}

// A pipeline that asks nobody removes nothing.
func TestAPipelineRemovesNoPackages(t *testing.T) {
	w := newFixWorld(t)
	w.removals = removals()
	r := request
	r.OnFailure = workflows.OnFailureAbort
	require.NoError(t, w.runBook(workflows.FixName, r))
	assert.False(t, w.called("RemovePackages"))
	assert.Equal(t, workflows.SkippedBy, w.result().Steps[4].State)
}

// What was seen and the reason behind it are told apart.
func TestABlockingFindingReadsWell(t *testing.T) {
	err := workflows.Blocking(checks.Tally{Fail: 1}, []checks.Finding{{Rule: "CHK-07", Node: "m1", Outcome: checks.Fail, Seen: "swap", Reason: "the disk is slow"}})
	assert.ErrorContains(t, err, "CHK-07 fail on m1: swap (the disk is slow); wanted")
}

// A pipeline that asks nobody reboots nothing, and says what is due.
func TestAPipelineRebootsNothing(t *testing.T) {
	w := newFixWorld(t)
	w.due = true
	w.answer["PlanRepairs"] = func() any {
		x := activities.PlannedFix{ID: "boot", Title: "Boot with x=1", Rules: []string{"CHK-01"}, Reboot: true}
		if !w.applied {
			x.Changes = []string{"d1"}
		}
		return activities.RepairPlan{Nodes: []activities.NodePlan{{Node: "m2", Boot: "b1", Fixes: []activities.PlannedFix{x}}}}
	}
	r := request
	r.OnFailure = workflows.OnFailureAbort
	require.NoError(t, w.runBook(workflows.FixName, r))
	assert.False(t, w.called("RebootNode"))
	p := w.result()
	assert.Equal(t, workflows.SkippedBy, p.Steps[6].State)
	assert.Contains(t, p.Steps[6].Error+p.Decisions[0].Error, "m2: Boot with x=1 (CHK-01)")
	assert.Contains(t, p.Steps[7].Evidence.Summary, "a reboot is due on m2")
}

// Nothing is done on a node that has Kubernetes, nor on one of which nothing is known.
func TestNodesWithKubernetesAreLeftAlone(t *testing.T) {
	w := newFixWorld(t)
	w.answer["PlanRepairs"] = func() any {
		return activities.RepairPlan{Nodes: []activities.NodePlan{{Node: "m1", Platform: "it runs"}, {Node: "m2", Platform: "it runs", Due: true, Boot: "b1"}, {Node: "m3", Platform: "nobody has looked"}}}
	}
	require.NoError(t, w.runBook(workflows.FixName, request))
	assert.Equal(t, []string{"LoadSite", "RecordPlan", "PlanRepairs", "PlanRepairs", "PlanRepairs"}, w.done())
	assert.Contains(t, w.result().Steps[7].Evidence.Summary, "Kubernetes: m1, m2, m3")
}

// dead is a plan in which m1 could not be read, unless it is left out.
func (w *fixWorld) dead(in activities.RepairInput) activities.RepairPlan {
	plan := activities.RepairPlan{Tally: checks.Tally{Error: 1}, Nodes: []activities.NodePlan{{Node: "m2"}, {Node: "m3"}}}
	if !slices.Contains(in.Omit, "m1") {
		plan.Nodes = append(plan.Nodes, activities.NodePlan{Node: "m1", Fault: &activities.NodeFault{Class: fault.Unreachable, Message: "no route to host"}})
	}
	return plan
}

// A dry run shows what it has; of a node that can't be read there is no plan,
// so it is no success.
func TestADryRunDoesNotStopAtADeadNode(t *testing.T) {
	w := newFixWorld(t)
	w.answer["PlanRepairs"] = func() any { return w.dead(activities.RepairInput{}) }
	dry := request
	dry.DryRun = true
	require.NoError(t, w.runBook(workflows.FixName, dry))
	p := w.result()
	assert.Equal(t, workflows.ChecksFailed, p.Outcome)
	assert.Contains(t, p.Steps[0].Evidence.Summary, "not read: m1: no route to host")
}

// A person may leave out a node that can't be read: nothing is done there.
func TestADeadNodeIsLeftOut(t *testing.T) {
	w := newFixWorld(t)
	var omitted [][]string
	var init []string
	input := func(raw json.RawMessage) []string {
		var in activities.RepairInput
		require.NoError(t, json.Unmarshal(raw, &in))
		return in.Omit
	}
	w.env.OnActivity("PlanRepairs", mock.Anything, mock.Anything).Return(func(_ context.Context, raw json.RawMessage) (any, error) {
		omitted = append(omitted, input(raw))
		return w.dead(activities.RepairInput{Omit: input(raw)}), nil
	})
	w.env.OnActivity("RunInitScript", mock.Anything, mock.Anything).Return(func(_ context.Context, raw json.RawMessage) (any, error) {
		init = input(raw)
		return activities.Evidence{}, nil
	})
	w.after(time.Hour, func() {
		gate := w.status().Gate
		require.NotNil(t, gate)
		assert.Equal(t, "fix.01-plan", gate.Step)
		w.decide(workflows.Decision{Step: gate.Step, Action: workflows.Skip, By: "me", Reason: "it is in repair"})
	})
	require.NoError(t, w.runBook(workflows.FixName, request))
	assert.Equal(t, []string{"m1"}, init)
	assert.Equal(t, [][]string{nil, {"m1"}, {"m1"}}, omitted)
	assert.Contains(t, w.result().Steps[7].Evidence.Summary, "left out, because they could not be read: m1")
}

func TestUndoFix(t *testing.T) {
	w := newFixWorld(t)
	require.NoError(t, w.runBook(workflows.UndoFixName, request))
	assert.Equal(t, []string{"LoadSite", "RecordPlan", "ListRepairs", "UndoRepairs"}, w.done())
	p := w.result()
	assert.Contains(t, p.Steps[0].Evidence.Summary, "1 changes can be taken back")
}
