package clusterdns

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAddressIsTheTenthOfTheRange(t *testing.T) {
	require.Equal(t, "10.4.0.10", Address("10.4.0.0/16"))
	require.Equal(t, "10.4.0.10", Address("10.4.0.0/16,fd00:10:96::/112"))
	require.Empty(t, Address(""))
}

func TestCorefile(t *testing.T) {
	healthy := Corefile(Faults{})
	require.Contains(t, healthy, "    cache 30\n")
	require.NotContains(t, healthy, "hosts")
	moved, ok := atPort(healthy, "192.0.2.1", "20001")
	require.True(t, ok)
	require.Contains(t, moved, ".:20001 {\n    bind 192.0.2.1\n")
	_, ok = atPort(".:5353 {\n}\n", "192.0.2.1", "20001")
	require.False(t, ok)

	broken := Corefile(Faults{MinTTL: time.Hour, Pins: map[string]string{"acp.example.com": "192.0.2.9"}})
	require.Contains(t, broken, "success 9984 3600 3600")
	require.Contains(t, broken, "192.0.2.9 acp.example.com")
	require.Contains(t, ResolvConf("10.4.0.10", "cpaas-system"), "search cpaas-system.svc.cluster.local ")
}
