package checks

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
)

// betweenCase is what probes saw, and what a rule says about it.
type betweenCase struct {
	rule, name string
	change     func(*TogetherInput)
	want       Outcome
	seen       string // part of Seen or Reason
}

// finding judges the healthy cluster after the change.
func (c betweenCase) finding() Finding {
	in := healthyNetwork()
	if c.change != nil {
		c.change(&in)
	}
	for _, f := range JudgeTogether(in) {
		if f.Rule == c.rule {
			return f
		}
	}
	return Finding{}
}

// healthyNetwork is the document's three nodes behind a balancer, all well.
func healthyNetwork() TogetherInput {
	in := TogetherInput{Site: document(), Cluster: "west", Nodes: map[string]Shared{}, Mesh: &Mesh{}, Now: now}
	c := &in.Site.Clusters[0]
	for i := range c.Nodes {
		c.Nodes[i].Address = fmt.Sprintf("192.0.2.%d", 11+i)
		in.Nodes[c.Nodes[i].Name] = goodShared(c.Nodes[i].Name)
	}
	c.Endpoint.VIP = "192.0.2.10"
	for _, from := range c.Nodes {
		for _, to := range c.Nodes {
			if from.Name != to.Name {
				p := Pair{From: from.Name, To: to.Name, Reached: 16, RTT: 0.3, Rate: 9400}
				if to.Role == site.Worker {
					p.Reached = 9
				}
				in.Mesh.Pairs = append(in.Mesh.Pairs, p)
			}
		}
	}
	in.Balancer = &BalancerView{Address: "192.0.2.10", From: "the worker", Near: 3}
	for _, port := range []int{443, 6443, 11443} {
		in.Balancer.Ports = append(in.Balancer.Ports, goodPort(port))
	}
	return in
}

func goodPort(port int) BalancerPort {
	return BalancerPort{Port: port, Reached: []string{"cp-1", "cp-2"}, Layer: "tcp", Checked: "yes"}
}

// between changes what one node saw of another.
func between(from, to string, change func(*Pair)) func(*TogetherInput) {
	return func(in *TogetherInput) {
		for i := range in.Mesh.Pairs {
			if p := &in.Mesh.Pairs[i]; p.From == from && p.To == to {
				change(p)
			}
		}
	}
}

func everyPair(change func(*Pair)) func(*TogetherInput) {
	return func(in *TogetherInput) {
		for i := range in.Mesh.Pairs {
			change(&in.Mesh.Pairs[i])
		}
	}
}

func shut(ports ...string) func(*Pair) { return func(p *Pair) { p.Blocked = ports } }
func trip(ms float64) func(*Pair)      { return func(p *Pair) { p.RTT = ms } }
func mbits(rate float64) func(*Pair)   { return func(p *Pair) { p.Rate = rate } }
func lost(why string) func(*Pair) {
	return func(p *Pair) { *p = Pair{From: p.From, To: p.To, Error: why} }
}

// calicoMesh is the healthy network with Calico, where IP in IP was tried.
func calicoMesh(in *TogetherInput) {
	in.Site.Clusters[0].Network.CNI = site.Calico
	in.Mesh.IPIP = true
	for i := range in.Mesh.Pairs {
		in.Mesh.Pairs[i].Reached = 15 // 8 + 2379, 2380 + 443, 6443, 11443 + 179 + proto 4
		if in.Mesh.Pairs[i].To == "w-1" {
			in.Mesh.Pairs[i].Reached = 10
		}
	}
}

// both applies changes one after the other.
func both(changes ...func(*TogetherInput)) func(*TogetherInput) {
	return func(in *TogetherInput) {
		for _, c := range changes {
			c(in)
		}
	}
}

func edition0(name string) func(*TogetherInput) {
	return func(in *TogetherInput) { in.Site.Profile = name }
}

// port changes what was seen of one forwarded port.
func port(number int, change func(*BalancerPort)) func(*TogetherInput) {
	return func(in *TogetherInput) {
		for i := range in.Balancer.Ports {
			if p := &in.Balancer.Ports[i]; p.Port == number {
				change(p)
			}
		}
	}
}

