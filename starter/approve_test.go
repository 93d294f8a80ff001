package main

import (
	"bytes"
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/mocks"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/workflows"
)

const runID = "switchover/moscow/east"

// asked is a run that waits for a second approval, of two.
func asked() *workflows.Progress {
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	until := began.Add(time.Hour)
	p := progressWith(workflows.Done, workflows.Parked)
	p.Runbook = workflows.SwitchoverName
	p.Steps[0].Beside = "prepare"
	p.Gate = &workflows.Gate{Step: "execute.02", Question: "point acp.example.com at east?", Digest: "d1635f",
		Actions: []workflows.Action{workflows.Approve, workflows.Abort}, Since: began,
		Quorum: &workflows.Quorum{Needs: 2, Never: "Carol", Expires: &until, Approvals: []workflows.Decided{
			{Decision: workflows.Decision{By: "Anna", Reason: "the window\x1b[31m is open"}, At: began}}}}
	return p
}

// newMock makes sure that a mock was used as it was meant to be.
func newMock[M interface {
	Test(mock.TestingT)
	AssertExpectations(mock.TestingT) bool
}](t *testing.T, m M) M {
	m.Test(t)
	t.Cleanup(func() { m.AssertExpectations(t) })
	return m
}

// temporalWith answers queries with a status, and Updates with a text or an error.
func temporalWith(t *testing.T, status *workflows.Progress, answer string, refused error) *mocks.Client {
	c := newMock(t, new(mocks.Client))
	c.On("DescribeWorkflowExecution", mock.Anything, runID, "").Return(&workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING}}, nil)
	value := newMock(t, new(mocks.Value))
	value.On("Get", mock.Anything).Run(func(args mock.Arguments) { *args.Get(0).(*workflows.Progress) = *status }).Return(nil)
	c.On("QueryWorkflow", mock.Anything, runID, "", workflows.StatusQuery).Return(value, nil)
	if answer != "" || refused != nil {
		handle := newMock(t, new(mocks.WorkflowUpdateHandle))
		handle.On("Get", mock.Anything, mock.Anything).Run(func(args mock.Arguments) { *args.Get(1).(*string) = answer }).Return(refused)
		c.On("UpdateWorkflow", mock.Anything, mock.Anything).Return(handle, nil)
	}
	return c
}

func TestApproveSendsTheQuestionThatIsOpen(t *testing.T) {
	t.Setenv("ACPFLOW_REQUESTED_BY", "Boris")
	c := temporalWith(t, asked(), "approve recorded", nil)
	got, err := approve(t.Context(), c, runID, workflows.Approval{Reason: "seen"})
	require.NoError(t, err)
	assert.Equal(t, approved{Run: runID, Step: "execute.02", By: "Boris", Question: "point acp.example.com at east?", Digest: "d1635f", Answer: "approve recorded"}, got)
	var sent client.UpdateWorkflowOptions
	for _, call := range c.Calls {
		if call.Method == "UpdateWorkflow" {
			sent = call.Arguments.Get(1).(client.UpdateWorkflowOptions)
		}
	}
	assert.Equal(t, workflows.ApproveUpdate, sent.UpdateName)
	assert.Equal(t, []any{workflows.Approval{Step: "execute.02", By: "Boris", Reason: "seen", Digest: "d1635f"}}, sent.Args)
}

func TestApproveKeepsWhatAPersonNamed(t *testing.T) {
	c := temporalWith(t, asked(), "", temporal.NewApplicationError("the digest is of another question", "x"))
	_, err := approve(t.Context(), c, runID, workflows.Approval{By: "Anna", Reason: "seen", Step: "execute.01", Digest: "old"})
	assert.ErrorContains(t, err, "refused: the digest is of another question")
	assert.Equal(t, exitBadInput, exitCode(err))
}

func TestApproveNeedsAQuestion(t *testing.T) {
	failed := asked()
	failed.Gate.Question, failed.Gate.Error = "", "disk full"
	running := asked()
	running.Gate = nil
	for _, status := range []*workflows.Progress{failed, running} {
		_, err := approve(t.Context(), temporalWith(t, status, "", nil), runID, workflows.Approval{By: "Anna", Reason: "seen"})
		assert.ErrorContains(t, err, "asks for no approval now")
		assert.Equal(t, exitBadInput, exitCode(err))
	}
}

