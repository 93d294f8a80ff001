package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/lab/installer/faults"
	"github.com/acpflow/acpflow/workflows"
)

// An abort before the point of no return puts the node back, installer and all,
// and the history says who wanted it and why.
func TestAbortOfARunningStepPutsTheNodeBack(t *testing.T) {
	world.pristine(t)
	world.orders(t, "solo-1", faults.Faults{SetupSilent: true})
	id := world.install(t, world.site(t, "aborted", "solo", nil))
	begun(t, id, "execute.06-wait-installer")
	out, errs, code, err := harness.CLI(t.Context(), world.Server, "abort", id, "--by", "ops-on-call", "--reason", "the window is over")
	require.NoError(t, err)
	require.Zero(t, code, errs)
	assert.Contains(t, out, "cancellation of "+id)
	assert.True(t, temporal.IsCanceledError(world.Failure(t, id)))
	nothingLeft(t, "solo-1")
	list, err := world.node(t, "solo-1").Script(t.Context(), "docker ps -a --format '{{.Names}}' 2>/dev/null || true")
	require.NoError(t, err)
	assert.NotContains(t, list, "minialauda-control-plane")
	assert.Zero(t, posts(t, "solo-1"))
	assert.Equal(t, workflows.Cancelled, world.Now(t, id).Outcome)
	assert.Contains(t, string(world.Bytes(t, id)), "the window is over (by ops-on-call)")

	_, errs, code, err = harness.CLI(t.Context(), world.Server, "abort", id, "--reason", "again")
	require.NoError(t, err)
	assert.Equal(t, 2, code)
	assert.Contains(t, errs, "has ended: canceled")
}
