package pair

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/acpflow/acpflow/internal/encryption"
	"github.com/acpflow/acpflow/test/harness/runs"
	"github.com/acpflow/acpflow/test/lab/installer/faults"
	"github.com/acpflow/acpflow/test/lab/installer/server"
	"github.com/acpflow/acpflow/workflows"
)

// The worker is killed after every step of a pair's install: nobody is asked
// anything, each configuration is posted once, and the end is the pair that an
// undisturbed run builds.
func TestInstallPairSurvivesAKillAfterEveryStep(t *testing.T) {
	r := world
	for _, node := range []string{"west-1", "east-1"} { // else each installer stays for ten seconds
		require.NoError(t, r.node(t, node).WriteFile(t.Context(), faults.Path, []byte(`{"graceSeconds": 1}`), "0644"))
	}
	id := r.Start(t, "install-pair", name, "--cluster", west)
	kills := killAfterEveryActivity(t, id)
	p := r.Until(t, id, "success", func(p *workflows.Progress) bool { return p.Outcome == workflows.Succeeded })
	for _, s := range p.Steps {
		assert.Equal(t, workflows.Done, s.State, s.ID)
		assert.LessOrEqual(t, s.Tries, 1, "%s: nobody was asked", s.ID) // 0 where it was not needed
	}
	assert.Empty(t, p.Decisions)
	t.Logf("%d steps, %d kills\n%s", len(p.Steps), kills.Load(), runs.Steps(p))
	survived(t, id)
	for _, node := range []string{"west-1", "east-1"} {
		assert.Equal(t, 1, r.posts(t, node), node)
	}
	r.connect(t)
	v := r.clean(t)
	assert.Equal(t, west, v.Roles.Primary)
	assert.Equal(t, east, v.Roles.Standby)
	r.sameKeyEverywhere(t)
}

// killAfterEveryActivity ends the worker as a crash does each time the history
// says that an activity is done, until the run has ended.
func killAfterEveryActivity(t *testing.T, id string) *atomic.Int32 {
	t.Helper()
	var kills atomic.Int32
	events := world.Temporal.GetWorkflowHistory(t.Context(), id, "", true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for end := time.Now().Add(4 * runs.Patience); time.Now().Before(end) && events.HasNext(); {
		event, err := events.Next()
		require.NoError(t, err)
		switch event.GetEventType() {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
			world.Worker.Kill()
			require.NoError(t, world.StartWorker(t.Context()))
			kills.Add(1)
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
			return &kills
		}
	}
	return &kills
}

// survived reads from the history that no worker lived through two steps.
func survived(t *testing.T, id string) {
	t.Helper()
	events := world.Temporal.GetWorkflowHistory(t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	step, last, lastStep := "", "", ""
	began := map[int64]string{} // event id of the schedule → step
	boundaries, outlived := 0, []string{}
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(t, err)
		if s := stepOf(event); s != "" {
			step = s
		}
		if event.GetEventType() == enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED {
			began[event.GetEventId()] = step
		}
		started := event.GetActivityTaskStartedEventAttributes()
		if started == nil {
			continue
		}
		of := began[started.GetScheduledEventId()]
		if lastStep != "" && of != lastStep {
			boundaries++
			if started.GetIdentity() == last {
				outlived = append(outlived, lastStep+" → "+of)
			}
		}
		last, lastStep = started.GetIdentity(), of
	}
	t.Logf("%d boundaries between steps; no kill at %v", boundaries, outlived)
	assert.LessOrEqual(t, len(outlived), boundaries/10, "the kill came too late at %s", strings.Join(outlived, ", "))
}

// stepOf is the step that begins with an event.
func stepOf(event *historypb.HistoryEvent) string {
	fields := event.GetUpsertWorkflowSearchAttributesEventAttributes().GetSearchAttributes().GetIndexedFields()
	return strings.Trim(string(fields[workflows.AttrStep.GetName()].GetData()), `"`)
}

// posts is how many configurations the installer on a node accepted.
func (r *rig) posts(t *testing.T, node string) int {
	t.Helper()
	var record server.Record
	require.NoError(t, json.Unmarshal([]byte(r.script(t, node, "cat "+server.RecordFile)), &record))
	return record.Posts.Accepted
}

// sameKeyEverywhere compares the key files on all machines.
func (r *rig) sameKeyEverywhere(t *testing.T) {
	t.Helper()
	want := ""
	for _, cluster := range []string{west, east} {
		for _, n := range r.controlPlanes(t, cluster) {
			got := r.script(t, n, fmt.Sprintf(`stat -c '%%U:%%G %%a' %[1]s; sha256sum <%[1]s`, encryption.Path))
			if want == "" {
				want = got
			}
			assert.Equal(t, want, got, n)
			assert.True(t, strings.HasPrefix(got, "root:root 600"), got)
		}
	}
}
