package takeover

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness/pairs"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/workflows"
)

// hurdle is something that breaks before a step and is mended by a person when
// the step has told it.
type hurdle struct {
	name   string
	step   string // without the runbook's name
	says   string // part of what the gate tells; with blanks between, each of them
	breaks func()
	mends  func()
}

// leap runs into every hurdle in turn, each broken while the one before it is
// still told, and returns when the last one is mended and the run goes on. At
// every gate the invariants of its place are checked.
func (s *stage) leap(id string, hurdles []hurdle) {
	s.Helper()
	hurdles[0].breaks()
	for i, h := range hurdles {
		began := time.Now()
		s.Run(h.name, func(t *testing.T) {
			sub := *s
			sub.T = t
			gate := sub.until(id, h.name, parked).Gate
			require.Equal(t, strings.SplitN(id, "/", 2)[0]+"."+h.step, gate.Step, gate.Text())
			for _, word := range strings.Fields(h.says) {
				require.Contains(t, gate.Error, word)
			}
			sub.standing(h.step)
			t.Logf("told after %s: %s", time.Since(began).Round(100*time.Millisecond), gate.Error)
		})
		h.mends()
		if s.Failed() {
			s.FailNow()
		}
		if i+1 < len(hurdles) {
			hurdles[i+1].breaks()
		}
		s.Decide(s, id, "retry", "mended")
	}
}

// standing checks what must hold while a step is parked.
func (s *stage) standing(step string) {
	s.Helper()
	if step < "07" {
		assert.Len(s, pairs.Synchronizers(s, s.to), 1, "the synchronizer stays")
		assert.Zero(s, s.seen.went(s.to.Cluster.Name, "plugin"))
		assert.True(s, s.takes(s.from, 2379))
	}
	if step < "13" {
		assert.Equal(s, s.from.Cluster.Endpoint.VIP, authoritative(s, s.Lab), "the name stays")
	}
}

// One switchover with everything in its way that a test can put there: each is
// told at its step, nothing goes on before it is mended, and the end is the same
// as of a run that nothing has disturbed.
func TestSwitchoverOverEveryHurdle(t *testing.T) {
	s := inSync(t)
	s.writes(t, "hurdles")
	require.NoError(t, s.Lab.StartSecondary(t.Context()))
	require.NoError(t, s.Lab.BreakElastic(t.Context(), s.to.Cluster.Name, lab.ElasticUntilRestart))
	s.mended = true
	s.again = 1 // which the run does, because the script for Elasticsearch gets 401
	s.Edit(t, func(doc *site.Site) {
		doc.Policy.StallAfter = "20s" // waited out at six hurdles; a Pod may take ten on a busy machine
		doc.DR.DNS.Authoritative = append(doc.DR.DNS.Authoritative, s.Lab.Describe().DNS.Secondary)
		doc.DR.Takeover.CoreDNSRestarts = new(1)
		doc.DR.Takeover.WorkloadClusters = append(doc.DR.Takeover.WorkloadClusters, site.WorkloadCluster{Name: "far", Kubeconfig: s.deadWorkload(t)})
	})
	id := s.start("switchover", s.to)
	began := time.Now()
	t.Cleanup(func() {
		if t.Failed() { // perhaps between two hurdles of which the second mends this
			assert.NoError(t, s.Lab.MendClusterDNS(context.WithoutCancel(t.Context()), s.to.Cluster.Name))
		}
	})
	s.leap(id, slices.Concat(s.safetyHurdles(), s.dirt(), s.portHurdles(), s.nameHurdles(), s.lateHurdles()))
	p := s.succeeds(id)
	s.Record(t, id, "switchover-hurdles")
	t.Logf("over all hurdles after %s", time.Since(began).Round(time.Second))
	s.settle()
	s.tookOver(p, workflows.ModeSwitchover, s.from, s.to)
	s.reads(t, "hurdles")
	require.Len(t, p.Recovery.Owed, 1, "the workload cluster that can't be reached is owed and stopped nothing")
	assert.Equal(t, []string{"far", activities.OwedWarlock}, []string{p.Recovery.Owed[0].Cluster, p.Recovery.Owed[0].Action})
}

