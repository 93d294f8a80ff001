package podnet

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPortsStayBelowThoseOfOutgoingConnections(t *testing.T) {
	seen := map[int]bool{}
	for _, uid := range []string{"", "a", "b", "9f140392-c35f-43df-bc36-66886439643b", "5ffe46d8-76f4-4c20-b51e-b3ef01b129f8"} {
		p := Port(uid)
		require.GreaterOrEqual(t, p, 20000)
		require.Less(t, p, 30000)
		seen[p] = true
	}
	require.Len(t, seen, 5)
	require.Equal(t, "192.0.2.1:20000", Pod{HostIP: "192.0.2.1"}.Address())
}
