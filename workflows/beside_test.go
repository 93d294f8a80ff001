package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

// side by side: a runbook whose steps take minutes of workflow time and note
// when they begin and end.
type team struct {
	t     *testing.T
	w     *world
	steps []workflows.Step
	ran   []string       // "+a" began, "-a" ended well, "!a" failed, "~a" was undone
	fails map[string]int // how many more times a step fails
}

func newTeam(t *testing.T) *team {
	return &team{t: t, w: newWorld(t), fails: map[string]int{}}
}

func (m *team) step(name, beside string, takes time.Duration, change ...func(*workflows.Step)) {
	step := workflows.Step{
		StepInfo: workflows.StepInfo{ID: "x." + name, Effect: workflows.Write, Beside: beside},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			m.ran = append(m.ran, "+"+name)
			if err := workflow.Sleep(ctx, takes); err != nil {
				m.ran = append(m.ran, "!"+name)
				return activities.Evidence{}, err
			}
			if m.fails[name] > 0 {
				m.fails[name]--
				m.ran = append(m.ran, "!"+name)
				return activities.Evidence{}, temporal.NewNonRetryableApplicationError(name+" broke", "Failed", errors.New("x"))
			}
			m.ran = append(m.ran, "-"+name)
			return activities.Evidence{Summary: name}, nil
		},
		Undo: func(workflow.Context) (activities.Evidence, error) {
			m.ran = append(m.ran, "~"+name)
			return activities.Evidence{Summary: "undone"}, nil
		},
	}
	for _, f := range change {
		f(&step)
	}
	m.steps = append(m.steps, step)
}

func asks(question string) func(*workflows.Step) {
	return func(s *workflows.Step) {
		s.Ask = func(workflow.Context) (string, error) { return question, nil }
	}
}

func (m *team) run(r workflows.Request) (workflows.Progress, error) {
	book := workflows.Runbook{Name: "Team", Verb: "team", Changes: true, Steps: func(*site.Site, *site.Cluster, *workflows.Progress) []workflows.Step { return m.steps }}
	m.w.env.RegisterWorkflowWithOptions(func(ctx workflow.Context, in converter.RawValue) (*workflows.Progress, error) {
		return workflows.Execute(ctx, book, in)
	}, workflow.RegisterOptions{Name: "Team"})
	err := m.w.runBook("Team", r)
	return m.w.status(), err
}

func states(p workflows.Progress) (out []workflows.StepState) {
	for _, s := range p.Steps {
		out = append(out, s.State)
	}
	return out
}

func TestNeighboursRunSideBySide(t *testing.T) {
	m := newTeam(t)
	m.step("first", "", time.Minute)
	m.step("slow", "two", 3*time.Minute)
	m.step("fast", "two", time.Minute)
	m.step("other", "else", time.Minute)
	m.step("last", "", time.Minute)
	p, err := m.run(request)
	require.NoError(t, err)
	assert.Equal(t, []string{"+first", "-first", "+slow", "+fast", "-fast", "-slow", "+other", "-other", "+last", "-last"}, m.ran)
	assert.Equal(t, 2*time.Minute, p.Steps[1].Ended.Sub(*p.Steps[2].Ended), "each has its own end")
	assert.Equal(t, 6*time.Minute, p.Ended.Sub(p.Started).Round(time.Second))
	assert.Equal(t, "two", p.Steps[1].Beside, "the plan says so")
	assert.Contains(t, workflows.Board(&p), "- ☑ `x.first` : first\n- side by side (two):\n  - ☑ `x.slow` : slow\n  - ☑ `x.fast` : fast\n- side by side (else):\n  - ☑ `x.other` : other\n- ☑ `x.last` ")
}

