package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/checks/pair/pairtest"
	"github.com/acpflow/acpflow/internal/report"
	"github.com/acpflow/acpflow/workflows"
)

func cardText(t *testing.T, edit func(*pair.Facts), all bool) string {
	t.Helper()
	f := pairtest.Good()
	edit(&f)
	v := &workflows.SyncVerdict{Card: pair.Make(f, nil), Summary: "the summary"}
	var b strings.Builder
	require.NoError(t, writeCard(&b, &workflows.Progress{Request: workflows.Request{Site: "moscow"}, Started: pairtest.Now, Sync: v}, report.Options{All: all}))
	return b.String()
}

func TestCardIsReadable(t *testing.T) {
	good := cardText(t, func(*pair.Facts) {}, true)
	assert.True(t, strings.HasPrefix(good, "Pair of site moscow: the summary\njudged 2026-06-15 12:00:00 UTC\n"), good)
	assert.Contains(t, good, "\n\nthe pair  17 passed\n")
	assert.Contains(t, good, "primary west, standby east, by the synchronizer")
	assert.NotContains(t, good, "fit for an install")

	bad := cardText(t, func(f *pair.Facts) {
		f.Vendor = pair.Of(pair.Vendor{Surplus: 2, Samples: []string{"/registry/x\x1b[31m"}})
	}, false)
	assert.Contains(t, bad, "DR-33  The vendor's check finds nothing")
	assert.Contains(t, bad, "0 missed, 2 surplus")
	assert.Contains(t, bad, "agree with operations before anything is deleted")
	assert.NotContains(t, bad, "\x1b")
}

func TestMonitorOptions(t *testing.T) {
	f := routineFlags{routine: monitor(), site: "moscow", by: "ops"}
	o := f.options(5 * time.Minute)
	assert.Equal(t, "monitor/moscow", o.ID)
	assert.Equal(t, time.Minute, o.CatchupWindow)
	action := o.Action.(*client.ScheduleWorkflowAction)
	assert.Equal(t, "check/moscow", action.ID)
	request := action.Args[0].(workflows.Request)
	assert.Equal(t, workflows.OnFailureAbort, request.OnFailure, "nobody is there to be asked")
	name, ok := action.TypedSearchAttributes.GetKeyword(workflows.AttrSite)
	assert.True(t, ok)
	assert.Equal(t, "moscow", name)
	offset := o.Spec.Intervals[0].Offset
	assert.Less(t, offset, 5*time.Minute)
	assert.Equal(t, offset, f.options(5 * time.Minute).Spec.Intervals[0].Offset, "the same each time")
	other := routineFlags{routine: monitor(), site: "berlin"}
	assert.NotEqual(t, offset, other.options(5 * time.Minute).Spec.Intervals[0].Offset, "not all at once")
}

func TestMonitorStatusIsReadable(t *testing.T) {
	next := pairtest.Now
	desc := &client.ScheduleDescription{Schedule: client.Schedule{
		Spec:  &client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: time.Minute}}},
		State: &client.ScheduleState{Note: "started by ops"},
	}, Info: client.ScheduleInfo{NumActions: 7, NumActionsSkippedOverlap: 1, NextActionTimes: []time.Time{next}}}
	runs := runsOf([]runLine{{ID: "check/moscow-1", RunID: "r", Outcome: "checks-failed", Started: pairtest.Now}})
	f := routineFlags{routine: monitor(), site: "moscow"}
	s := statusOf(desc)
	var b strings.Builder
	require.NoError(t, f.print(&b, s, runs))
	assert.Contains(t, b.String(), "monitor/moscow runs: a check every 1m0s; 7 started, 1 skipped because one still ran, 0 missed")
	assert.Contains(t, b.String(), "checks-failed  check/moscow-1")
	desc.Schedule.State.Paused = true
	assert.Nil(t, statusOf(desc).Next)
	f.fill(&s, "monitor/moscow", runs)
	text, err := json.Marshal(s)
	require.NoError(t, err)
	assert.Contains(t, string(text), `{"monitor":"monitor/moscow","every":"1m0s"`)
	assert.Contains(t, string(text), `"checks":[{"run":"check/moscow-1"`)
	assert.NotContains(t, string(text), "drills")
}

func TestBadFlagsOfCheckAndMonitor(t *testing.T) {
	for _, args := range [][]string{
		{"check", "--site", "moscow", "-o", "xml"},
		{"monitor", "status", "--site", "moscow", "-o", "xml"},
		{"monitor", "start", "--site", "../x"},
	} {
		cmd := newRootCmd()
		cmd.SetArgs(args)
		assert.Equal(t, exitBadInput, exitCode(cmd.ExecuteContext(t.Context())), args)
	}
}