func noMesh(in *TogetherInput)     { in.Mesh = nil }
func noBalancer(in *TogetherInput) { in.Balancer = nil }
func unwanted(in *TogetherInput)   { in.Mesh, in.Balancer, in.Unprobed = nil, nil, "the request says so" }
func lonely(in *TogetherInput) {
	in.Site.Clusters[0].Nodes = in.Site.Clusters[0].Nodes[:1]
	in.Site.Clusters[0].Endpoint.VIP = "192.0.2.11"
	in.Mesh, in.Balancer = &Mesh{}, &BalancerView{}
}
func selfBuilt(in *TogetherInput) { in.Site.Clusters[0].Endpoint.SelfBuilt = true }
func paired(in *TogetherInput) {
	in.Site.DR.Planned = true
	in.Balancer.Ports = append(in.Balancer.Ports, goodPort(2379))
}
func withHTTP(in *TogetherInput) {
	in.Site.Platform.HTTPPort = 80
	in.Balancer.Ports = append(in.Balancer.Ports, goodPort(80))
}
func withExternal(in *TogetherInput) {
	in.Site.Clusters[0].ExternalIP = "203.0.113.9"
	for _, p := range slices.Clone(in.Balancer.Ports) {
		p.Address = "203.0.113.9"
		in.Balancer.Ports = append(in.Balancer.Ports, p)
	}
}

// forwardingCases are the same for every forwarded port.
func forwardingCases(rule string, number int, ready func(*TogetherInput)) []betweenCase {
	on := func(change func(*BalancerPort)) func(*TogetherInput) { return both(ready, port(number, change)) }
	return []betweenCase{
		{rule, "both control planes", ready, Pass, fmt.Sprintf("port %d of 192.0.2.10 leads to cp-1, cp-2", number)},
		{rule, "one is missing", on(func(p *BalancerPort) { p.Reached = []string{"cp-2"} }), Fail, "does not lead to cp-1"},
		{rule, "nothing is behind it", on(func(p *BalancerPort) { p.Reached, p.Layer, p.Error = nil, "", "connections: refused" }), Fail, "cp-1, cp-2: connections: refused"},
		{rule, "it speaks HTTP itself", on(func(p *BalancerPort) { p.Reached, p.Layer = nil, "http" }), Fail, "itself speaks HTTP"},
		{rule, "it ends TLS", on(func(p *BalancerPort) { p.Reached, p.Layer = nil, "tls" }), Fail, "itself ends TLS"},
		{rule, "a port of the node is taken", on(func(p *BalancerPort) { p.Reached, p.Unknown, p.Error = []string{"cp-1"}, []string{"cp-2"}, "in use" }), Error, "leads to cp-2 can't be told"},
		{rule, "missing counts more than unknown", on(func(p *BalancerPort) { p.Reached, p.Unknown = nil, []string{"cp-2"} }), Fail, "does not lead to cp-1"},
		{rule, "nobody knows the layer", on(func(p *BalancerPort) { p.Layer = "" }), Error, "plain TCP can't be told"},
		{rule, "not tried", on(func(p *BalancerPort) { p.Port = 1 }), Error, "was not tried"},
		{rule, "not probed", both(ready, noBalancer), Error, "was not probed"},
		{rule, "not wanted", both(ready, unwanted), Skipped, "the request says so"},
		{rule, "a VIP of the installer", both(ready, selfBuilt), Skipped, "the installer makes the VIP"},
		{rule, "one node", both(ready, lonely), Skipped, "a node's own"},
		{rule, "the external address, too", both(ready, withExternal), Pass, fmt.Sprintf("port %d of 203.0.113.9 leads to cp-1, cp-2", number)},
		{rule, "the external address leads nowhere", both(ready, withExternal, func(in *TogetherInput) { in.Balancer.Ports = in.Balancer.Ports[:len(in.Balancer.Ports)/2] }), Error, "203.0.113.9 was not tried"},
	}
}

func nothing(*TogetherInput) {}

