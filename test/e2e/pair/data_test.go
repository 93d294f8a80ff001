package pair

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/test/harness/pairs"
	"github.com/acpflow/acpflow/test/lab/workload"
)

// team is a namespace with data on both sides.
var team = pairs.Team

// seeded makes sure that there is data to compare.
func (r *rig) seeded(t *testing.T) {
	t.Helper()
	require.NoError(t, workload.Seed(t.Context(), r.West.API, r.West.Dynamic, 3))
}

// write sets a ConfigMap on the primary.
func (r *rig) write(t *testing.T, key, value string) {
	t.Helper()
	pairs.WriteMap(t, r.West, key, value)
}

// arrives waits until a ConfigMap has its value on the standby.
func (r *rig) arrives(t *testing.T, key, value string) {
	t.Helper()
	pairs.MapArrives(t, r.East, key, value)
}

// secretReadable reads a Secret of the primary through the standby's API servers, each of them.
func (r *rig) secretReadable(t *testing.T, key, value string) {
	t.Helper()
	pairs.SecretReadable(t, r.East, key, value)
}

// newSecret makes a Secret on the primary.
func (r *rig) newSecret(t *testing.T, key, value string) {
	t.Helper()
	pairs.NewSecret(t, r.West, key, value)
}

// What is written on the primary is read on the standby, Secrets too.
func TestDataIsReadOnTheOtherSide(t *testing.T) {
	r := built(t)
	r.seeded(t)
	r.write(t, "first", "one")
	r.newSecret(t, "first", "hidden one")
	r.arrives(t, "first", "one")
	r.secretReadable(t, "first", "hidden one")
	v := r.Clean(t)
	require.NotEmpty(t, v.Ignored, "the result says what was left out, and why")
	for _, g := range v.Ignored {
		require.NotEmpty(t, g.Reason, g.Name)
	}
}
