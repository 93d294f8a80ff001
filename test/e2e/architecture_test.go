package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/lab/corepackage"
	"github.com/acpflow/acpflow/test/lab/installer/faults"
	"github.com/acpflow/acpflow/workflows"
)

// A cluster that was installed from a single-architecture package becomes a
// hybrid one (PKG-10); the package of one architecture is refused for it.
func TestAddArchitecture(t *testing.T) {
	world.pristine(t)
	world.orders(t, "solo-1", faults.Faults{})
	name := world.site(t, "hybrid", "solo", nil)
	world.Succeeds(t, world.install(t, name))

	id := world.Start(t, "add-architecture", name)
	gate := world.Gate(t, id, "prepare.02-inspect-package")
	assert.Contains(t, gate.Error, "both architectures are needed")
	world.Decide(t, id, "abort", "the hybrid package is here now")
	require.Error(t, world.Failure(t, id))

	world.site(t, "hybrid", "solo", func(s *site.Site) { s.Package = packageFor(t, corepackage.Hybrid, 8) })
	id = world.Start(t, "add-architecture", name)
	p := world.Succeeds(t, id)
	for _, s := range p.Steps {
		assert.Equal(t, workflows.Done, s.State, s.ID)
	}
	world.Record(t, id, "add-architecture")
	_, errs, code, err := harness.CLI(t.Context(), world.Server, "status", id)
	require.NoError(t, err)
	require.Zero(t, code, errs)
}
