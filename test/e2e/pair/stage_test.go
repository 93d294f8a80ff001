package pair

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness/pairs"
	"github.com/acpflow/acpflow/test/harness/runs"
	"github.com/acpflow/acpflow/test/lab/labtest"
	"github.com/acpflow/acpflow/workflows"
)

// stage is the pair as the tests of the synchronizer's own runbook use it: they
// begin without a synchronizer. with gives it to a subtest.
type stage struct {
	*testing.T
	*labtest.Pair
	world *rig
}

// onStage takes the pair, and its synchronizer away.
func onStage(t *testing.T) *stage {
	t.Helper()
	w := built(t)
	r := &stage{T: t, Pair: &labtest.Pair{Lab: w.Lab, Site: w.Document(t), West: w.West, East: w.East}, world: w}
	pairs.RemovePlugin(r, r.East)
	require.NoError(t, w.Lab.PublishSync(t.Context(), east, "v4.1.0"))
	return r
}

func (r *stage) with(t *testing.T) *stage {
	copied := *r
	copied.T = t
	return &copied
}

// document writes the pair's site document under a name of its own, changed by
// edit, and returns the name.
func (r *stage) document(name string, edit func(*site.Site)) string {
	r.Helper()
	body, err := json.Marshal(r.Site) // JSON tags are the document's names
	require.NoError(r, err)
	var doc site.Site
	require.NoError(r, json.Unmarshal(body, &doc))
	doc.Name = name
	doc.Policy.StallAfter = "3m"
	if edit != nil {
		edit(&doc)
	}
	body, err = json.Marshal(doc)
	require.NoError(r, err)
	body, err = yaml.JSONToYAML(body)
	require.NoError(r, err)
	require.NoError(r, os.WriteFile(filepath.Join(r.world.Sites, name+".yaml"), body, 0o600))
	return name
}

// start starts the runbook behind a CLI verb for a cluster and returns its id.
func (r *stage) start(verb, site, cluster string) string {
	r.Helper()
	return r.world.Start(r, verb, site, "--cluster", cluster)
}

func (r *stage) until(id, what string, holds func(*workflows.Progress) bool) *workflows.Progress {
	r.Helper()
	return r.world.Until(r, id, what, holds)
}

// succeeds waits for the run's good end and logs how it went.
func (r *stage) succeeds(id string) *workflows.Progress {
	r.Helper()
	p := r.world.Succeeds(r, id)
	r.Logf("%s took %s:\n%s", id, p.Ended.Sub(p.Started).Round(time.Second), runs.Steps(p))
	return p
}

func (r *stage) gate(id, step string) *workflows.Gate { r.Helper(); return r.world.Gate(r, id, step) }

func (r *stage) decide(id, action, reason string) { r.Helper(); r.world.Decide(r, id, action, reason) }

// aborted waits for the run to end after an abort.
func (r *stage) aborted(id string) *workflows.Progress {
	r.Helper()
	return r.until(id, "the end of the abort", func(p *workflows.Progress) bool { return p.Outcome == workflows.Aborted })
}

// begun waits until the run is at a step.
func (r *stage) begun(id, at string) {
	r.Helper()
	p := r.until(id, at, func(p *workflows.Progress) bool { return runs.Begun(p, at) })
	r.Logf("%s is %s", at, runs.Step(p, at).State)
}