func TestFailedNeighboursAreAskedAboutOneAfterAnother(t *testing.T) {
	m := newTeam(t)
	m.step("a", "g", 3*time.Minute)
	m.step("b", "g", time.Minute)
	m.step("c", "g", 2*time.Minute, func(s *workflows.Step) { s.Skippable = true })
	m.fails["a"], m.fails["c"] = 2, 1
	seen := []string{}
	answer := func(after time.Duration, step string, action workflows.Action) {
		m.w.after(after, func() {
			p := m.w.status()
			require.NotNil(t, p.Gate, step)
			assert.Equal(t, step, p.Gate.Step)
			seen = append(seen, p.Gate.Error)
			assert.Equal(t, workflows.Done, p.Steps[1].State, "its end is seen at once")
			m.w.decide(workflows.Decision{Step: step, Action: action, By: "me", Reason: "seen"})
		})
	}
	m.w.after(150*time.Second, func() {
		p := m.w.status()
		assert.Nil(t, p.Gate, "nobody is asked while one still runs")
		assert.Equal(t, []workflows.StepState{workflows.Running, workflows.Done, workflows.Parked}, states(p))
	})
	answer(time.Hour, "x.a", workflows.Retry)
	answer(2*time.Hour, "x.a", workflows.Retry)
	answer(3*time.Hour, "x.c", workflows.Skip)
	p, err := m.run(request)
	require.NoError(t, err)
	assert.Equal(t, []string{"a broke", "a broke", "c broke"}, seen)
	assert.Equal(t, []string{"+a", "+b", "+c", "-b", "!c", "!a", "+a", "!a", "+a", "-a"}, m.ran)
	assert.Equal(t, []workflows.StepState{workflows.Done, workflows.Done, workflows.SkippedBy}, states(p))
	assert.Equal(t, 3, p.Steps[0].Tries)
	assert.Equal(t, "c broke", p.Decisions[2].Error)
	assert.Equal(t, 2*time.Minute, p.Steps[2].Ended.Sub(*p.Steps[2].Started).Round(time.Second), "how long it ran, not how long a person took")
}

func TestAbortUndoesAGroupBackwards(t *testing.T) {
	m := newTeam(t)
	m.step("first", "", time.Minute)
	m.step("a", "g", time.Minute)
	m.step("b", "g", 2*time.Minute)
	m.step("c", "g", time.Minute)
	m.step("never", "", time.Minute)
	m.fails["b"], m.fails["c"] = 1, 1
	r := request
	r.OnFailure = workflows.OnFailureAbort
	p, err := m.run(r)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	assert.Contains(t, app.Message(), "x.b", "the first of the plan, not the first in time")
	assert.Equal(t, []string{"+first", "-first", "+a", "+b", "+c", "-a", "!c", "!b", "~c", "~b", "~a", "~first"}, m.ran)
	assert.Equal(t, workflows.NotRun, p.Steps[4].State)
}

// None may go on behind the undo.
func TestCancellationWaitsForTheWholeGroup(t *testing.T) {
	m := newTeam(t)
	m.step("first", "", time.Minute)
	m.step("quick", "g", time.Minute)
	m.step("slow", "g", time.Hour)
	m.step("stubborn", "g", 0, func(s *workflows.Step) {
		s.Do = func(ctx workflow.Context) (activities.Evidence, error) {
			calm, cancel := workflow.NewDisconnectedContext(ctx)
			defer cancel()
			m.ran = append(m.ran, "+stubborn")
			err := workflow.Sleep(calm, 2*time.Hour)
			m.ran = append(m.ran, "-stubborn")
			return activities.Evidence{}, err
		}
	})
	m.step("never", "", time.Minute)
	m.w.after(10*time.Minute, m.w.env.CancelWorkflow)
	p, err := m.run(request)
	assert.True(t, temporal.IsCanceledError(err), "%v", err)
	assert.Equal(t, []string{"+first", "-first", "+quick", "+slow", "+stubborn", "-quick", "!slow", "-stubborn", "~stubborn", "~slow", "~quick", "~first"}, m.ran)
	assert.Equal(t, workflows.Cancelled, p.Outcome)
	assert.Equal(t, workflows.NotRun, p.Steps[4].State)
}

func TestGroupAsksBeforeAnyOfItActs(t *testing.T) {
	m := newTeam(t)
	m.step("a", "g", time.Minute)
	m.step("b", "g", time.Minute, asks("shall b?"))
	m.step("c", "g", time.Minute, asks("shall c?"), func(s *workflows.Step) { s.Skippable = true })
	for i, step := range []string{"x.b", "x.c"} {
		m.w.after(time.Duration(i+1)*time.Hour, func() {
			assert.Empty(t, m.ran)
			require.NotNil(t, m.w.status().Gate)
			assert.Equal(t, step, m.w.status().Gate.Step)
			m.w.decide(workflows.Decision{Step: step, Action: []workflows.Action{workflows.Approve, workflows.Skip}[i], By: "me", Reason: "seen"})
		})
	}
	p, err := m.run(request)
	require.NoError(t, err)
	assert.Equal(t, []string{"+a", "+b", "-a", "-b"}, m.ran)
	assert.Equal(t, []workflows.StepState{workflows.Done, workflows.Done, workflows.SkippedBy}, states(p))
	assert.Equal(t, 1, p.Steps[1].Tries)
}