var betweenCases = slices.Concat([]betweenCase{
	{"CHK-26", "all well", nil, Pass, "82 ports reached in 6 pairs"},
	{"CHK-26", "a port is shut for one", between("w-1", "cp-1", shut("tcp/2379-2380 timed out")), Fail, "cp-1: tcp/2379-2380 timed out, from w-1"},
	{"CHK-26", "a port is shut for all", both(between("w-1", "cp-1", shut("tcp/443 refused")), between("cp-2", "cp-1", shut("tcp/443 refused"))), Fail, "cp-1: tcp/443 refused, from cp-2, w-1"},
	{"CHK-26", "nothing passes", between("cp-1", "w-1", shut("every port timed out")), Fail, "w-1: every port timed out"},
	{"CHK-26", "IP in IP is another rule's", both(calicoMesh, between("cp-1", "w-1", func(p *Pair) { p.Reached--; p.Blocked = []string{"proto/4 timed out"} })), Pass, "6 pairs"},
	{"CHK-26", "no agent on a node", both(between("cp-1", "w-1", lost("no probe agent on w-1")), func(in *TogetherInput) { in.Mesh.Silent = map[string]string{"w-1": "no route"} }), Error, "w-1: no route"},
	{"CHK-26", "a dead node hides no failure", both(between("cp-1", "w-1", lost("no probe agent on w-1")), between("cp-1", "cp-2", shut("tcp/6443 refused"))), Fail, "cp-2: tcp/6443 refused"},
	{"CHK-26", "a port is in use", func(in *TogetherInput) {
		in.Mesh.Taken = map[string][]string{"cp-1": {"tcp/443 in use by nginx (pid 9)"}}
	}, Error, "tcp/443 in use by nginx"},
	{"CHK-26", "a pair is missing", func(in *TogetherInput) { in.Mesh.Pairs = in.Mesh.Pairs[1:] }, Error, "not tried"},
	{"CHK-26", "fewer ports than the document wants", between("cp-1", "w-1", func(p *Pair) { p.Reached = 8 }), Error, "only 8 of 9 ports of w-1"},
	{"CHK-26", "one port more with HTTP", func(in *TogetherInput) { in.Site.Platform.HTTPPort = 80 }, Error, "only 16 of 17"},
	{"CHK-26", "no answer to ping", between("cp-1", "w-1", func(p *Pair) { p.NoPing = true }), Warn, "ping by w-1, from cp-1"},
	{"CHK-26", "one node", lonely, Skipped, "nobody to talk to"},
	{"CHK-26", "not probed", noMesh, Error, "were not probed"},
	{"CHK-26", "not wanted", unwanted, Skipped, "the request says so"},
	{"CHK-26", "no facts of a node", func(in *TogetherInput) { delete(in.Nodes, "w-1") }, Error, "no facts of w-1"},

	{"NET-08", "all near", nil, Pass, "at most 0.3 ms"},
	{"NET-08", "just near enough", between("w-1", "cp-1", trip(2)), Pass, "at most 2 ms, w-1 → cp-1"},
	{"NET-08", "too far", between("w-1", "cp-1", trip(2.1)), Fail, "at most 2.1 ms, w-1 → cp-1; 1 of the pairs"},
	{"NET-08", "near enough for later editions", both(edition0(acp41), between("w-1", "cp-1", trip(10))), Pass, "10 ms"},
	{"NET-08", "too far for later editions", both(edition0(acp41), between("w-1", "cp-1", trip(10.1))), Fail, "10.1 ms"},
	{"NET-08", "near enough for 4.3", both(edition0(acp43), between("w-1", "cp-1", trip(10))), Pass, "10 ms"},
	{"NET-08", "too far for 4.3", both(edition0(acp43), between("w-1", "cp-1", trip(10.1))), Fail, "10.1 ms"},
	{"NET-08", "not measured", between("w-1", "cp-1", trip(0)), Error, "not measured: w-1 → cp-1"},
	{"NET-08", "far counts more than not measured", both(between("w-1", "cp-1", trip(0)), between("cp-2", "cp-1", trip(9))), Fail, "9 ms"},
	{"NET-08", "one node", lonely, Skipped, "nobody to talk to"},
	{"NET-08", "not probed", noMesh, Error, "were not probed"},
	{"NET-08", "not wanted", unwanted, Skipped, "the request says so"},

	{"NET-07", "all fast", nil, Pass, "at least 9400 Mbit/s"},
	{"NET-07", "a line of 1 Gbit/s, full", between("w-1", "cp-1", mbits(900)), Warn, "at least 900 Mbit/s, w-1 → cp-1; 10000 Mbit/s are recommended"},
	{"NET-07", "a line of 10 Gbit/s, full", between("w-1", "cp-1", mbits(9000)), Pass, "at least 9000 Mbit/s"},
	{"NET-07", "slower than recommended", between("w-1", "cp-1", mbits(8999)), Warn, "10000 Mbit/s are recommended"},
	{"NET-07", "a line of 10 Gbit/s in 4.1", both(edition0(acp41), between("w-1", "cp-1", mbits(9000))), Pass, "9000"},
	{"NET-07", "slower than recommended in 4.1", both(edition0(acp41), between("w-1", "cp-1", mbits(8999))), Warn, "10000"},
	{"NET-07", "a line of 10 Gbit/s in 4.3", both(edition0(acp43), between("w-1", "cp-1", mbits(9000))), Pass, "9000"},
	{"NET-07", "slower than recommended in 4.3", both(edition0(acp43), between("w-1", "cp-1", mbits(8999))), Warn, "10000"},
	{"NET-07", "too slow", between("w-1", "cp-1", mbits(899)), Fail, "at least 899 Mbit/s, w-1 → cp-1; 1 of the pairs"},
	{"NET-07", "too slow for 4.1", both(edition0(acp41), between("w-1", "cp-1", mbits(899))), Fail, "899"},
	{"NET-07", "fast enough for 4.1", both(edition0(acp41), between("w-1", "cp-1", mbits(900))), Warn, "900"},
	{"NET-07", "too slow for 4.3", both(edition0(acp43), between("w-1", "cp-1", mbits(899))), Fail, "899"},
	{"NET-07", "fast enough for 4.3", both(edition0(acp43), between("w-1", "cp-1", mbits(900))), Warn, "900"},
	{"NET-07", "a pair not measured", between("w-1", "cp-1", mbits(0)), Error, "not measured: w-1 → cp-1"},
	{"NET-07", "bulk data gets lost", between("w-1", "cp-1", func(p *Pair) { p.Rate, p.Unknown = 0, []string{"transfer: bulk data gets lost"} }), Error, "bulk data gets lost"},
	{"NET-07", "a sample of the pairs", ringOnly, Pass, "a sample of 3 pairs"},
	{"NET-07", "a node not in the sample", both(ringOnly, between("w-1", "cp-1", mbits(0))), Error, "not measured: cp-1, w-1"},
	{"NET-07", "lost data in a sample", both(ringOnly, between("cp-1", "w-1", func(p *Pair) { p.Unknown = []string{"transfer: timed out"} })), Error, "cp-1 → w-1"},
	{"NET-07", "one node", lonely, Skipped, "nobody to talk to"},
	{"NET-07", "not probed", noMesh, Error, "were not probed"},
	{"NET-07", "not wanted", unwanted, Skipped, "the request says so"},

	{"NET-09", "another plugin", nil, Skipped, "not Calico"},
	{"NET-09", "it passes", calicoMesh, Pass, "in 6 pairs"},
	{"NET-09", "it passes in 4.1", both(edition0(acp41), calicoMesh), Pass, "in 6 pairs"},
	{"NET-09", "it is lost", both(calicoMesh, between("cp-1", "w-1", shut("proto/4 timed out"))), Fail, "w-1: proto/4 timed out, from cp-1"},
	{"NET-09", "everything is lost", both(calicoMesh, between("cp-1", "w-1", shut("every port timed out"))), Fail, "w-1: every port timed out"},
	{"NET-09", "only a port is shut", both(calicoMesh, between("cp-1", "w-1", shut("tcp/179 timed out"))), Pass, "in 6 pairs"},
	{"NET-09", "not tried", both(calicoMesh, func(in *TogetherInput) { in.Mesh.IPIP = false }), Error, "was not tried"},
	{"NET-09", "IPv6 alone", both(calicoMesh, func(in *TogetherInput) { in.Mesh.IPIP, in.Site.Clusters[0].Network.IPFamily = false, site.IPv6 }), Skipped, "IPv4 alone"},
	{"NET-09", "no agent on a node", both(calicoMesh, between("cp-1", "w-1", lost("no probe agent on w-1"))), Error, "no probe agent on w-1"},
	{"NET-09", "the node does not allow it", both(calicoMesh, func(in *TogetherInput) { in.Mesh.Taken = map[string][]string{"w-1": {"proto/4 forbidden"}} }), Error, "proto/4 forbidden on w-1"},
	{"NET-09", "not probed", both(calicoMesh, noMesh), Error, "were not probed"},
	{"NET-09", "not wanted", both(calicoMesh, unwanted), Skipped, "the request says so"},

	{"LB-02", "a node is cut off", func(in *TogetherInput) { in.Balancer.Cut, in.Balancer.Near = []string{"w-1: timed out"}, 2 }, Fail, "192.0.2.10:6443 is out of reach of w-1: timed out"},
	{"LB-02", "a node did not try", func(in *TogetherInput) { in.Balancer.Near = 2 }, Error, "only 2 of 3 nodes"},
	{"LB-03", "images from elsewhere", func(in *TogetherInput) { in.Site.Registry.External = "registry.example.com" }, Skipped, "external registry"},
	{"LB-04", "no HTTP", nil, Skipped, "no HTTP port"},
	{"LB-05", "no disaster recovery", nil, Skipped, "is not planned"},
	{"LB-01", "another HTTPS port", func(in *TogetherInput) { in.Site.Platform.HTTPSPort = 8443 }, Error, "port 8443 of 192.0.2.10 was not tried"},

	{"LB-06", "checked", nil, Pass, "gets no connections"},
	{"LB-06", "not checked", port(443, func(p *BalancerPort) { p.Checked = "no" }), Warn, "192.0.2.10 port 443"},
	{"LB-06", "could not be tried", port(443, func(p *BalancerPort) { p.Checked = "" }), Warn, "could not be tried: 192.0.2.10 port 443"},
	{"LB-06", "not probed", noBalancer, Error, "was not probed"},
	{"LB-06", "not wanted", unwanted, Skipped, "the request says so"},
	{"LB-06", "a VIP of the installer", selfBuilt, Skipped, "the installer makes the VIP"},
},
	forwardingCases("LB-01", 443, nothing),
	forwardingCases("LB-02", 6443, nothing),
	forwardingCases("LB-03", 11443, nothing),
	forwardingCases("LB-04", 80, withHTTP),
	forwardingCases("LB-05", 2379, paired),
)

