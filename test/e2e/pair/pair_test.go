package pair

import "testing"

// TestPair walks one pair through its life. The subtests leave west as the
// primary, east as it was after its install, and no fault behind.
func TestPair(t *testing.T) {
	r := open(t)
	t.Run("enable sync, one Pod (v4.1.0)", func(t *testing.T) { r.with(t).seedWay() })
	t.Run("enable sync, the check is not understood", func(t *testing.T) { r.with(t).checkNotUnderstood() })
	t.Run("enable sync, leader lease (v4.3.0)", func(t *testing.T) { r.with(t).leaseWay() })
	t.Run("enable sync, token and bootstrap (v4.3.1)", func(t *testing.T) { r.with(t).tokenWay() })
	t.Run("enable sync, the worker dies at every step", func(t *testing.T) { r.with(t).killedEverywhere() })
	t.Run("enable sync, a version nobody knows", func(t *testing.T) { r.with(t).unknownVersion() })
}
