package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/workflows"
)

func TestInstallRunsTheRunbookInOrder(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.run(request))
	assert.Equal(t, []string{"LoadSite", "RecordPlan",
		"CheckNodes", "InspectPackage", "ProbeNodes", "ProbeBalancer", "CompareNodes",
		"CheckSpace", "UploadPackage", "ExtractPackage", "CheckSpace", "RunSetup", "WaitForInstaller", "ConfigureInstaller", "WatchInstaller",
		"CheckNodesReady", "CheckClusterModule", "CheckAppReleases", "CheckPods", "CheckPlatform", "FindInstaller", "RestoreTemporary"}, w.done())
	var result workflows.Progress
	require.NoError(t, w.env.GetWorkflowResult(&result))
	assert.Equal(t, workflows.Succeeded, result.Outcome)
	assert.Equal(t, "https://acp.example.com", result.PlatformURL)
	finished, total := result.Counts()
	assert.Equal(t, total, finished)
	assert.Len(t, result.PlanDigest, 64)
}

// One case per failing step: what ran before stays, nothing after it runs, and
// an abort undoes exactly what was begun and can be undone, last first.
func TestInstallParksAtTheFailingStep(t *testing.T) {
	upload, extract, setup := "RemoveUploadedPackage", "RemoveExtractedPackage", "RemoveInstaller"
	cases := []struct {
		broken string
		class  fault.Class
		step   string
		next   string // must not have run
		undone []string
	}{
		{"CheckNodes", fault.Internal, "prepare.01-check-nodes", "CompareNodes", nil},
		{"InspectPackage", fault.Corrupt, "prepare.02-inspect-package", "CompareNodes", nil},
		{"ProbeNodes", fault.Internal, "prepare.03-check-together", "CompareNodes", nil},
		{"CompareNodes", fault.Internal, "prepare.03-check-together", "CheckSpace", nil},
		{"CheckSpace", fault.DiskFull, "execute.01-space-before", "UploadPackage", nil},
		{"UploadPackage", fault.DiskFull, "execute.02-upload", "ExtractPackage", []string{upload}},
		{"ExtractPackage", fault.Command, "execute.03-extract", "RunSetup", []string{extract, upload}},
		{"RunSetup", fault.Failed, "execute.05-setup", "WaitForInstaller", []string{setup, extract, upload}},
		{"WaitForInstaller", fault.Stalled, "execute.06-wait-installer", "ConfigureInstaller", []string{setup, extract, upload}},
		{"ConfigureInstaller", fault.Refused, "execute.07-configure", "WatchInstaller", []string{setup, extract, upload}},
		{"ConfigureInstaller", fault.Conflict, "execute.07-configure", "WatchInstaller", nil},
		{"WatchInstaller", fault.Failed, "execute.08-progress", "CheckNodesReady", nil},
		{"CheckNodesReady", fault.Gate, "verify.01-nodes", "CheckClusterModule", nil},
		{"CheckPods", fault.Gate, "verify.04-pods", "CheckPlatform", nil},
		{"CheckPlatform", fault.Gate, "verify.05-platform-url", "FindInstaller", nil},
	}
	for _, c := range cases {
		t.Run(c.step+" "+string(c.class), func(t *testing.T) {
			w := newWorld(t)
			w.breaks(c.broken, c.class)
			w.after(time.Hour, func() {
				p := w.status()
				require.NotNil(t, p.Gate)
				assert.Equal(t, c.step, p.Gate.Step)
				assert.Contains(t, p.Gate.Error, c.broken+" is broken. Fix: mend it")
				assert.Equal(t, workflows.Waiting, p.Outcome)
				assert.False(t, w.called(c.next), "%s must not run after %s failed", c.next, c.broken)
				before := len(w.done())
				w.decide(workflows.Decision{Step: c.step, Action: workflows.Abort, By: "ops", Reason: "test"})
				w.after(time.Minute, func() { assert.Equal(t, c.undone, w.done()[before:]) })
			})
			err := w.run(request)
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			assert.Equal(t, workflows.ErrAborted, app.Type())
			assert.False(t, w.called(c.next))
			assert.Equal(t, workflows.Aborted, w.status().Outcome)
		})
	}
}

func TestRetryGoesOnWhereItStopped(t *testing.T) {
	w := newWorld(t)
	w.breaks("UploadPackage", fault.DiskFull)
	w.after(time.Hour, func() {
		w.mends("UploadPackage")
		w.decide(workflows.Decision{Step: "execute.02-upload", Action: workflows.Retry, By: "ops"})
	})
	require.NoError(t, w.run(request))
	p := w.status()
	assert.Equal(t, workflows.Succeeded, p.Outcome)
	assert.Equal(t, 2, p.Steps[4].Tries)
	require.Len(t, p.Decisions, 1)
	assert.Equal(t, "ops", p.Decisions[0].By)
	assert.Contains(t, p.Decisions[0].Error, "UploadPackage is broken")
}

