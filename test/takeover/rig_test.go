// Package takeover tests what a switchover and a failover are made of, each
// activity by itself, on a real pair: two clusters with their load balancers,
// name servers and workloads. It needs root on Debian 12.
package takeover

import (
	"context"
	"encoding/json"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

// rig is a pair whose name leads to west: one control plane each, and a worker
// in the west that may outlive it.
type rig struct {
	*testing.T
	*labtest.Pair
	hosts *activities.Hosts
}

// TestActivities shares one pair: what needs both sides comes first, what takes
// the west down last.
func TestActivities(t *testing.T) {
	plans := labtest.PairPlans()
	plans[0].Workers = 1
	pool := ssh.NewPool()
	t.Cleanup(pool.Close)
	r := &rig{T: t, hosts: &activities.Hosts{Pool: pool}, Pair: labtest.InstallPair(t, "t-take", plans...)}
	for _, part := range []struct {
		name string
		test func(*rig)
	}{
		{"identity", (*rig).identity},
		{"record", (*rig).record},
		{"names on nodes", (*rig).onNodes},
		{"names in Pods", (*rig).inPods},
		{"page", (*rig).page},
		{"rehearsal", (*rig).rehearse},
		{"template script", (*rig).script},
		{"reach", (*rig).reach},
		{"arrival", (*rig).arrival},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(r.with(t)) })
	}
}

func (r *rig) with(t *testing.T) *rig { return &rig{T: t, Pair: r.Pair, hosts: r.hosts} }

// document is a copy of the site that a test may spoil.
func (r *rig) document(edit ...func(*site.Site)) site.Site {
	r.Helper()
	text, err := json.Marshal(r.Site)
	require.NoError(r, err)
	var out site.Site
	require.NoError(r, json.Unmarshal(text, &out))
	for _, f := range edit {
		f(&out)
	}
	return out
}

func (r *rig) east() activities.Scope {
	return activities.Scope{Site: r.document(), Cluster: "east"}
}

// pair has the west as primary.
func (r *rig) pair(edit ...func(*site.Site)) activities.PairInput {
	return activities.PairInput{Site: r.document(edit...), Primary: "west", Standby: "east"}
}

func (r *rig) uid(s *labtest.Side) string {
	r.Helper()
	return namespaceUID(r.T, s)
}

func (r *rig) node(name string) *lab.Node {
	r.Helper()
	n, err := r.Lab.Node(name)
	require.NoError(r, err)
	return n
}

// refused wants fault.Gate and returns its text.
func (r *rig) refused(err error) string {
	r.Helper()
	require.Error(r, err)
	require.Equal(r, fault.Gate, fault.ClassOf(err), "%v", err)
	return err.Error()
}

// withoutRoute keeps this machine, and nobody else, from an address of the lab.
func (r *rig) withoutRoute(address string, do func()) {
	r.Helper()
	out, err := exec.CommandContext(r.Context(), "ip", "route", "add", "blackhole", address+"/32").CombinedOutput()
	require.NoError(r, err, "%s", out)
	defer func() {
		out, err := exec.CommandContext(context.Background(), "ip", "route", "del", "blackhole", address+"/32").CombinedOutput()
		require.NoError(r, err, "%s", out)
	}()
	do()
}

func (r *rig) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(r.Context(), d)
	r.Cleanup(cancel)
	return ctx
}
