package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab/installer/faults"
	"github.com/acpflow/acpflow/workflows"
)

// The installer answers 500, then garbage, then fails a phase and recovers by
// itself, with the word Success in its log text all the while: one install
// goes through it all without asking anybody.
func TestInstallerTroubleThatPasses(t *testing.T) {
	world.pristine(t)
	world.orders(t, "solo-1", faults.Faults{
		ConfigErrors: 1, ProgressErrors: 3, ProgressGarbage: 3, SuccessInLog: true,
		FailPhase: &faults.FailPhase{Phase: 2, Times: 1},
	})
	id := world.install(t, world.site(t, "trouble", "solo", nil))
	p := world.Succeeds(t, id)
	assert.Empty(t, p.Decisions, "nobody had to decide")
	assert.Equal(t, 1, posts(t, "solo-1"))
}

// The reply to the POST is lost, and the installer is gone right after success:
// the run adopts, and judges the cluster itself.
func TestLostReplyAndGoneAfterSuccess(t *testing.T) {
	world.pristine(t)
	world.orders(t, "solo-1", faults.Faults{ConfigReplyLost: true, GoneAfterSuccess: true})
	id := world.install(t, world.site(t, "lostreply", "solo", nil))
	p := world.Succeeds(t, id)
	assert.Equal(t, 1, posts(t, "solo-1"))
	for _, s := range p.Steps {
		assert.Equal(t, workflows.Done, s.State, s.ID)
		switch s.ID {
		case "execute.07-configure":
			assert.Contains(t, s.Evidence.Summary, "adopted")
		case "execute.08-progress":
			assert.Contains(t, s.Evidence.Summary, "the cluster is healthy")
		}
	}
}

// An installer in trouble that does not pass parks with the cause and where to
// look, never hangs; once the cause is mended, retry goes on.
func TestInstallerTroubleThatStaysParks(t *testing.T) {
	world.pristine(t)
	troubles := []struct {
		orders faults.Faults
		want   string
	}{
		{faults.Faults{StallPhase: 2}, "no (change|news|progress)"},
		{faults.Faults{StallPhase: 2, ProgressErrors: -1}, "500"},
		{faults.Faults{StallPhase: 2, ProgressGarbage: -1}, "understood|garbage|JSON"},
		{faults.Faults{FailPhase: &faults.FailPhase{Phase: 4, Times: -1}}, "status Failed"},
	}
	world.orders(t, "solo-1", troubles[0].orders)
	id := world.install(t, world.site(t, "stalled", "solo", func(s *site.Site) { s.Policy.StallAfter = "30s" }))
	for i, trouble := range troubles {
		gate := world.Gate(t, id, "execute.08-progress")
		assert.Contains(t, gate.Error, "Fix:")
		assert.Regexp(t, trouble.want, gate.Error)
		next := faults.Faults{}
		if i+1 < len(troubles) {
			next = troubles[i+1].orders
		}
		world.orders(t, "solo-1", next)
		world.Decide(t, id, "retry", "the cause is mended")
		world.Until(t, id, "the retry", func(p *workflows.Progress) bool { // or what it has come to, if that was quick
			return len(p.Decisions) == i+1 && (p.Gate == nil || p.Gate.Since.After(gate.Since))
		})
	}
	p := world.Succeeds(t, id)
	assert.Len(t, p.Decisions, len(troubles))
	assert.Equal(t, 1, posts(t, "solo-1"))
}