func TestSkipIsRecordedWithItsReason(t *testing.T) {
	w := newWorld(t)
	w.breaks("CheckPlatform", fault.Gate)
	w.after(time.Hour, func() {
		w.decide(workflows.Decision{Step: "verify.05-platform-url", Action: workflows.Skip, By: "ops", Reason: "checked by hand"})
	})
	require.NoError(t, w.run(request))
	for _, s := range w.status().Steps {
		if s.ID == "verify.05-platform-url" {
			assert.Equal(t, workflows.SkippedBy, s.State)
			assert.Contains(t, s.Error, "skipped by ops: checked by hand")
		}
	}
}

func TestBadDecisionsAreRefused(t *testing.T) {
	w := newWorld(t)
	w.breaks("UploadPackage", fault.DiskFull)
	w.after(time.Second, func() {
		w.refused(`not "x"`, workflows.Decision{Step: "x", Action: workflows.Retry, By: "ops"})
	})
	w.after(time.Hour, func() {
		step := "execute.02-upload"
		for want, d := range map[string]workflows.Decision{
			`the open gate is step "execute.02-upload"`: {Step: "execute.03-extract", Action: workflows.Retry, By: "ops"},
			`possible: retry, abort`:                    {Step: step, Action: workflows.Skip, By: "ops", Reason: "r"},
			`action "go" is not possible`:               {Step: step, Action: "go", By: "ops"},
			`"by" is missing`:                           {Step: step, Action: workflows.Retry},
			`"reason" is missing`:                       {Step: step, Action: workflows.Abort, By: "ops"},
		} {
			w.refused(want, d)
		}
	})
	w.after(2*time.Hour, func() {
		assert.Equal(t, 6, w.rejections)
		assert.Empty(t, w.status().Decisions)
		step := "execute.02-upload"
		w.mends("UploadPackage")
		w.decide(workflows.Decision{Step: step, Action: workflows.Retry, By: "ops"})
	})
	require.NoError(t, w.run(request))
}

func TestCancellationUndoesInReverse(t *testing.T) {
	w := newWorld(t)
	w.breaks("WaitForInstaller", fault.Stalled)
	w.after(time.Hour, w.env.CancelWorkflow)
	err := w.run(request)
	assert.True(t, temporal.IsCanceledError(err), "%v", err)
	assert.Equal(t, []string{"RemoveInstaller", "RemoveExtractedPackage", "RemoveUploadedPackage"}, w.done()[len(w.done())-3:])
	assert.Equal(t, workflows.Cancelled, w.status().Outcome)
}

func TestFailedUndoAsksAPerson(t *testing.T) {
	w := newWorld(t)
	w.breaks("RunSetup", fault.Failed)
	w.breaks("RemoveExtractedPackage", fault.Auth)
	request := request
	request.OnFailure = workflows.OnFailureAbort
	w.after(time.Hour, func() {
		p := w.status()
		require.NotNil(t, p.Gate)
		assert.True(t, p.Gate.Undo)
		assert.Equal(t, []workflows.Action{workflows.Retry, workflows.Skip}, p.Gate.Actions)
		assert.False(t, w.called("RemoveUploadedPackage"))
		w.mends("RemoveExtractedPackage")
		w.decide(workflows.Decision{Step: p.Gate.Step, Action: workflows.Retry, By: "ops"})
	})
	require.Error(t, w.run(request))
	assert.True(t, w.called("RemoveUploadedPackage"))
}

// CLN-01: the installer may need thirty minutes, not a second less.
func TestInstallerIsRemovedAfterThirtyMinutes(t *testing.T) {
	w := newWorld(t)
	w.left = 1000
	start := w.env.Now()
	w.after(29*time.Minute, func() { assert.False(t, w.called("RemoveInstaller")) })
	require.NoError(t, w.run(request))
	assert.True(t, w.called("RemoveInstaller"))
	assert.GreaterOrEqual(t, w.env.Now().Sub(start), 30*time.Minute)
}

func TestInstallerThatLeavesByItselfIsNotRemoved(t *testing.T) {
	w := newWorld(t)
	w.left = 3
	require.NoError(t, w.run(request))
	assert.False(t, w.called("RemoveInstaller"))
}

func TestMalformedInputNamesTheFieldAndTheFix(t *testing.T) {
	for name, c := range map[string]struct {
		input any
		want  string
	}{
		"empty object":  {map[string]any{}, `"site" is missing`},
		"null":          {nil, "the input is empty"},
		"a string":      {"lab", "cannot unmarshal string"},
		"a list":        {[]string{"lab"}, "cannot unmarshal array"},
		"unknown field": {map[string]any{"site": "lab", "clutser": "west"}, `unknown field "clutser"`},
		"path":          {map[string]any{"site": "../../etc/passwd"}, "is not a site name"},
		"cluster path":  {map[string]any{"site": "lab", "cluster": "a/b"}, "is not a cluster name"},
		"number":        {map[string]any{"site": 7}, "cannot unmarshal number"},
		"onFailure":     {map[string]any{"site": "lab", "onFailure": "skip"}, `neither "ask" nor "abort"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			err := w.run(c.input)
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			assert.Equal(t, workflows.ErrInvalidInput, app.Type())
			assert.Contains(t, app.Error(), c.want)
			assert.Contains(t, app.Error(), "Fix: start it again with input like")
			assert.Empty(t, w.done(), "nothing may be done on bad input")
		})
	}
}
