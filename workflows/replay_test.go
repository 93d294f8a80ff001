package workflows_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"github.com/acpflow/acpflow/workflows"
)

// Every recorded run must replay with today's code: a run that began before a
// release goes on after it. A change that breaks one needs workflow.GetVersion.
// Record new ones with ACPFLOW_RECORD=$PWD/test/histories make test-e2e, test-pair
// or test-takeover.
func TestRecordedHistoriesReplay(t *testing.T) {
	files, err := filepath.Glob("../test/histories/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files, "there must be recorded histories")
	logger := log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			// Its limit is 1 s of wall time, which a busy machine passes.
			replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{DisableDeadlockDetection: true})
			require.NoError(t, err)
			workflows.Register(replayer)
			require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(logger, file))
		})
	}
}
