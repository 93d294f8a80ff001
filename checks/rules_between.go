package checks

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/site"
)

var rulesBetween = []Rule{reachable, rate, latency, ipInIP}

const headNetworkSetup = "Network › Network configuration"

var reachable = Rule{
	ID: "CHK-26", Title: "No firewall stands between the nodes", Source: headTogether, Subject: AllNodes, Category: Must,
	Want:   "every node reaches every other one on every port of the platform, and by ping",
	Fix:    "open the named ports for the named addresses in the firewalls of the nodes and of the network",
	across: judgeReachable,
}

// seesMesh returns the mesh, or the verdict when there is none to judge.
func (f fleet) seesMesh() (*Mesh, *verdict) {
	var v verdict
	switch {
	case len(f.cluster.Nodes) == 1:
		v = skipped("one node has nobody to talk to")
	case f.mesh == nil && f.unprobed != "":
		v = skipped("not probed: " + clip(f.unprobed))
	case f.mesh == nil:
		v = unknown(errors.New("the nodes were not probed"))
	default:
		return f.mesh, nil
	}
	return nil, &v
}

// pairs returns every ordered pair of the document's nodes. What the mesh does
// not have counts as an error.
func (f fleet) pairs(m *Mesh) []Pair {
	type key struct{ from, to string }
	known := make(map[key]Pair, len(m.Pairs))
	for _, p := range m.Pairs {
		known[key{p.From, p.To}] = p
	}
	var out []Pair
	for _, from := range f.cluster.Nodes {
		for _, to := range f.cluster.Nodes {
			if from.Name == to.Name {
				continue
			}
			p, ok := known[key{from.Name, to.Name}]
			if !ok {
				p = Pair{From: from.Name, To: to.Name, Error: "not tried"}
			}
			out = append(out, p)
		}
	}
	return out
}

func judgeReachable(f fleet) verdict {
	m, v := f.seesMesh()
	if v != nil {
		return *v
	}
	var shut, doubts, deaf groups
	reached, pairs := 0, f.pairs(m)
	for _, p := range pairs {
		reached += p.Reached
		shown := slices.DeleteFunc(slices.Clone(p.Blocked), isProtocol)
		switch {
		case p.Error != "":
			doubts.add(p.Error, p.From+" → "+p.To)
		case len(shown) > 0:
			shut.add(clip(p.To)+": "+several(shown), p.From)
		case len(m.Taken[p.To]) > 0:
			doubts.add(several(m.Taken[p.To])+" on "+p.To, p.From)
		case p.Reached+len(p.Blocked) < f.expected(p.To):
			doubts.add(fmt.Sprintf("only %d of %d ports of %s were tried", p.Reached, f.expected(p.To), p.To), p.From)
		case p.NoPing:
			deaf.add(p.To, p.From)
		}
	}
	switch {
	case len(shut.values) > 0:
		return fail(shut.from()).withNodes(shut.targets()...)
	case len(doubts.values) > 0:
		return unknown(errors.New(m.why(doubts)))
	case len(deaf.values) > 0:
		return warn("no answer to ping by " + deaf.from() + ": path MTU discovery may fail, too").
			withFix("let ICMP pass between the nodes")
	}
	return pass(fmt.Sprintf("%d ports reached in %d pairs", reached, len(pairs)))
}

func isProtocol(blocked string) bool { return strings.HasPrefix(blocked, "proto/") }

// expected is how many ports of a node the others must reach.
func (f fleet) expected(name string) int {
	i := slices.IndexFunc(f.cluster.Nodes, func(n site.Node) bool { return n.Name == name })
	n := f.cluster.Nodes[i] // pairs are made of the document's nodes
	p := portsOf(f.edition, *f.site, f.cluster, n)
	sum := len(p.TCP) + len(p.UDP)
	if n.AddressIPv6 != "" {
		sum *= 2
	}
	if p.IPIP {
		sum++
	}
	return sum
}

// from writes groups whose values are targets and whose members are sources.
func (g *groups) from() string {
	var out []string
	for _, v := range g.values {
		out = append(out, clip(v)+", from "+several(g.nodes[v]))
	}
	return several(out)
}