// ringOnly is a mesh whose rates were measured on a ring of pairs.
func ringOnly(in *TogetherInput) {
	in.Mesh.Sampled = true
	next := map[string]string{"cp-1": "cp-2", "cp-2": "w-1", "w-1": "cp-1"}
	everyPair(func(p *Pair) {
		if next[p.From] != p.To {
			p.Rate = 0
		}
	})(in)
}

func TestNetworkRules(t *testing.T) {
	for _, c := range betweenCases {
		f := c.finding()
		assert.Equal(t, c.want, f.Outcome, "%s, %s: %+v", c.rule, c.name, f)
		assert.Contains(t, f.Seen+f.Reason, c.seen, "%s, %s", c.rule, c.name)
		if f.Blocking() {
			assert.NotEmpty(t, f.Want, "%s, %s", c.rule, c.name)
			assert.NotEmpty(t, f.Fix, "%s, %s", c.rule, c.name)
		}
	}
}

// Every rule about the network has a case for every outcome it can have.
func TestNetworkRulesHaveCases(t *testing.T) {
	for _, r := range slices.Concat(rulesBetween, rulesOfBalancer) {
		wanted := []Outcome{Pass, Fail, Error, Skipped}
		if r.ID == "LB-06" { // advice
			wanted[1] = Warn
		}
		for _, o := range wanted {
			assert.True(t, slices.ContainsFunc(betweenCases, func(c betweenCase) bool { return c.rule == r.ID && c.want == o }), "%s %s", r.ID, o)
		}
	}
}

