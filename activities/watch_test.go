package activities

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/installer"
)

// What Watch puts into its heartbeat is enough for the next attempt to go on
// judging: a stall is not forgotten because the worker died.
func TestTrackerSurvivesAHeartbeat(t *testing.T) {
	limits := installer.DefaultLimits()
	limits.Stall = 20 * time.Second
	first := installer.NewTracker(limits)
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	doing := installer.Progress{Status: installer.Doing, Step: 4}
	for range 15 {
		require.Equal(t, installer.VerdictRunning, first.Observe(installer.Observation{At: at, Progress: doing}).Verdict)
		at = at.Add(time.Second)
	}
	state, err := json.Marshal(first)
	require.NoError(t, err)
	body, err := json.Marshal(Progress{Text: "x", Resume: state})
	require.NoError(t, err)

	var beat Progress
	require.NoError(t, json.Unmarshal(body, &beat))
	var second installer.Tracker
	require.NoError(t, json.Unmarshal(beat.Resume, &second))
	verdict := installer.VerdictRunning
	for i := 0; i < 10 && verdict == installer.VerdictRunning; i++ {
		verdict = second.Observe(installer.Observation{At: at, Progress: doing}).Verdict
		at = at.Add(time.Second)
	}
	assert.Equal(t, installer.VerdictStalled, verdict)
}
