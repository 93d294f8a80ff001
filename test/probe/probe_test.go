// Package probe tests the probes of a cluster's network on the lab's machines,
// behind its HAProxy. It needs root on Debian 12.
package probe

import (
	"context"
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
		Patience: probe.Patience{Spread: 4 * time.Second, Turn: 12 * time.Second, Check: 8 * time.Second, Pause: 200 * time.Millisecond},
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
		require.NoError(t, err)
		require.Empty(t, strings.TrimSpace(out), n.Name)
	}
}

func TestProbes(t *testing.T) {
	r := newRig(t)
	start := time.Now()
	m := r.mesh(t)
	t.Logf("%s %+v", time.Since(start), m)
	r.clean(t)
	start = time.Now()
	v := r.balancer(t)
	t.Logf("%s %+v", time.Since(start), v)
	r.clean(t)
}
