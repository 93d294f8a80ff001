package probe

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/probe/wire"
)

func TestTransfers(t *testing.T) {
	for n := range 60 {
		rounds, sampled := transfers(n)
		require.Equal(t, n > maxFull, sampled, n)
		sends, receives, done := map[int]int{}, map[int]int{}, map[pair]bool{}
		for _, round := range rounds {
			busy := map[int]bool{}
			for _, p := range round {
				require.NotEqual(t, p.from, p.to, n)
				require.False(t, busy[p.from] || busy[p.to], "%d nodes: %v twice in %v", n, p, round)
				busy[p.from], busy[p.to] = true, true
				require.False(t, done[p], n)
				done[p] = true
				sends[p.from]++
				receives[p.to]++
			}
		}
		switch {
		case n < 2:
			require.Empty(t, done)
		case sampled:
			require.Len(t, done, n)
			require.Len(t, sends, n)
			require.Len(t, receives, n)
		default:
			require.Len(t, done, n*(n-1), n)
		}
	}
}

func TestDescribe(t *testing.T) {
	at := func(network, cause string, ports ...int) (out []wire.Fault) {
		for _, p := range ports {
			out = append(out, wire.Fault{Network: network, Port: p, Cause: cause})
		}
		return out
	}
	require.Empty(t, describe(nil))
	require.Equal(t, []string{"udp/6081 timed out", "tcp/443 refused", "tcp/2379-2381 timed out", "tcp/2383 timed out", "proto/4 timed out"},
		describe(append(append(at("tcp", "timed out", 2381, 2379, 2380, 2383), at("tcp", "refused", 443)...),
			append(at("udp", "timed out", 6081), at("proto", "timed out", 4)...)...)))
	all := wire.Seen{Faults: at("tcp", "timed out", 1, 2, 5)}
	require.Equal(t, []string{"every port timed out"}, blocked(all))
	all.Others = 1
	require.Equal(t, []string{"tcp/1-2 timed out", "tcp/5 timed out"}, blocked(all))
	require.Equal(t, []string{"tcp/7 timed out"}, blocked(wire.Seen{Faults: at("tcp", "timed out", 7)}))
}

func TestLifeGrowsWithTheNodes(t *testing.T) {
	require.Less(t, Life(3), Life(50))
	require.LessOrEqual(t, Life(10000).Minutes(), 10.0)
	require.Contains(t, short(fmt.Errorf("a\n\tb\x1b[31m %0400d", 1)), "a b")
	require.LessOrEqual(t, len(short(fmt.Errorf("%0400d", 1))), 310)
}