func TestRefusedMemberStopsItsGroup(t *testing.T) {
	m := newTeam(t)
	m.step("first", "", time.Minute)
	m.step("a", "g", time.Minute, asks("shall a?"), func(s *workflows.Step) { s.Undo = nil })
	m.step("b", "g", time.Minute, asks("shall b?"))
	for i, action := range []workflows.Action{workflows.Approve, workflows.Abort} {
		m.w.after(time.Duration(i+1)*time.Hour, func() {
			m.w.decide(workflows.Decision{Step: []string{"x.a", "x.b"}[i], Action: action, By: "me", Reason: "seen"})
		})
	}
	p, err := m.run(request)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	assert.Contains(t, app.Message(), "not approved")
	assert.Equal(t, []string{"+first", "-first", "~b", "~first"}, m.ran)
	assert.Equal(t, workflows.NotRun, p.Steps[1].State, "approved, and it did not act")
}

func TestUnknownQuestionOfAMemberParksBeforeItsGroup(t *testing.T) {
	m := newTeam(t)
	unknown := true
	m.step("a", "g", time.Minute)
	m.step("b", "g", time.Minute, func(s *workflows.Step) {
		s.Ask = func(workflow.Context) (string, error) {
			if unknown {
				return "", temporal.NewNonRetryableApplicationError("no list", "Failed", nil)
			}
			return "", nil
		}
	})
	m.w.after(time.Hour, func() {
		assert.Empty(t, m.ran)
		assert.Equal(t, "no list", m.w.status().Gate.Error)
		unknown = false
		m.w.decide(workflows.Decision{Step: "x.b", Action: workflows.Retry, By: "me"})
	})
	_, err := m.run(request)
	require.NoError(t, err)
	assert.Equal(t, []string{"+a", "+b", "-a", "-b"}, m.ran)
}

func TestUnneededMembersAreLeftOut(t *testing.T) {
	m := newTeam(t)
	leave := func(s *workflows.Step) { *s = workflows.Unless(func() string { return "there is no b" }, *s) }
	m.step("a", "g", time.Minute)
	m.step("b", "g", time.Minute, leave, asks("shall b?"))
	m.step("c", "g", time.Minute)
	m.step("d", "h", time.Minute, leave)
	m.step("e", "h", time.Minute, leave)
	p, err := m.run(request)
	require.NoError(t, err)
	assert.Equal(t, []string{"+a", "+c", "-a", "-c"}, m.ran)
	assert.Equal(t, "not needed: there is no b", p.Steps[1].Evidence.Summary)
	assert.Zero(t, p.Steps[1].Tries)
}

func TestDryRunStopsAtTheFirstChangeOfAGroup(t *testing.T) {
	m := newTeam(t)
	reads := func(s *workflows.Step) { s.Effect, s.Undo = workflows.Read, nil }
	m.step("a", "g", time.Minute, reads)
	m.step("b", "g", time.Minute)
	m.step("c", "g", time.Minute, reads)
	r := request
	r.DryRun = true
	p, err := m.run(r)
	require.NoError(t, err)
	assert.Equal(t, []string{"+a", "-a"}, m.ran)
	assert.Equal(t, []workflows.StepState{workflows.Done, workflows.WouldRun, workflows.WouldRun}, states(p))
}

// What an abort takes back is decided by the order of the steps.
func TestPointOfNoReturnRunsAlone(t *testing.T) {
	m := newTeam(t)
	m.step("a", "g", time.Minute)
	m.step("dns", "g", time.Minute, noReturn)
	m.step("b", "g", time.Minute)
	m.step("c", "g", time.Minute)
	m.fails["c"] = 1
	r := request
	r.OnFailure = workflows.OnFailureAbort
	_, err := m.run(r)
	require.Error(t, err)
	assert.Equal(t, []string{"+a", "-a", "+dns", "-dns", "+b", "+c", "-b", "!c", "~c", "~b"}, m.ran)
}