func TestAnEditionWithoutIPInIPHasNoRuleForIt(t *testing.T) {
	f := betweenCase{rule: "NET-09", change: both(calicoMesh, edition0(acp42))}.finding()
	assert.Empty(t, f.Rule)
	c := document().Clusters[0]
	c.Network.CNI = site.Calico
	for profile, want := range map[string]bool{seed: true, acp41: true, acp42: false, acp43: false, acp44: false} {
		s := document()
		s.Profile = profile
		p, err := PortsOf(s, &c, c.Nodes[0])
		require.NoError(t, err)
		assert.Equal(t, want, p.IPIP, profile)
	}
}

func TestPortsOf(t *testing.T) {
	s := document()
	c := &s.Clusters[0]
	for _, x := range []struct {
		name   string
		change func()
		node   int
		want   NodePorts
	}{
		{"a control plane", func() {}, 0, NodePorts{TCP: []int{443, 2379, 2380, 6443, 6641, 6642, 10249, 10250, 10251, 10252, 10253, 10254, 10255, 10256, 11443}, UDP: []int{6081}}},
		{"a worker", func() {}, 2, NodePorts{TCP: []int{10249, 10250, 10251, 10252, 10253, 10254, 10255, 10256}, UDP: []int{6081}}},
		{
			"an external registry, ports of one's own", func() {
				s.Registry.External, s.Platform.HTTPSPort, s.Platform.HTTPPort, s.DR.Planned = "r.example.com", 8443, 80, true
			},
			0, NodePorts{TCP: []int{80, 2379, 2380, 6443, 6641, 6642, 8443, 10249, 10250, 10251, 10252, 10253, 10254, 10255, 10256}, UDP: []int{6081}},
		},
		{"Calico", func() { c.Network.CNI = site.Calico }, 2, NodePorts{TCP: []int{179, 10249, 10250, 10251, 10252, 10253, 10254, 10255, 10256}, IPIP: true}},
	} {
		x.change()
		got, err := PortsOf(s, c, c.Nodes[x.node])
		require.NoError(t, err)
		assert.Equal(t, x.want, got, x.name)
	}
	assert.Equal(t, []int{8443, 6443, 80, 2379}, ForwardedPorts(s))
	s.Profile = "acp-9"
	_, err := PortsOf(s, c, c.Nodes[0])
	assert.ErrorContains(t, err, "acp-9")
}

