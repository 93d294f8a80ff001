package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/acpflow/acpflow/workflows"
)

func TestCriticalPathTakesTheLongestOfEachGroup(t *testing.T) {
	plan := workflows.Plan{Steps: []workflows.StepInfo{
		{ID: "look"},
		{ID: "nodes", Beside: "seen", Waits: 30},
		{ID: "pods", Beside: "seen", Waits: 45},
		{ID: "page"},
		{ID: "search", Beside: "restart", Waits: 10},
		{ID: "point", Beside: "restart", Waits: 60, PointOfNoReturn: true},
		{ID: "warlock", Beside: "restart", Waits: 5},
		{ID: "soak", Waits: 60},
	}}
	got := plan.CriticalPath()
	assert.InDelta(t, 45+10+60+5+60, got.Seconds, 1e-9)
	assert.Equal(t, []string{"look", "pods", "page", "search", "point", "warlock", "soak"}, got.Steps)
	assert.Empty(t, workflows.Plan{}.CriticalPath().Steps)
}
