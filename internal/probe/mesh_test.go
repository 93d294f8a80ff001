package probe

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
)

var everything = checks.NodePorts{TCP: []int{443, 2379, 2380, 10249, 10250}, UDP: []int{6081}, IPIP: true}

// none doubts nothing: measurements are not repeated.
var none = Doubt{RTT: 1e9}

func gathered(t *testing.T, members []Member) *Fleet {
	t.Helper()
	f := Gather(t.Context(), members, 10)
	t.Cleanup(f.Close)
	return f
}

func meshOf(t *testing.T, f *Fleet) checks.Mesh {
	t.Helper()
	m, err := f.Mesh(t.Context(), none, func(string) {})
	require.NoError(t, err)
	return m
}

func pairOf(t *testing.T, m checks.Mesh, from, to string) checks.Pair {
	t.Helper()
	for _, p := range m.Pairs {
		if p.From == from && p.To == to {
			return p
		}
	}
	require.FailNow(t, "no such pair", "%s to %s", from, to)
	return checks.Pair{}
}

func TestMeshOfHealthyNodes(t *testing.T) {
	m := meshOf(t, gathered(t, newNetwork(t).members(3, everything)))
	require.Len(t, m.Pairs, 6)
	require.True(t, m.IPIP)
	for _, p := range m.Pairs {
		require.Equal(t, checks.Pair{From: p.From, To: p.To, Reached: 7, RTT: p.RTT, Rate: p.Rate}, p)
		require.Positive(t, p.RTT)
		require.Positive(t, p.Rate)
	}
	require.Empty(t, m.Silent)
	require.Empty(t, m.Taken)
}

func TestMeshOfBothFamilies(t *testing.T) {
	n := newNetwork(t)
	members := n.members(2, everything)
	for i := range members {
		members[i].Addresses = append(members[i].Addresses, []string{"fd00::1", "fd00::2"}[i])
	}
	n.deaf(2, "-6", "from", "fd00::1", "ipproto", "tcp", "dport", "443")
	m := meshOf(t, gathered(t, members))
	require.Equal(t, 13, pairOf(t, m, "n-2", "n-1").Reached) // IP in IP carries IPv4 alone
	p := pairOf(t, m, "n-1", "n-2")
	require.Equal(t, 12, p.Reached)
	require.Equal(t, []string{"fd00::2 tcp/443 timed out"}, p.Blocked)
	require.False(t, p.NoPing)
}

func TestMeshTellsWhatIsBlocked(t *testing.T) {
	n := newNetwork(t)
	members := n.members(4, everything)
	n.deaf(2, "ipproto", "tcp", "dport", "2379-2380")
	n.drop(2, "ipproto", "udp", "dport", "6081")
	n.deaf(3, "ipproto", "4")
	n.drop(3, "ipproto", "icmp")
	n.deaf(4, "from", "192.0.2.1")
	m := meshOf(t, gathered(t, members))

	require.Equal(t, []string{"udp/6081 timed out", "tcp/2379-2380 timed out"}, pairOf(t, m, "n-1", "n-2").Blocked)
	require.Equal(t, 4, pairOf(t, m, "n-1", "n-2").Reached)
	require.Contains(t, pairOf(t, m, "n-2", "n-1").Blocked, "udp/6081 forbidden by the node itself")

	require.Equal(t, []string{"proto/4 timed out"}, pairOf(t, m, "n-1", "n-3").Blocked)
	require.True(t, pairOf(t, m, "n-1", "n-3").NoPing)

	require.Equal(t, []string{"every port timed out"}, pairOf(t, m, "n-1", "n-4").Blocked)
	require.Zero(t, pairOf(t, m, "n-1", "n-4").Reached)
	require.Zero(t, pairOf(t, m, "n-1", "n-4").RTT)
	require.False(t, pairOf(t, m, "n-1", "n-4").NoPing)
	require.Empty(t, pairOf(t, m, "n-2", "n-4").Error)
}

