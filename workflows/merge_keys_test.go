package workflows_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/encryption"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/workflows"
)

var allStages = []encryption.Kind{encryption.NewNames, encryption.WriteNewName, encryption.PrimaryReadable, encryption.PrimaryWrites}

// mergeWorld is a pair whose keys differ; nodes lists which control plane got
// which stage.
type mergeWorld struct {
	*pairWorld
	nodes []string
}

func newMergeWorld(t *testing.T, stages ...encryption.Kind) *mergeWorld {
	w := &mergeWorld{pairWorld: newPairWorld(t)}
	w.has("west", false)
	w.has("east", true)
	w.answer["PreviewMerge"] = func() any {
		return activities.MergePreview{Needed: len(stages) > 0, Stages: stages, Text: "key1 becomes key2", Evidence: activities.Evidence{Summary: "planned"}}
	}
	w.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, args converter.EncodedValues) {
		name := info.ActivityType.Name
		if name != "InstallKeys" && name != "RestoreKeys" {
			return
		}
		var raw json.RawMessage
		var in activities.StageInput
		if args.Get(&raw) == nil && json.Unmarshal(raw, &in) == nil && info.Attempt == 1 {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.nodes = append(w.nodes, name+" "+in.Node+" "+string(in.Kind))
		}
	})
	return w
}

// run approves both questions.
func (w *mergeWorld) run() error {
	w.approve(time.Minute, "keys.01-acknowledge")
	w.approve(2*time.Minute, "keys.03-back-up")
	return w.runBook(workflows.MergeKeysName, request)
}

func (w *mergeWorld) approve(at time.Duration, step string) {
	w.after(at, func() {
		if gate := w.status().Gate; gate != nil && gate.Step == step && gate.Question != "" {
			w.decide(workflows.Decision{Step: step, Action: workflows.Approve, By: "ops", Reason: "read"})
		}
	})
}

func TestMergeKeysGoesNodeByNode(t *testing.T) {
	w := newMergeWorld(t, allStages...)
	w.after(30*time.Second, func() {
		gate := w.status().Gate
		require.NotNil(t, gate)
		assert.Contains(t, gate.Question, "WITHDRAWN")
		assert.False(t, w.called("PreviewMerge"), "nothing is even read before somebody knows")
	})
	w.after(90*time.Second, func() {
		assert.Contains(t, w.status().Gate.Question, "key1 becomes key2")
		assert.False(t, w.called("BackUpKeys"))
	})
	require.NoError(t, w.run())
	assert.Equal(t, []string{"LoadSite", "RecordPlan", "ObserveInstall", "PreviewMerge", "BackUpKeys",
		"InstallKeys", "InstallKeys", "InstallKeys", "InstallKeys", "InstallKeys", "InstallKeys", "InstallKeys", "InstallKeys", "InstallKeys", "RewriteSecrets",
		"InstallKeys", "InstallKeys", "InstallKeys", "InstallKeys", "InstallKeys", "InstallKeys", "ProveSecrets", "FinishMerge"}, w.done())
	var want []string
	for i, kind := range slices.Concat([]encryption.Kind{encryption.PrimaryReadable}, allStages) {
		nodes := []string{"e1", "e2", "e3"}
		if i == 0 {
			nodes = []string{"m1", "m2", "m3"}
		}
		for _, n := range nodes {
			want = append(want, "InstallKeys "+n+" "+string(kind))
		}
	}
	assert.Equal(t, want, w.nodes)
}

func TestMergeKeysWithNamesOfTheirOwn(t *testing.T) {
	w := newMergeWorld(t, encryption.PrimaryReadable, encryption.PrimaryWrites)
	require.NoError(t, w.run())
	assert.False(t, w.called("RewriteSecrets"))
	assert.Len(t, w.nodes, 9)
	for _, s := range w.status().Steps {
		if s.ID == "keys.06-write-new-name" {
			assert.Equal(t, "not needed: no key must be renamed", s.Evidence.Summary)
		}
	}
}

func TestMergeKeysOfAPairThatHasThem(t *testing.T) {
	w := newMergeWorld(t)
	require.NoError(t, w.run())
	assert.False(t, w.called("BackUpKeys"))
	assert.Empty(t, w.nodes)
	assert.True(t, w.called("ProveSecrets"))
}

// One case per failing step: the nodes after it keep their file, and what was
// begun goes back last first, unless a new key may have written.
func TestMergeKeysParksAndUndoes(t *testing.T) {
	back := func(names ...string) []string {
		var out []string
		for _, n := range names {
			out = append(out, "RestoreKeys "+n+" ")
		}
		return out
	}
	east, west := []string{"e3", "e2", "e1"}, []string{"m3", "m2", "m1"}
	for _, c := range []struct {
		broken string
		count  int // good calls of it before
		step   string
		undone []string // node by node
		drops  bool     // the backups
	}{
		{"PreviewMerge", 0, "keys.02-read", nil, false},
		{"BackUpKeys", 0, "keys.03-back-up", nil, true},
		{"InstallKeys", 1, "keys.04-primary", back(west...), true},
		{"InstallKeys", 3, "keys.05-new-names", back(slices.Concat(east, west)...), true},
		{"InstallKeys", 7, "keys.06-write-new-name", nil, false},
		{"RewriteSecrets", 0, "keys.07-rewrite-secrets", nil, false},
		{"InstallKeys", 10, "keys.08-primary-readable", back(east...), false}, // each node decides to keep it
		{"InstallKeys", 13, "keys.09-primary-writes", nil, false},
		{"ProveSecrets", 0, "keys.10-prove", nil, false},
		{"FinishMerge", 0, "keys.11-finish", nil, false},
	} {
		t.Run(c.step, func(t *testing.T) {
			w := newMergeWorld(t, allStages...)
			good := 0
			w.during[c.broken] = func() {
				if good++; good >= c.count {
					w.fail[c.broken] = permanent(c.broken, fault.Stalled)
				}
			}
			if c.count == 0 {
				w.breaks(c.broken, fault.Stalled)
			}
			w.after(time.Hour, func() {
				gate := w.status().Gate
				require.NotNil(t, gate)
				assert.Equal(t, c.step, gate.Step)
				before := len(w.nodes)
				w.decide(workflows.Decision{Step: c.step, Action: workflows.Abort, By: "ops", Reason: "test"})
				w.after(time.Minute, func() {
					assert.Equal(t, c.undone, append([]string(nil), w.nodes[before:]...))
					assert.Equal(t, c.drops, w.called("DropBackups"))
				})
			})
			err := w.run()
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			assert.Equal(t, workflows.ErrAborted, app.Type())
			if c.broken != "FinishMerge" {
				assert.False(t, w.called("FinishMerge"))
			}
		})
	}
}

func TestMergeKeysRefusesTheStandbyAsPrimary(t *testing.T) {
	w := newMergeWorld(t, allStages...)
	w.has("west", true)
	w.after(time.Hour, w.env.CancelWorkflow)
	require.Error(t, w.run())
	assert.False(t, w.called("PreviewMerge"))
	assert.Contains(t, w.status().Steps[1].Error, "west carries the synchronizer")
}

func TestMergeKeysIsNotApprovedByAPipeline(t *testing.T) {
	w := newMergeWorld(t, allStages...)
	r := request
	r.OnFailure = workflows.OnFailureAbort
	require.Error(t, w.runBook(workflows.MergeKeysName, r))
	assert.False(t, w.called("BackUpKeys"))
}
