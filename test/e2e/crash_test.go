package e2e

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/upload"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness/runs"
	"github.com/acpflow/acpflow/test/lab/corepackage"
	"github.com/acpflow/acpflow/test/lab/installer/faults"
	"github.com/acpflow/acpflow/test/lab/installer/server"
	"github.com/acpflow/acpflow/workflows"
)

// The worker is killed four times and Temporal once: the end is the same, the
// configuration is posted once, and hardly anything is sent again.
func TestInstallSurvivesKills(t *testing.T) {
	world.pristine(t)
	world.orders(t, "west-1", faults.Faults{})
	name := world.site(t, "killed", "west", func(s *site.Site) { s.Package = packageFor(t, corepackage.AMD64, 512) })
	id := world.install(t, name)
	node := world.node(t, "west-1")

	var there int64 // bytes on the node when the worker was killed
	when(t, "upload under way", func(ctx context.Context) bool {
		size, err := node.Script(ctx, `du -sB1 /root/cpaas-install 2>/dev/null | cut -f1`)
		there, _ = strconv.ParseInt(strings.TrimSpace(size), 10, 64)
		return err == nil && there > 256<<20
	})
	killWorker(t)

	begun(t, id, "execute.03-extract")
	when(t, "extraction under way", func(ctx context.Context) bool {
		out, err := node.Script(ctx, `ls -d /root/cpaas-install/.acpflow-extract 2>/dev/null || true`)
		if err == nil && strings.TrimSpace(out) != "" {
			return true
		}
		p, err := world.Status(ctx, id) // it may be over before a busy machine sees it
		return err == nil && runs.Step(p, "execute.03-extract").State == workflows.Done
	})
	killWorker(t)

	when(t, "configuration taken", func(ctx context.Context) bool { return posts(t, "west-1") == 1 })
	killWorker(t)

	begun(t, id, "execute.08-progress")
	killWorker(t)
	world.Server.Kill()
	require.NoError(t, world.Server.Restart(t.Context()))

	p := world.Succeeds(t, id)
	assert.Equal(t, 1, posts(t, "west-1"), "the configuration must be posted once")
	for _, s := range p.Steps {
		assert.Equal(t, workflows.Done, s.State, s.ID)
		assert.Equal(t, 1, s.Tries, "%s: nobody was asked", s.ID)
	}
	uploaded := p.Steps[4].Evidence
	require.Equal(t, "execute.02-upload", p.Steps[4].ID)
	sent, err := strconv.ParseInt(uploaded.Facts["sent"], 10, 64)
	require.NoError(t, err)
	skipped, err := strconv.ParseInt(uploaded.Facts["skipped"], 10, 64)
	require.NoError(t, err)
	const open = upload.DefaultChannels * upload.DefaultBlock // what may be sent again
	assert.GreaterOrEqual(t, skipped, there-open, "more than one block per channel was sent again: %s", uploaded.Summary)
	assert.Positive(t, sent, "the kill came after the upload: %s", uploaded.Summary)
	world.Record(t, id, "install-killed")
}

// when waits for something on a node.
func when(t *testing.T, what string, holds func(context.Context) bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if holds(t.Context()) {
			return
		}
	}
	t.Fatalf("no %s within %v\nworker log:\n%s", what, patience, world.Worker.Log())
}

// begun waits until the run is at a step.
func begun(t *testing.T, id, step string) {
	t.Helper()
	p := world.Until(t, id, step, func(p *workflows.Progress) bool { return runs.Begun(p, step) })
	t.Logf("%s is %s", step, runs.Step(p, step).State)
}

// killWorker ends the worker as a crash does and starts another.
func killWorker(t *testing.T) {
	t.Helper()
	world.Worker.Kill()
	require.NoError(t, world.StartWorker(t.Context()))
}

// posts is how many configurations the installer on a node accepted.
func posts(t *testing.T, node string) int {
	t.Helper()
	return record(t, node).Posts.Accepted
}

// record is what the stand-in installer says happened on its node.
func record(t *testing.T, node string) server.Record {
	t.Helper()
	out, err := world.node(t, node).Script(t.Context(), "cat "+server.RecordFile+" 2>/dev/null || echo '{}'")
	require.NoError(t, err)
	var r server.Record
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	return r
}
