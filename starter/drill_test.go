package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

func TestDrillSchedule(t *testing.T) {
	f := routineFlags{routine: drills(), site: "moscow", by: "ops"}
	o := f.options(drillInterval(&site.Site{}))
	assert.Equal(t, "drill-schedule/moscow", o.ID)
	assert.Equal(t, 24*time.Hour, o.Spec.Intervals[0].Every)
	assert.Less(t, o.Spec.Intervals[0].Offset, 24*time.Hour)
	assert.Equal(t, time.Hour, o.CatchupWindow)
	action := o.Action.(*client.ScheduleWorkflowAction)
	assert.Equal(t, "drill/moscow", action.ID)
	assert.Equal(t, workflows.DrillName, action.Workflow)
	request := action.Args[0].(workflows.Request)
	assert.NoError(t, request.Validate())
	assert.Equal(t, workflows.OnFailureAbort, request.OnFailure, "nobody is there to be asked")
	assert.Equal(t, 6*time.Hour, drillInterval(&site.Site{DR: site.DR{Drill: &site.Drill{Every: "6h"}}}))

	root := newRootCmd()
	for _, verb := range []string{"start", "stop", "pause", "resume", "status"} {
		cmd, _, err := root.Find([]string{"drill", "schedule", verb})
		require.NoError(t, err)
		assert.Equal(t, verb, cmd.Name())
	}
	bad, _, err := root.Find([]string{"drill", "schedule", "status"})
	require.NoError(t, err)
	assert.NotNil(t, bad.Flag("last"))
	assert.Equal(t, exitBadInput, exitCode(runArgs(t, "drill", "schedule", "start", "--site", "../x")))
}
