package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/lab/installer/faults"
	"github.com/acpflow/acpflow/workflows"
)

// The main job: three bare nodes become a verified `global` cluster, and no
// secret of the site is left anywhere on the way.
func TestInstallThreeNodes(t *testing.T) {
	world.pristine(t)
	world.orders(t, "west-1", faults.Faults{})
	name := world.site(t, "threenodes", "west", func(s *site.Site) { s.Platform.ProductDocs = true })
	eyes := watchProcesses(t)
	id := world.install(t, name)

	t.Run("a second changing run of the site is refused", func(t *testing.T) {
		world.Until(t, id, "the lease", func(p *workflows.Progress) bool { return len(p.Steps) > 0 })
		_, errs, code, err := harness.CLI(t.Context(), world.Server, "add-architecture", "--site", name, "--wait")
		require.NoError(t, err)
		assert.Equal(t, 6, code, errs)
		assert.Contains(t, errs, "is being changed by Install of cluster west (workflow "+id)
		assert.Contains(t, errs, "Fix: wait until it ends")
	})

	p := world.Succeeds(t, id)
	finished, total := p.Counts()
	assert.Equal(t, total, finished)
	assert.Len(t, p.Steps, 19)
	for _, s := range p.Steps {
		require.NotNil(t, s.Evidence, s.ID)
		assert.NotEmpty(t, s.Evidence.Summary, s.ID)
	}
	assert.Equal(t, 1, posts(t, "west-1"))

	t.Run("no secret anywhere", func(t *testing.T) { noSecretIn(t, id, eyes.seen()) })
	t.Run("installing again is refused by the checks", func(t *testing.T) {
		again := world.install(t, name)
		gate := world.Gate(t, again, "prepare.01-check-nodes")
		assert.Contains(t, gate.Error, "GEN-04")
	})
	world.Record(t, id, "install-three-nodes")
}