// An address that leads to another machine is no connection to the node.
func TestMeshIsNotTakenIn(t *testing.T) {
	n := newNetwork(t)
	members := n.members(2, checks.NodePorts{TCP: []int{443}, UDP: []int{6081}})
	n.ip("-n", n.name+"-1", "address", "add", "192.0.2.2/32", "dev", "lo") // its own, then
	m := meshOf(t, gathered(t, members))
	require.Contains(t, pairOf(t, m, "n-1", "n-2").Blocked, "tcp/443 answered by node n-1")
}

func TestAPortInUseIsNotTaken(t *testing.T) {
	n := newNetwork(t)
	members := n.members(2, everything)
	other := exec.Command("ip", "netns", "exec", n.name+"-2", program(t), "60") // an agent is as good as any program
	stdin, err := other.StdinPipe()
	require.NoError(t, err)
	out := &strings.Builder{}
	other.Stdout, other.Stderr = out, os.Stderr
	require.NoError(t, other.Start())
	t.Cleanup(func() {
		_ = stdin.Close() // it goes with that
		require.NoError(t, other.Wait())
	})
	f := gathered(t, append(members, Member{
		Name: "other", Addresses: []string{"192.0.2.2"}, Ports: checks.NodePorts{TCP: []int{443}, UDP: []int{6081}},
		Launch: members[1].Launch,
	}))
	taken := map[string][]string{}
	for _, m := range f.members {
		taken[m.Name] = describe(m.taken)
	}
	// Whoever comes second sees the ports of the first.
	second := append(taken["other"], taken["n-2"]...)
	require.Len(t, second, 2)
	require.Regexp(t, `^udp/6081 in use by acpflow-probe \(pid \d+\)$`, second[0])
	require.Regexp(t, `^tcp/443 in use by acpflow-probe \(pid \d+\)$`, second[1])
}

func TestADeadNodeHidesNothing(t *testing.T) {
	n := newNetwork(t)
	members := n.members(3, everything)
	members = append(members, Member{
		Name: "n-4", Addresses: []string{"192.0.2.4"}, Ports: everything,
		Launch: func(context.Context) (Launcher, error) { return nil, errors.New("no route\nto host") },
	})
	f := gathered(t, members)
	process, err := os.FindProcess(f.members[2].agent.PID)
	require.NoError(t, err)
	require.NoError(t, process.Kill())
	<-f.members[2].agent.ended
	m := meshOf(t, f)
	require.Equal(t, "no route to host", m.Silent["n-4"])
	require.Contains(t, m.Silent["n-3"], "killed")
	require.Equal(t, "no probe agent on n-3", pairOf(t, m, "n-1", "n-3").Error)
	require.Equal(t, "no probe agent on n-4", pairOf(t, m, "n-4", "n-1").Error)
	require.Equal(t, 7, pairOf(t, m, "n-1", "n-2").Reached)
	require.Equal(t, 7, pairOf(t, m, "n-2", "n-1").Reached)
	require.Positive(t, pairOf(t, m, "n-2", "n-1").Rate)
}

func TestAMeshThatIsCancelled(t *testing.T) {
	n := newNetwork(t)
	members := n.members(2, everything)
	n.deaf(2, "ipproto", "tcp")
	ctx, cancel := context.WithCancel(t.Context())
	f := Gather(ctx, members, 2)
	defer f.Close()
	_, err := f.Mesh(ctx, none, func(string) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
}

// Bulk data needs packets of full size; greetings pass without them.
func TestBulkDataThatGetsLost(t *testing.T) {
	n := newNetwork(t)
	members := n.members(2, checks.NodePorts{TCP: []int{443}})
	n.ip("-n", n.name, "link", "set", "p2", "mtu", "600") // what is larger does not pass the switch
	m := meshOf(t, gathered(t, members))
	p := pairOf(t, m, "n-1", "n-2")
	require.Equal(t, 1, p.Reached)
	require.Zero(t, p.Rate)
	require.Len(t, p.Unknown, 1)
	require.Contains(t, p.Unknown[0], "transfer: ")
}
