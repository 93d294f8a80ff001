// Package probe tests the probes of a cluster's network on the lab's machines,
// behind its HAProxy. It needs root on Debian 12.
package probe

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/probe"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

// rig is a lab with three control planes, a worker and a balancer.
type rig struct {
	lab    *lab.Lab
	scope  activities.Scope
	probes *activities.Probes
}

func newRig(t *testing.T) *rig {
	t.Helper()
	l := labtest.Up(t, lab.Options{Name: "t-probe", Clusters: []lab.ClusterPlan{{Name: "west", ControlPlanes: 3, Workers: 1}}})
	path := filepath.Join(l.Dir(), lab.FileSite)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	doc, err := site.Parse(path, data)
	require.NoError(t, err)
	pool := ssh.NewPool()
	t.Cleanup(pool.Close)
	return &rig{l, activities.Scope{Site: *doc, Cluster: "west"}, &activities.Probes{
		Hosts:    &activities.Hosts{Pool: pool},
		Patience: probe.Patience{Spread: 8 * time.Second, Turn: 24 * time.Second, Check: 16 * time.Second, Pause: 200 * time.Millisecond},
	}}
}

func (r *rig) node(t *testing.T, name string) *lab.Node {
	t.Helper()
	n, err := r.lab.Node(name)
	require.NoError(t, err)
	return n
}

func (r *rig) script(t *testing.T, node, script string) {
	t.Helper()
	_, err := r.node(t, node).Script(t.Context(), script)
	require.NoError(t, err)
}

// meanwhile runs a script now and another one when the test ends.
func (r *rig) meanwhile(t *testing.T, node, now, later string) {
	t.Helper()
	r.script(t, node, now)
	t.Cleanup(func() {
		_, err := r.node(t, node).Script(context.Background(), later)
		require.NoError(t, err)
	})
}

func (r *rig) mesh(t *testing.T) checks.Mesh {
	t.Helper()
	m, err := r.probes.ProbeNodes(t.Context(), activities.ProbeNodesInput{Scope: r.scope})
	require.NoError(t, err)
	return m
}

func (r *rig) balancer(t *testing.T) checks.BalancerView {
	t.Helper()
	v, err := r.probes.ProbeBalancer(t.Context(), activities.ProbeBalancerInput{Scope: r.scope})
	require.NoError(t, err)
	return v
}

// clean is the test that nothing is left on any node.
func (r *rig) clean(t *testing.T) {
	t.Helper()
	for _, n := range r.lab.Nodes() {
		out, err := n.Script(t.Context(), `ls -A /tmp /var/tmp /dev/shm /root | grep acpflow-probe || true; pgrep -x acpflow-probe || true`)
		if errors.Is(err, lab.ErrOff) {
			continue
		}
		require.NoError(t, err)
		require.Empty(t, strings.TrimSpace(out), n.Name)
	}
}

// judge is one rule's finding about what was seen.
func (r *rig) judge(rule string, m *checks.Mesh, v *checks.BalancerView) checks.Finding {
	in := checks.TogetherInput{Site: r.scope.Site, Cluster: "west", Nodes: map[string]checks.Shared{}, Mesh: m, Balancer: v, Now: time.Now()}
	for _, n := range r.scope.Site.Clusters[0].Nodes {
		in.Nodes[n.Name] = checks.Shared{}
	}
	for _, f := range checks.JudgeTogether(in) {
		if f.Rule == rule {
			return f
		}
	}
	return checks.Finding{}
}

func TestProbes(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		name string
		test func(*testing.T)
	}{
		{"nodes that are well", r.testHealthyNodes},
		{"ports that are shut", r.testShutPorts},
		{"a balancer that is well", r.testHealthyBalancer},
		{"a balancer that is wrong", r.testBalancerThatIsWrong},
		{"a balancer that keeps callers on a node", r.testStickyBalancer},
		{"a balancer that the worker can't reach", r.testBalancerFarAway},
		{"a jump host", r.testJumpHost},
		{"a port that is taken", r.testTakenPort},
		{"a dead node", r.testDeadNode},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test(t)
			r.clean(t)
		})
	}
}

func (r *rig) testHealthyNodes(t *testing.T) {
	m := r.mesh(t)
	require.Len(t, m.Pairs, 12)
	for _, p := range m.Pairs {
		want := 16 // the platform's ports, etcd's, the kubelet's neighbours and Kube-OVN's
		if p.To == "west-4" {
			want = 9
		}
		require.Equal(t, checks.Pair{From: p.From, To: p.To, Reached: want, RTT: p.RTT, Rate: p.Rate}, p)
		require.Positive(t, p.RTT)
		require.Positive(t, p.Rate)
	}
	require.Empty(t, m.Silent)
	require.Empty(t, m.Taken)
	require.Equal(t, checks.Pass, r.judge("CHK-26", &m, nil).Outcome)
}

func (r *rig) testShutPorts(t *testing.T) {
	// What a firewall on the node does: packets for the port are not delivered.
	r.meanwhile(t, "west-2",
		"ip rule add pref 9 lookup local; ip rule del pref 0; ip rule add pref 1 ipproto tcp dport 2379-2380 blackhole; ip rule add pref 2 ipproto udp dport 6081 blackhole",
		"ip rule del pref 1; ip rule del pref 2; ip rule add pref 0 lookup local; ip rule del pref 9")
	m := r.mesh(t)
	for _, p := range m.Pairs {
		switch {
		case p.To == "west-2":
			require.Equal(t, []string{"udp/6081 timed out", "tcp/2379-2380 timed out"}, p.Blocked)
		case p.From != "west-2":
			require.Empty(t, p.Blocked)
		}
	}
	f := r.judge("CHK-26", &m, nil)
	require.Equal(t, checks.Fail, f.Outcome)
	require.Contains(t, f.Seen, "west-2: udp/6081 timed out, tcp/2379-2380 timed out, from west-1, west-3, west-4")
}
