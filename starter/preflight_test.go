package main

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/mocks"

	"github.com/acpflow/acpflow/activities"
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
		"facts over others":     {"--site", "moscow", "--save-facts", "/etc"},
		"unknown form":          {"--site", "moscow", "-o", "pdf"},
	} {
		t.Setenv("TEMPORAL_ADDRESS", "192.0.2.1:1") // never asked
		_, stderr, code := runCommand(t, append([]string{"preflight"}, args...)...)
		assert.Equal(t, exitBadInput, code, "%s: %s", name, stderr)
	}
}

func TestPreflightStartsTheRunbook(t *testing.T) {
	f := preflightFlags{noProbe: true}
	book, err := f.book()
	require.NoError(t, err)
	assert.Equal(t, workflows.PreflightName, book.Name)
	assert.False(t, book.Changes)
	assert.Equal(t, workflows.Request{SkipProbes: true, OnFailure: workflows.OnFailureAbort}, f.start.request)
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
		{StepInfo: workflows.StepInfo{ID: "fix.02-plan", Title: "Plan"}, State: workflows.Done,
			Evidence: &activities.Evidence{Summary: "2 changes", Tail: "--- /etc/fstab\n-/dev/sda2\x1b[2J none swap\n"}},
		{StepInfo: workflows.StepInfo{ID: "fix.04-apply", Title: "Apply"}, State: workflows.WouldRun},
	})
	assert.Equal(t, "done      fix.02-plan  Plan: 2 changes\n    --- /etc/fstab\n    -/dev/sda2[2J none swap\nwould-run fix.04-apply  Apply\n", out.String())
}

func TestTheWorkersVerdictCounts(t *testing.T) {
	err := verdictOf(nil, failf(exitFailed, "%w: 1 checks failed", errNotFit))
	assert.Equal(t, exitFailed, exitCode(err))
	assert.ErrorContains(t, err, "the worker's verdict is another")
	assert.NoError(t, verdictOf(nil, nil))
	assert.Equal(t, exitCouldNot, exitCode(verdictOf(nil, failf(exitAborted, "cancelled"))))
	assert.Equal(t, exitFailed, exitCode(verdictOf(failf(exitFailed, "not fit"), nil)))
}
