package lab_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

func TestASiteIsCutOffAndRejoins(t *testing.T) {
	before := snapshot(t, "t-cut")
	l := labtest.Up(t, lab.Options{Name: "t-cut", Package: noPackage, Clusters: labtest.PairPlans()})
	west, east := node(t, l, "west-1"), node(t, l, "east-1")
	reaches := func(from *lab.Node, to string) bool {
		_, err := from.Exec(t.Context(), "ping", "-c4", "-i0.3", "-W1", to) // one answer is enough
		return err == nil
	}
	vip := l.Clusters()[0].VIP
	apart := func() {
		t.Helper()
		require.True(t, reaches(west, vip), "the machines of a site still reach one another")
		for _, other := range []string{east.Address, resolver(t, l), hostAddress(l)} {
			require.False(t, reaches(west, other), other)
		}
		require.False(t, reaches(east, vip))
		require.True(t, reaches(east, resolver(t, l)), "the other site has what it had")
	}
	require.NoError(t, l.Cut(t.Context(), "west"))
	require.NoError(t, l.Cut(t.Context(), "west"), "twice is once")
	apart()
	require.NoError(t, west.PowerOff(t.Context()))
	require.NoError(t, west.PowerOn(t.Context()))
	apart()
	require.NoError(t, l.Rejoin(t.Context(), "west"))
	require.NoError(t, l.Rejoin(t.Context(), "west"))
	require.True(t, reaches(west, east.Address))
	require.True(t, reaches(east, vip))

	require.NoError(t, l.PowerOffCluster(t.Context(), "west"))
	require.Equal(t, []string{"dns", "east-lb", "east-1"}, l.Status().Running)
	require.NoError(t, l.PowerOnCluster(t.Context(), "west"))
	require.Len(t, l.Status().Running, 5)
	require.ErrorContains(t, l.Cut(t.Context(), "north"), "no cluster")

	require.NoError(t, l.Cut(t.Context(), "east"))
	start := time.Now()
	require.NoError(t, l.Down(t.Context()))
	t.Logf("down after %s", time.Since(start).Round(time.Millisecond))
	require.Equal(t, before, snapshot(t, "t-cut"), "a lab that is cut off goes completely")
}