func TestForwardedAddresses(t *testing.T) {
	in := healthyNetwork()
	c := &in.Site.Clusters[0]
	assert.Equal(t, []string{"192.0.2.10"}, ForwardedAddresses(c))
	c.ExternalIP = "203.0.113.9"
	assert.Equal(t, []string{"192.0.2.10", "203.0.113.9"}, ForwardedAddresses(c))
	c.Endpoint.SelfBuilt = true
	assert.Equal(t, []string{"203.0.113.9"}, ForwardedAddresses(c))
	c.ExternalIP = "192.0.2.11"
	assert.Empty(t, ForwardedAddresses(c))
}

// The record of fifty nodes fits into history whatever was seen.
func TestAMeshOfFiftyNodesIsSmall(t *testing.T) {
	worst := []Pair{
		{Reached: 16, RTT: 12.34, Rate: 12345},
		{Blocked: []string{"every port timed out"}},
		{Error: "no probe agent on west-control-plane-50"},
		{Reached: 8, Blocked: []string{"udp/6081 timed out"}, NoPing: true, RTT: 12.34},
	}
	for _, p := range worst {
		m := Mesh{}
		for range 50 * 49 {
			p.From, p.To = "west-worker-01", "west-worker-02"
			m.Pairs = append(m.Pairs, p)
		}
		data, err := json.Marshal(m)
		require.NoError(t, err)
		assert.Less(t, len(data), 300_000, "%+v", p)
	}
}
