package main

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/mocks"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/factstore"
	"github.com/acpflow/acpflow/workflows"
)

func TestPreflightRefusesFlagsThatDontGoTogether(t *testing.T) {
	for name, args := range map[string][]string{
		"no site":               {},
		"fix and undo":          {"--site", "moscow", "--fix", "--undo"},
		"dry run of a read":     {"--site", "moscow", "--dry-run"},
		"facts without waiting": {"--site", "moscow", "--wait=false", "--save-facts", filepath.Join(t.TempDir(), "facts")},
		"report without it":     {"--site", "moscow", "--wait=false", "--out", filepath.Join(t.TempDir(), "x.html")},
		"facts of an undo":      {"--site", "moscow", "--undo", "--save-facts", filepath.Join(t.TempDir(), "facts")},
		"report of a dry run":   {"--site", "moscow", "--fix", "--dry-run", "--out", filepath.Join(t.TempDir(), "x.html")},
		"facts over others":     {"--site", "moscow", "--save-facts", "/etc"},
		"unknown form":          {"--site", "moscow", "-o", "pdf"},
	} {
		t.Setenv("TEMPORAL_ADDRESS", "192.0.2.1:1") // never asked
		_, stderr, code := runCommand(t, append([]string{"preflight"}, args...)...)
		assert.Equal(t, exitBadInput, code, "%s: %s", name, stderr)
	}
}

// withRun answers a start as a run that has ended so at once.
func withRun(t *testing.T, c *mocks.Client, book string, r workflows.Request, ended workflows.Progress, err error) {
	t.Helper()
	run := mocks.NewWorkflowRun(t)
	run.On("GetID").Return("preflight/moscow/west")
	run.On("GetRunID").Return("run").Maybe()
	get := run.On("Get", mock.Anything, mock.Anything).Return(err).Maybe()
	get.RunFn = func(args mock.Arguments) { *args.Get(1).(*workflows.Progress) = ended }
	c.On("DescribeTaskQueue", mock.Anything, mock.Anything, mock.Anything).Return(nil, errors.New("not asked here"))
	c.On("ExecuteWorkflow", mock.Anything, mock.Anything, book, r).Return(run, nil).Once()
	c.On("DescribeWorkflowExecution", mock.Anything, "preflight/moscow/west", "").Return(&workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{Status: enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED}}, nil).Maybe()
	c.On("QueryWorkflow", mock.Anything, "preflight/moscow/west", "", workflows.StatusQuery).Return(nil, errors.New("no worker")).Maybe()
	c.On("GetWorkflow", mock.Anything, "preflight/moscow/west", "").Return(run).Maybe()
}

func shell(t *testing.T) (cmd *cobra.Command, out *bytes.Buffer) {
	t.Helper()
	out = &bytes.Buffer{}
	cmd = &cobra.Command{}
	cmd.SetContext(t.Context())
	cmd.SetOut(out)
	cmd.SetErr(io.Discard)
	return cmd, out
}

func TestPreflightRunsAndShows(t *testing.T) {
	f := preflightFlags{noProbe: true, start: startFlags{wait: true, request: workflows.Request{Site: "moscow", Cluster: "west", RequestedBy: "me"}}}
	require.NoError(t, f.check())
	c := withPast(t, preflightPast(t))
	request := f.start.request
	request.SkipProbes, request.OnFailure = true, workflows.OnFailureAbort
	withRun(t, c, workflows.PreflightName, request, workflows.Progress{Outcome: workflows.ChecksFailed, Checks: &workflows.Verdict{Nodes: checks.Tally{Fail: 1}}}, nil)
	cmd, out := shell(t)
	err := f.run(cmd, c)
	assert.Equal(t, exitFailed, exitCode(err), err)
	assert.Contains(t, out.String(), "Preflight of cluster west, site moscow")
}

func TestPreflightThatOnlyStarts(t *testing.T) {
	f := preflightFlags{start: startFlags{request: workflows.Request{Site: "moscow", RequestedBy: "me"}}}
	require.NoError(t, f.check())
	c := mocks.NewClient(t)
	withRun(t, c, workflows.PreflightName, workflows.Request{Site: "moscow", RequestedBy: "me", OnFailure: workflows.OnFailureAbort}, workflows.Progress{}, nil)
	cmd, out := shell(t)
	require.NoError(t, f.run(cmd, c))
	assert.Contains(t, out.String(), "acpflow watch preflight/moscow/west")
}

// shownAs runs result on a preflight that ended so.
func shownAs(t *testing.T, f *preflightFlags, p *past, ended error) (stdout, stderr string, err error) {
	t.Helper()
	require.NoError(t, f.check())
	run := mocks.NewWorkflowRun(t)
	run.On("GetID").Return("preflight/moscow/west")
	run.On("GetRunID").Return("run")
	var out, errOut bytes.Buffer
	cmd := &cobra.Command{}
	cmd.SetContext(t.Context())
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	err = f.result(cmd, withPast(t, p), run, ended)
	return out.String(), errOut.String(), err
}

