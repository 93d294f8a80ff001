package pair

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The synchronizer is enabled in each edition's way, and by none where nobody
// knows it. The pair is as it was before, afterwards.
func TestEnableSync(t *testing.T) {
	r := onStage(t)
	t.Run("one Pod (v4.1.0)", func(t *testing.T) { r.with(t).seedWay() })
	t.Run("the check is not understood", func(t *testing.T) { r.with(t).checkNotUnderstood() })
	t.Run("leader lease (v4.3.0)", func(t *testing.T) { r.with(t).leaseWay() })
	t.Run("token and bootstrap (v4.3.1)", func(t *testing.T) { r.with(t).tokenWay() })
	t.Run("the worker dies at every step", func(t *testing.T) { r.with(t).killedEverywhere() })
	t.Run("a version nobody knows", func(t *testing.T) { r.with(t).unknownVersion() })
	require.NoError(t, r.Lab.PublishSync(t.Context(), east, "v4.1.0"))
	r.world.Succeeds(t, r.world.Start(t, "enable-sync", name, "--cluster", east))
	r.world.Clean(t)
}
