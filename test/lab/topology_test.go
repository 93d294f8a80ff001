package lab

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

var subnet = netip.MustParsePrefix("198.18.7.0/24")

func TestLayoutGivesEveryClusterItsBlock(t *testing.T) {
	nodes, clusters, err := layout(subnet, []ClusterPlan{
		{Name: "west", ControlPlanes: 3, Workers: 1}, {Name: "east", ControlPlanes: 1},
	})
	require.NoError(t, err)
	require.Equal(t, []Cluster{{"west", "198.18.7.10"}, {"east", "198.18.7.21"}}, clusters)
	require.Equal(t, []Node{
		{Name: "dns", Role: DNS, Address: "198.18.7.2"},
		{Name: "west-lb", Role: Balancer, Cluster: "west", Address: "198.18.7.10"},
		{Name: "west-1", Role: ControlPlane, Cluster: "west", Address: "198.18.7.11"},
		{Name: "west-2", Role: ControlPlane, Cluster: "west", Address: "198.18.7.12"},
		{Name: "west-3", Role: ControlPlane, Cluster: "west", Address: "198.18.7.13"},
		{Name: "west-4", Role: Worker, Cluster: "west", Address: "198.18.7.14"},
		{Name: "east-1", Role: ControlPlane, Cluster: "east", Address: "198.18.7.21"},
	}, nodes)
}

func TestLayoutGivesASmallPairItsVIPs(t *testing.T) {
	nodes, clusters, err := layout(subnet, []ClusterPlan{
		{Name: "west", ControlPlanes: 1, Balancer: true}, {Name: "east", ControlPlanes: 1, Balancer: true},
	})
	require.NoError(t, err)
	require.Equal(t, []Cluster{{"west", "198.18.7.10"}, {"east", "198.18.7.20"}}, clusters)
	require.Contains(t, nodes, Node{Name: "east-lb", Role: Balancer, Cluster: "east", Address: "198.18.7.20"})
	require.Contains(t, nodes, Node{Name: "east-1", Role: ControlPlane, Cluster: "east", Address: "198.18.7.21"})
}

func TestLayoutRefuses(t *testing.T) {
	for name, plans := range map[string][]ClusterPlan{
		"1 to 20":       {},
		"1 or 3":        {{Name: "west", ControlPlanes: 2}},
		"two clusters":  {{Name: "west", ControlPlanes: 1}, {Name: "west", ControlPlanes: 1}},
		"DNS label":     {{Name: "West", ControlPlanes: 1}},
		"not dns":       {{Name: "dns", ControlPlanes: 1}},
		"at most 9":     {{Name: "west", ControlPlanes: 3, Workers: 7}},
		"-1 workers":    {{Name: "west", ControlPlanes: 3, Workers: -1}},
		"11 characters": {{Name: "a-name-too-long", ControlPlanes: 3}},
	} {
		_, _, err := layout(subnet, plans)
		require.ErrorContains(t, err, name)
	}
}

func TestFirstFreeSkipsWhatOverlaps(t *testing.T) {
	free, err := firstFree([]netip.Prefix{
		netip.MustParsePrefix("198.18.0.1/24"), netip.MustParsePrefix("198.18.1.77/32"), netip.MustParsePrefix("10.0.0.0/8"),
	})
	require.NoError(t, err)
	require.Equal(t, "198.18.2.0/24", free.String())

	free, err = firstFree([]netip.Prefix{netip.MustParsePrefix("198.18.0.0/16")})
	require.NoError(t, err)
	require.Equal(t, "198.19.0.0/24", free.String())

	_, err = firstFree([]netip.Prefix{netip.MustParsePrefix("198.0.0.0/8")})
	require.ErrorContains(t, err, "no free /24")
}

func TestLabNamesFitAnInterface(t *testing.T) {
	require.LessOrEqual(t, len("acp-")+11, 15)
	s := state{Name: "acceptance1"}
	for i := range maxClusters {
		s.Clusters = append(s.Clusters, Cluster{Name: string(rune('a' + i))})
	}
	for _, island := range s.islands() {
		require.LessOrEqual(t, len(island), 15)
	}
	require.Regexp(t, label, "acceptance1")
	for _, bad := range []string{"", "acceptance12", "../x", "a b", "-a", "a-", "1a", "A"} {
		require.NotRegexp(t, label, bad)
	}
}