func TestPreflightShowsWhatWasRead(t *testing.T) {
	f := &preflightFlags{facts: filepath.Join(t.TempDir(), "facts")}
	f.start.wait = true
	out, stderr, err := shownAs(t, f, preflightPast(t), failf(exitFailed, "%w", errNotFit))
	assert.Equal(t, exitFailed, exitCode(err))
	assert.ErrorContains(t, err, "cluster west is not fit")
	assert.Contains(t, out, "Preflight of cluster west, site moscow: not fit")
	assert.Contains(t, stderr, "facts of 2 nodes")

	record, err := factstore.Load(f.facts)
	require.NoError(t, err)
	var again bytes.Buffer
	cmd := &cobra.Command{}
	cmd.SetOut(&again)
	verdict, err := judge(cmd, moscow().Site, "west", "", record)
	require.NoError(t, err)
	require.Error(t, f.out.write(cmd, verdict))
	assert.Equal(t, out, again.String(), "the saved facts give the same verdict")
}

func TestPreflightThatBrokeOff(t *testing.T) {
	out, _, err := shownAs(t, &preflightFlags{}, preflightPast(t), failf(exitAborted, "step prepare.03 failed"))
	assert.Equal(t, exitCouldNot, exitCode(err))
	assert.ErrorContains(t, err, "step prepare.03 failed")
	assert.Contains(t, out, "not fit", "what was read is shown all the same")

	_, _, err = shownAs(t, &preflightFlags{}, &past{}, failf(exitAborted, "the run was terminated"))
	assert.Equal(t, exitCouldNot, exitCode(err))
	assert.ErrorContains(t, err, "terminated")
}

func TestDryRunShowsEveryChange(t *testing.T) {
	var out bytes.Buffer
	printSteps(&out, []workflows.StepProgress{
		{StepInfo: workflows.StepInfo{ID: "fix.01-plan", Title: "Plan"}, State: workflows.Done, Evidence: &activities.Evidence{
			Summary: "1 fix", Tail: "cp-1: swap off",
			Facts:    map[string]string{"cp-1 swap": "swap off (CHK-07)\n--- /etc/fstab\n-/dev/sda2\x1b[2J\tnone swap\n", "digest": "ab"},
			Findings: []checks.Finding{{Rule: "CHK-11", Outcome: checks.Fail, Node: "cp-1", Seen: "CP_1", Fix: "rename it"}},
		}},
		{StepInfo: workflows.StepInfo{ID: "fix.02-init", Title: "Run init.sh"}, State: workflows.Done, Evidence: &activities.Evidence{Tail: "ok\n"}},
		{StepInfo: workflows.StepInfo{ID: "fix.04-apply", Title: "Apply"}, State: workflows.WouldRun},
	})
	assert.Equal(t, `done      fix.01-plan  Plan: 1 fix

  cp-1 swap: swap off (CHK-07)
    --- /etc/fstab
    -/dev/sda2[2J        none swap
  left to a person: CHK-11 fail on cp-1: CP_1. Fix: rename it
done      fix.02-init  Run init.sh: 
    ok
would-run fix.04-apply  Apply
`, out.String())
}

func TestTheWorkersVerdictCounts(t *testing.T) {
	err := verdictOf(nil, failf(exitFailed, "%w: 1 checks failed", errNotFit))
	assert.Equal(t, exitFailed, exitCode(err))
	assert.ErrorContains(t, err, "the worker's verdict is another")
	assert.NoError(t, verdictOf(nil, nil))
	assert.Equal(t, exitCouldNot, exitCode(verdictOf(nil, failf(exitAborted, "cancelled"))))
	assert.Equal(t, exitFailed, exitCode(verdictOf(failf(exitFailed, "not fit"), nil)))
}

// What was seen and the reason behind it are told apart.
func TestAFindingLeftToAPersonReadsWell(t *testing.T) {
	var b bytes.Buffer
	printEvidence(&b, &activities.Evidence{Findings: []checks.Finding{
		{Rule: "CHK-24", Node: "cp-1", Outcome: checks.Fail, Seen: "podman", Reason: "a person decides", Fix: "rpm -e podman"},
	}})
	assert.Equal(t, "  left to a person: CHK-24 fail on cp-1: podman (a person decides). Fix: rpm -e podman\n", b.String())
}

// The help promises no more than is done.
func TestTheHelpSaysWhatIsNotUndone(t *testing.T) {
	for _, part := range []string{"does not bring back removed packages", "running system", "only after an approval"} {
		assert.Contains(t, preflightHelp, part)
	}
}

// A dry run asks nobody, shows what it has, and is no success when a node could
// not be read.
func TestADryRunWithADeadNodeShowsTheOthers(t *testing.T) {
	f := preflightFlags{fix: true, dryRun: true, start: startFlags{wait: true, request: workflows.Request{Site: "moscow", Cluster: "west", RequestedBy: "me"}}}
	require.NoError(t, f.check())
	c := mocks.NewClient(t)
	request := f.start.request
	request.DryRun, request.OnFailure = true, workflows.OnFailureAbort
	withRun(t, c, workflows.FixName, request, workflows.Progress{
		Outcome: workflows.ChecksFailed, Checks: &workflows.Verdict{Nodes: checks.Tally{Error: 1}},
		Steps: []workflows.StepProgress{{StepInfo: workflows.StepInfo{ID: "fix.01-plan", Title: "Plan"}, State: workflows.Done,
			Evidence: &activities.Evidence{Summary: "1 fix; not read: m1"}}},
	}, nil)
	cmd, out := shell(t)
	err := f.run(cmd, c)
	assert.Equal(t, exitFailed, exitCode(err), err)
	assert.Contains(t, out.String(), "Plan: 1 fix; not read: m1")
}