// safetyHurdles are in the way of the copies that are kept.
func (s *stage) safetyHurdles() []hurdle {
	node := s.to.First.Name
	return []hurdle{{name: "no place for the snapshot", step: "04-snapshot", says: "safety",
		breaks: func() {
			s.Script(s, node, "mkdir -p /var/lib/acpflow; [ ! -e /var/lib/acpflow/safety ] || mv /var/lib/acpflow/safety /var/lib/acpflow/safety.away; touch /var/lib/acpflow/safety")
		},
		mends: func() {
			s.Script(s, node, "rm -f /var/lib/acpflow/safety; [ ! -e /var/lib/acpflow/safety.away ] || mv /var/lib/acpflow/safety.away /var/lib/acpflow/safety")
		},
	}, {name: "no place for the exported objects", step: "05-export", says: "safety", breaks: func() {}, mends: func() {}}}
}

// portHurdles are in the way of closing the ports.
func (s *stage) portHurdles() []hurdle {
	balancer := s.Node(s, s.from.Cluster.Name+"-lb")
	return []hurdle{{name: "HAProxy does not reload", step: "09-close-old", says: "reload",
		breaks: func() { require.NoError(s, balancer.Break(s.Context(), lab.ReloadFails)) },
		mends:  func() { require.NoError(s, balancer.Mend(s.Context(), lab.ReloadFails)) },
	}}
}

// nameHurdles are in the way of the name, from the zone to the caches.
func (s *stage) nameHurdles() []hurdle {
	d := s.Lab.Describe().DNS
	mends := func() { require.NoError(s, s.Lab.MendDNS(s.Context())) }
	breaks := func(f lab.DNSFault) func() {
		return func() { require.NoError(s, s.Lab.BreakDNS(s.Context(), f)) }
	}
	const step = "13-point-dns"
	return []hurdle{
		{name: "the name server refuses the key", step: step, says: "BAD", breaks: breaks(lab.DNSRefusesKey), mends: mends},
		{name: "a second server and a resolver that stay at the old address", step: step, says: d.Secondary + " " + d.Resolver,
			breaks: func() { breaks(lab.DNSSplit)(); breaks(lab.DNSResolverStuck)() }, mends: mends},
		{name: "a negative cache", step: step, says: "NXDOMAIN", breaks: breaks(lab.DNSNegative), mends: mends},
	}
}

// lateHurdles are in the way after the name has moved.
func (s *stage) lateHurdles() []hurdle {
	old, cluster, node := s.from.Cluster.Endpoint.VIP, s.to.Cluster.Name, s.to.First.Name
	const haproxy = "/etc/haproxy/haproxy.cfg"
	balancer := cluster + "-lb"
	return []hurdle{
		{name: "a node with the old address in its hosts file", step: "14-nodes", says: old,
			breaks: func() {
				require.NoError(s, s.Lab.BreakClusterDNS(s.Context(), cluster, lab.ClusterDNSFaults{Pins: map[string]string{lab.Domain: old}}))
				s.Script(s, node, "cp -p /etc/hosts /root; echo '"+old+" "+lab.Domain+"' >>/etc/hosts")
			},
			mends: func() { s.Script(s, node, "cp -p /root/hosts /etc") }},
		{name: "Pods that see the old address, whatever restarts", step: "15-pods", says: "after 1 restarts of coredns",
			breaks: func() {},
			mends:  func() { require.NoError(s, s.Lab.MendClusterDNS(s.Context(), cluster)) }},
		{name: "the page of the other side behind the new VIP", step: "16-page", says: "leads to another cluster",
			breaks: func() {
				s.Script(s, balancer, "cp -p "+haproxy+" /root/page.cfg; sed -i -E 's/ "+s.to.First.Address+":443 / "+s.from.First.Address+":443 /' "+haproxy+"; systemctl reload haproxy")
			},
			mends: func() { s.Script(s, balancer, "cp -p /root/page.cfg "+haproxy+"; systemctl reload haproxy") }},
		{name: "a Pod that never becomes ready", step: "19-transformer", says: "cluster-transformer",
			breaks: func() { require.NoError(s, s.Lab.BreakPods(s.Context(), cluster, "cluster-transformer")) },
			mends:  func() { require.NoError(s, s.Lab.MendPods(s.Context(), cluster)) }},
	}
}

// deadWorkload is a kubeconfig that opens nothing: nobody is at its address.
func (s *stage) deadWorkload(t *testing.T) site.Ref {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Lab.Dir(), lab.WorkloadKubeconfig(shop)))
	require.NoError(t, err)
	dead := strings.ReplaceAll(string(text), ":6443", ":6499")
	require.NotEqual(t, string(text), dead)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(path, []byte(dead), 0o600))
	return site.Ref("file:" + path)
}
