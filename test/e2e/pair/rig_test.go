package pair

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/test/harness/pairs"
	"github.com/acpflow/acpflow/test/lab"
)

// rig is the pair with acpflow around it.
type rig struct{ *pairs.Rig }

// built makes sure that the pair is installed and synchronised.
func built(t *testing.T) *rig {
	t.Helper()
	world.Build(t)
	return world
}

// breaks makes the synchronizer fail as ordered until mend is called, or the test ends.
func (r *rig) breaks(t *testing.T, f lab.SyncFaults) (mend func()) {
	t.Helper()
	require.NoError(t, r.Lab.BreakSync(t.Context(), east, f))
	mend = func() { require.NoError(t, r.Lab.MendSync(context.WithoutCancel(t.Context()), east)) }
	t.Cleanup(mend)
	return mend
}
