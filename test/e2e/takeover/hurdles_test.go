package takeover

import (
	"os"
	"path/filepath"
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
	says   string // part of what the gate tells
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
		s.T.Run(h.name, func(t *testing.T) {
			sub := *s
			sub.T = t
			gate := sub.until(id, h.name, parked).Gate
			require.Equal(t, strings.SplitN(id, "/", 2)[0]+"."+h.step, gate.Step, gate.Text())
			require.Contains(t, gate.Error, h.says)
			sub.standing(h.step)
			t.Logf("told after %s: %s", time.Since(began).Round(100*time.Millisecond), gate.Error)
		})
		if s.Failed() {
			s.FailNow()
		}
		h.mends()
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
		assert.True(s, listens(s.Context(), s.from, 2379))
	}
	if step < "13" {
		assert.Equal(s, s.from.Cluster.Endpoint.VIP, authoritative(s.Lab), "the name stays")
	}
}

// One switchover with everything in its way that a test can put there: each is
// told at its step, nothing goes on before it is mended, and the end is the same
// as of a run that nothing has disturbed.
func TestSwitchoverOverEveryHurdle(t *testing.T) {
	s := inSync(t)
	s.writes(t, "hurdles")
	servers := s.inTheMiddle(t)
	s.Edit(t, func(doc *site.Site) {
		doc.Policy.StallAfter = "10s"
		doc.DR.DNS.Authoritative = []string{doc.DR.DNS.Authoritative[0], servers.second.address}
		doc.DR.DNS.Resolvers = []string{doc.DR.DNS.Resolvers[0], servers.resolver.address}
		doc.DR.Takeover.CoreDNSRestarts = new(1)
		doc.DR.Takeover.WorkloadClusters = append(doc.DR.Takeover.WorkloadClusters, site.WorkloadCluster{Name: "far", Kubeconfig: s.deadWorkload(t)})
	})
	id := s.start("switchover", s.to)
	began := time.Now()
	s.leap(id, append(append(append(s.safetyHurdles(), s.dirt()...), s.portHurdles()...), s.nameHurdles(servers)...))
	p := s.succeeds(id)
	t.Logf("over all hurdles after %s", time.Since(began).Round(time.Second))
	settle()
	s.tookOver(p, workflows.ModeSwitchover, s.from, s.to)
	s.reads(t, "hurdles")
	require.Len(t, p.Recovery.Owed, 1, "the workload cluster that can't be reached is owed and stopped nothing")
	assert.Equal(t, []string{"far", activities.OwedWarlock}, []string{p.Recovery.Owed[0].Cluster, p.Recovery.Owed[0].Action})
}

// safetyHurdles are in the way of the copies that are kept.
func (s *stage) safetyHurdles() []hurdle {
	node := s.to.First.Name
	return []hurdle{{name: "no place for the safety copy", step: "04-snapshot", says: "safety",
		breaks: func() { s.Script(s, node, "mkdir -p /var/lib/acpflow && touch /var/lib/acpflow/safety") },
		mends:  func() { s.Script(s, node, "rm -f /var/lib/acpflow/safety") },
	}, {name: "no place for the exported objects", step: "05-export", says: "safety", breaks: func() {}, mends: func() {}}}
}

// portHurdles are in the way of closing the ports.
func (s *stage) portHurdles() []hurdle {
	const unit = "/etc/systemd/system/haproxy.service.d/broken.conf"
	lb := s.from.Cluster.Name + "-lb"
	return []hurdle{{name: "HAProxy does not reload", step: "09-close-old", says: "reload",
		breaks: func() {
			s.Script(s, lb, "mkdir -p "+filepath.Dir(unit)+"; printf '[Service]\\nExecReload=\\nExecReload=/bin/false\\n' >"+unit+"; systemctl daemon-reload")
		},
		mends: func() { s.Script(s, lb, "rm -f "+unit+"; systemctl daemon-reload") },
	}}
}

// middle are name servers that misbehave on demand.
type middle struct{ second, resolver, node *nameServer }

// inTheMiddle puts servers in front of the lab's: a second authoritative one, a
// second resolver, and one on the lab's own network for a node.
func (s *stage) inTheMiddle(t *testing.T) middle {
	t.Helper()
	d := s.Lab.Describe()
	host := strings.TrimSuffix(d.DNS.Authoritative[:strings.LastIndex(d.DNS.Authoritative, ":")], ".2") + ".1"
	return middle{newNameServer(t, "127.0.0.1:0", d.DNS.Authoritative), newNameServer(t, "127.0.0.1:0", d.DNS.Resolver), newNameServer(t, host+":53", d.DNS.Resolver)}
}

// nameHurdles are in the way of the name, from the zone to the Pods and the page.
func (s *stage) nameHurdles(m middle) []hurdle {
	old := s.from.Cluster.Endpoint.VIP
	node, lb := s.to.First.Name, s.to.Cluster.Name+"-lb"
	const conf, haproxy = "/etc/bind/named.conf", "/etc/haproxy/haproxy.cfg"
	return []hurdle{
		{name: "the name server refuses the key", step: "13-point-dns", says: "REFUSED",
			breaks: func() {
				s.Script(s, "dns", "cp -p "+conf+" /root/named.conf; sed -i 's/grant acpflow-lab zonesub/deny acpflow-lab zonesub/' "+conf+"; systemctl reload named")
			},
			mends: func() { s.Script(s, "dns", "cp -p /root/named.conf "+conf+"; systemctl reload named") }},
		{name: "a server that does not follow", step: "13-point-dns", says: m.second.address,
			breaks: func() { m.second.behaves(manner{address: old}) }, mends: func() { m.second.behaves(manner{}) }},
		{name: "a resolver that stays at the old address", step: "13-point-dns", says: m.resolver.address,
			breaks: func() { m.resolver.behaves(manner{address: old}) }, mends: func() { m.resolver.behaves(manner{}) }},
		{name: "a negative cache", step: "13-point-dns", says: "NXDOMAIN",
			breaks: func() { m.resolver.behaves(manner{nxdomain: true}) },
			mends: func() {
				m.resolver.behaves(manner{wait: 500 * time.Millisecond}) // from now on slow, which must not matter
			}},
		{name: "a node with the old address in its hosts file", step: "14-nodes", says: old,
			breaks: func() {
				m.node.behaves(manner{address: old})
				s.Script(s, node, "cp -p /etc/resolv.conf /etc/hosts /root; echo nameserver "+strings.TrimSuffix(m.node.address, ":53")+" >/etc/resolv.conf; echo '"+old+" "+lab.Domain+"' >>/etc/hosts")
			},
			mends: func() { s.Script(s, node, "sed -i '$s/^"+old+" /"+s.to.Cluster.Endpoint.VIP+" /' /etc/hosts") }},
		{name: "Pods that see the old address, whatever restarts", step: "15-pods", says: "after 1 restarts of coredns",
			breaks: func() {},
			mends:  func() { s.Script(s, node, "cp -p /root/resolv.conf /root/hosts /etc") }},
		{name: "the page of the other side behind the new VIP", step: "16-page", says: s.uid(s.from),
			breaks: func() {
				s.Script(s, lb, "cp -p "+haproxy+" /root/page.cfg; sed -i -E 's/ "+s.to.First.Address+":443 / "+s.from.First.Address+":443 /' "+haproxy+"; systemctl reload haproxy")
			},
			mends: func() { s.Script(s, lb, "cp -p /root/page.cfg "+haproxy+"; systemctl reload haproxy") }},
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