func TestViewsShowWhoHasApproved(t *testing.T) {
	const first = "1 of 2 have approved: Anna (the window[31m is open). Missing: one more person; not Carol, who asked for the run. The oldest approval lapses at 2026-03-01T13:00:00Z."
	hint := "acpflow approve " + runID + " --reason …, or acpflow decide " + runID + " --action abort --reason …"
	var out bytes.Buffer
	v := &lineView{w: &out, states: map[string]workflows.StepState{}}
	now := moment{id: runID, status: asked()}
	v.show(now)
	v.show(now)
	now.status.Gate.Approvals = nil
	now.status.Gate.Expires = nil
	v.show(now)
	got := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d  `).ReplaceAllString(out.String(), "")
	assert.Equal(t, `done     execute.01  Step
parked   execute.02  Step
DECISION NEEDED about execute.02: `+hint+`
         it asks before it acts: point acp.example.com at east?
         `+first+`
         0 of 2 have approved. Missing: 2 more people; not Carol, who asked for the run.
`, got)

	lines := liveLines(moment{id: runID, status: asked()}, 1000)
	assert.Contains(t, lines, "point acp.example.com at east?")
	assert.Contains(t, lines, first)
	assert.Contains(t, lines, "  "+hint)
	assert.Contains(t, lines[1], "‖ execute.01")

	cmd := &cobra.Command{}
	cmd.SetOut(&out)
	err := parked(cmd, runID, asked(), false)
	assert.Equal(t, exitParked, exitCode(err))
	assert.ErrorContains(t, err, first)
}

func TestRecoveryIsShownAfterTheRun(t *testing.T) {
	assert.Empty(t, recoveryLines(nil))
	lines := recoveryLines(&workflows.Recovery{Title: "Failover to east, UNVERIFIED", RPO: &workflows.RPO{Text: "unknown\x07"},
		Owed: []activities.Owed{{Cluster: "west", Action: activities.OwedClosePort, Port: 2379, Why: "away"}}})
	require.Len(t, lines, 4)
	assert.Equal(t, []string{"", "Failover to east, UNVERIFIED", "  RPO unknown"}, lines[:3])
	assert.Contains(t, lines[3], "  owed: close-port 2379 of west")

	c := newMock(t, new(mocks.Client))
	result := newMock(t, new(mocks.WorkflowRun))
	result.On("Get", mock.Anything, mock.Anything).Return(errors.New("it ended badly"))
	c.On("GetWorkflow", mock.Anything, runID, "").Return(result)
	var out bytes.Buffer
	cmd := &cobra.Command{}
	cmd.SetContext(t.Context())
	cmd.SetOut(&out)
	status := asked()
	status.Recovery = &workflows.Recovery{Title: "Switchover to east"}
	assert.Equal(t, exitFailed, exitCode(ended(cmd, c, runID, status, false)))
	assert.Equal(t, "\nSwitchover to east\n", out.String())
}

func TestPlanShowsGroupsAndTheCriticalPath(t *testing.T) {
	plan := workflows.Plan{Runbook: "Switchover", Steps: []workflows.StepInfo{
		{ID: "switchover.01-look", Title: "Look", Effect: workflows.Read, Source: []string{"DR-41"}},
		{ID: "switchover.02-nodes", Title: "Nodes", Effect: workflows.Read, Beside: "seen", Waits: 30},
		{ID: "switchover.03-pods", Title: "Pods", Effect: workflows.Read, Beside: "seen", Waits: 45.5},
		{ID: "switchover.04-point", Title: "Point", Effect: workflows.Write, Approval: true, Strict: true, PointOfNoReturn: true, Calls: []string{"nsupdate"}},
		{ID: "switchover.05-soak", Title: "Soak", Effect: workflows.Read, Waits: 60},
	}}
	var out bytes.Buffer
	cmd := &cobra.Command{}
	cmd.SetOut(&out)
	printPlan(cmd, plan)
	got := out.String()
	assert.Contains(t, got, "\n\n‖ switchover.02-nodes        [read] Nodes (side by side (seen), waits 30s)\n")
	assert.Contains(t, got, "[write] Point (others must approve it (policy.approvals), POINT OF NO RETURN)\n    nsupdate\n")
	assert.Contains(t, got, "\ncritical path: 1m45.5s of waiting by design, besides the work: switchover.03-pods 45.5s, switchover.05-soak 1m0s\n")

	out.Reset()
	printPlan(cmd, workflows.Plan{Steps: plan.Steps[:1]})
	assert.NotContains(t, out.String(), "critical path")
}