// targets are the nodes that the values begin with.
func (g *groups) targets() []string {
	var out []string
	for _, v := range g.values {
		name, _, _ := strings.Cut(v, ":")
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// why explains doubts: the nodes without an agent first, as the cause of most.
func (m *Mesh) why(doubts groups) string {
	var out []string
	for node, cause := range m.Silent {
		out = append(out, clip(node)+": "+clip(cause))
	}
	slices.Sort(out)
	for _, v := range doubts.values {
		if !strings.HasPrefix(v, "no probe agent on ") || len(m.Silent) == 0 {
			out = append(out, clip(v)+" ("+several(doubts.nodes[v])+")")
		}
	}
	return several(out)
}

var latency = Rule{
	ID: "NET-08", Title: "The nodes are close to one another", Source: headNetworkSetup, Subject: AllNodes, Category: Must,
	Fix:    "put the nodes into one network, and look for overloaded links on the way",
	wants:  wantLatency,
	across: func(f fleet) verdict { return judgeLatency(f).withWant(wantLatency(f.edition)) },
}

func wantLatency(e edition) string {
	return fmt.Sprintf("at most %g ms there and back", e.between.latency)
}

func (v verdict) withWant(want string) verdict { v.want = want; return v }

func judgeLatency(f fleet) verdict {
	m, v := f.seesMesh()
	if v != nil {
		return *v
	}
	var missing []string
	var slow []Pair
	var worst Pair
	for _, p := range f.pairs(m) {
		switch {
		case p.RTT == 0:
			missing = append(missing, p.name())
		case p.RTT > f.edition.between.latency:
			slow = append(slow, p)
		}
		if p.RTT > worst.RTT {
			worst = p
		}
	}
	seen := fmt.Sprintf("at most %.3g ms, %s", worst.RTT, worst.name())
	switch {
	case len(slow) > 0:
		return fail(fmt.Sprintf("%s; %d of the pairs are too slow", seen, len(slow))).withNodes(ends(slow)...)
	case len(missing) > 0:
		return unknown(errors.New("not measured: " + several(missing)))
	}
	return pass(seen)
}

func (p Pair) name() string { return clip(p.From) + " → " + clip(p.To) }

// ends are all nodes of the pairs.
func ends(pairs []Pair) []string {
	var out []string
	for _, p := range pairs {
		out = append(out, p.From, p.To)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

var rate = Rule{
	ID: "NET-07", Title: "The lines between the nodes are fast", Source: headNetworkSetup, Subject: AllNodes, Category: Must,
	Fix:    "connect the nodes by faster lines, and look for overloaded links and for ports that fell back to a lower speed (ethtool)",
	wants:  wantRate,
	across: func(f fleet) verdict { return judgeRate(f).withWant(wantRate(f.edition)) },
}

func wantRate(e edition) string {
	b := e.between
	return fmt.Sprintf("at least %g Mbit/s, of which one connection carries %g; %g Mbit/s are recommended", b.rate, b.leastRate(), b.goodRate)
}

func judgeRate(f fleet) verdict {
	m, v := f.seesMesh()
	if v != nil {
		return *v
	}
	var missing []string
	var slow []Pair
	var worst Pair
	sends, receives, measured := map[string]bool{}, map[string]bool{}, 0
	for _, p := range f.pairs(m) {
		if p.Rate == 0 {
			if !m.Sampled || len(p.Unknown) > 0 {
				missing = append(missing, p.name()+because(p.Unknown))
			}
			continue
		}
		measured++
		sends[p.From], receives[p.To] = true, true
		if p.Rate < f.edition.between.leastRate() {
			slow = append(slow, p)
		}
		if worst.Rate == 0 || p.Rate < worst.Rate {
			worst = p
		}
	}
	for _, n := range f.cluster.Nodes {
		if m.Sampled && (!sends[n.Name] || !receives[n.Name]) {
			missing = append(missing, clip(n.Name))
		}
	}
	seen := fmt.Sprintf("at least %.0f Mbit/s, %s", worst.Rate, worst.name())
	switch {
	case len(slow) > 0:
		return fail(fmt.Sprintf("%s; %d of the pairs are too slow", seen, len(slow))).withNodes(ends(slow)...)
	case len(missing) > 0:
		return unknown(errors.New("not measured: " + several(missing)))
	}
	if m.Sampled {
		seen += fmt.Sprintf("; a sample of %d pairs", measured)
	}
	if b := f.edition.between; worst.Rate < b.goodRate*b.payload {
		return warn(fmt.Sprintf("%s; %g Mbit/s are recommended", seen, b.goodRate))
	}
	return pass(seen)
}

func because(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	return " (" + clip(strings.Join(notes, ", ")) + ")"
}

var ipInIP = Rule{
	ID: "NET-09", Title: "IP in IP passes between the nodes", Source: headNetworkSetup, Subject: AllNodes, Category: Conditional,
	Condition: "the network plugin is Calico", Profiles: []string{seed, acp41},
	Want:   "IP protocol 4 passes between all nodes",
	Fix:    "allow IP protocol 4 (IP in IP) between the nodes in the firewalls and security groups",
	across: judgeIPInIP,
}

func judgeIPInIP(f fleet) verdict {
	m, v := f.seesMesh()
	if v != nil {
		return *v
	}
	switch {
	case f.cluster.Network.CNI != site.Calico:
		return skipped("the network plugin is not Calico")
	case !m.IPIP && f.cluster.Network.IPFamily == site.IPv6:
		return skipped("IP in IP carries IPv4 alone")
	case !m.IPIP:
		return unknown(errors.New("IP in IP was not tried"))
	}
	var shut, doubts groups
	pairs := f.pairs(m)
	for _, p := range pairs {
		i := slices.IndexFunc(p.Blocked, func(b string) bool { return isProtocol(b) || strings.HasPrefix(b, everyPort) })
		taken := slices.IndexFunc(m.Taken[p.To], isProtocol)
		switch {
		case p.Error != "":
			doubts.add(p.Error, p.name())
		case i >= 0:
			shut.add(clip(p.To)+": "+p.Blocked[i], p.From)
		case taken >= 0:
			doubts.add(m.Taken[p.To][taken]+" on "+p.To, p.From)
		}
	}
	switch {
	case len(shut.values) > 0:
		return fail(shut.from()).withNodes(shut.targets()...)
	case len(doubts.values) > 0:
		return unknown(errors.New(m.why(doubts)))
	}
	return pass(fmt.Sprintf("in %d pairs", len(pairs)))
}

// everyPort begins the one entry of Pair.Blocked when nothing at all was reached.
const everyPort = "every port"
