package workflows_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/workflows"
)

// routine is a world in which a monitor's check was made a minute ago and was
// well, so that this one reads little.
func routine(t *testing.T) *checkWorld {
	first := newCheckWorld(t)
	first.check()
	last := first.status()
	w := newCheckWorld(t)
	w.env.SetLastCompletionResult(&last)
	mark, err := json.Marshal(proven(0, 0, 0).Mark)
	require.NoError(t, err)
	w.sides["east"].Ledger = pair.Of(pair.Ledger{Mark: mark, Full: time.Now().Add(-time.Minute), Last: []pair.Past{{At: time.Now()}}})
	w.proofs[0].Mode = etcd.Incremental
	return w
}

// Every activity of its own costs Temporal a dozen writes: a routine check has
// none, and any other check has those that take long.
func TestRoutineCheckIsOneWorkflowTask(t *testing.T) {
	w := routine(t)
	assert.False(t, w.check().Blocking)
	assert.Equal(t, []string{"LoadSite", "ObservePair", "CompareSides", "JudgePair", "RecordCheck"}, w.done())
	assert.Equal(t, w.done(), w.local)

	w = routine(t)
	w.sides["east"].Ledger = pair.Of(pair.Ledger{Last: []pair.Past{{At: time.Now()}}})
	assert.False(t, w.check().Blocking)
	assert.NotContains(t, w.local, "CompareSides", "a full proof takes long")

	w = newCheckWorld(t)
	assert.False(t, w.check().Blocking)
	assert.Equal(t, []string{"LoadSite", "JudgePair"}, w.local, "everything is read")
}

// What can't be done in a moment is done as if it had not been tried.
func TestSlowRoutineStepBecomesAnActivity(t *testing.T) {
	for _, name := range []string{"ObservePair", "CompareSides", "RecordCheck"} {
		for what, err := range map[string]error{
			"fails for the moment": temporal.NewApplicationError("blip", "Unreachable"),
			"takes too long":       temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, nil),
		} {
			w := routine(t)
			w.failLocal[name] = err
			assert.False(t, w.check().Blocking, "%s %s", name, what)
			assert.Equal(t, 2, w.count(name), "%s %s", name, what)
			assert.Len(t, w.written, 1)
		}
	}
	w := routine(t)
	w.breaks("ObservePair", "BadInput")
	assert.ErrorContains(t, w.runBook(workflows.CheckSyncName, checkRequest), "ObservePair is broken")
	assert.Equal(t, 1, w.count("ObservePair"), "a permanent fault is not tried again")
}
