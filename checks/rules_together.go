package checks

import (
	"fmt"
	"strings"
)

var rulesTogether = []Rule{uniqueHostnames, sameTime}

var uniqueHostnames = Rule{
	ID: "CHK-27", Title: "Every node has a hostname of its own", Source: headTogether, Subject: AllNodes, Category: Must,
	Want:   "hostnames that differ",
	Fix:    "hostnamectl set-hostname NAME on all but one of them",
	across: judgeUnique,
}

func judgeUnique(f fleet) verdict {
	names, nodes := f.names, f.shared
	byHost, byMachine := groups{}, groups{}
	for _, n := range names {
		host := nodes[n].Hostname
		if host == "" {
			return unknown(fmt.Errorf("%s did not tell its hostname", n))
		}
		byHost.add(strings.ToLower(host), n) // names of hosts are compared without case
		if id := nodes[n].MachineID; id != "" {
			byMachine.add(id, n)
		}
	}
	if same := byHost.doubles(); len(same) > 0 {
		return fail(strings.Join(same, "; ")).withNodes(byHost.several()...)
	}
	if same := byMachine.doubles(); len(same) > 0 {
		return warn("hostnames differ, but machines are copies with one machine id: " + strings.Join(same, "; ")).
			withFix("rm /etc/machine-id && systemd-machine-id-setup on the copies, then reboot them")
	}
	return pass(fmt.Sprintf("%d hostnames", len(names)))
}

// groups collects the nodes that share a value, in a fixed order.
type groups struct {
	values []string
	nodes  map[string][]string
}

func (g *groups) add(value, node string) {
	if g.nodes == nil {
		g.nodes = map[string][]string{}
	}
	if len(g.nodes[value]) == 0 {
		g.values = append(g.values, value)
	}
	g.nodes[value] = append(g.nodes[value], node)
}

func (g *groups) doubles() []string {
	var out []string
	for _, v := range g.values {
		if n := g.nodes[v]; len(n) > 1 {
			out = append(out, clip(v)+" on "+strings.Join(n, ", "))
		}
	}
	return out
}

// several lists the nodes that share their value with another.
func (g *groups) several() []string {
	var out []string
	for _, v := range g.values {
		if n := g.nodes[v]; len(n) > 1 {
			out = append(out, n...)
		}
	}
	return out
}

// minority lists the nodes that do not have the most common value; of values
// that are as common the first one counts.
func (g *groups) minority() []string {
	most := ""
	for _, v := range g.values {
		if len(g.nodes[v]) > len(g.nodes[most]) {
			most = v
		}
	}
	var out []string
	for _, v := range g.values {
		if v != most {
			out = append(out, g.nodes[v]...)
		}
	}
	return out
}

func (g *groups) describe() string {
	var out []string
	for _, v := range g.values {
		out = append(out, clip(v)+" on "+several(g.nodes[v]))
	}
	return strings.Join(out, "; ")
}

var sameTime = Rule{
	ID: "CHK-28", Title: "All nodes have one time zone and one time", Source: headTogether, Subject: AllNodes, Category: Must,
	wants: func(e edition) string {
		return fmt.Sprintf("one time zone, clocks at most %d s apart", e.limits.clockError)
	},
	Fix:    "timedatectl set-timezone ZONE on every node, and synchronise the clocks (chronyd)",
	across: judgeTime,
}

func judgeTime(f fleet) verdict {
	names, nodes := f.names, f.shared
	offsets, zones := groups{}, groups{}
	for _, n := range names {
		s := nodes[n]
		switch {
		case s.UTCOffset == "":
			return unknown(fmt.Errorf("%s did not tell its time zone", n))
		case s.Clock == nil:
			return unknown(fmt.Errorf("%s did not tell its time", n))
		}
		offsets.add(s.UTCOffset, n)
		if s.Zone != "" {
			zones.add(s.Zone, n)
		}
	}
	if len(offsets.values) > 1 {
		return fail("time zones differ: " + offsets.describe()).withNodes(offsets.minority()...)
	}
	if v := judgeClocks(names, nodes, float64(f.edition.limits.clockError)); v.outcome != Pass || len(zones.values) < 2 {
		return v
	}
	return warn("time zones have the same offset now, but other names: " + zones.describe()).
		withFix("timedatectl set-timezone ZONE on every node")
}

// judgeClocks looks for the two nodes that are surely farthest apart, and for
// the two that may be, as far as the connections let tell.
func judgeClocks(names []string, nodes map[string]Shared, limit float64) verdict {
	if len(names) == 1 {
		return pass("one node")
	}
	var surely, perhaps apart
	for i, a := range names {
		for _, b := range names[i+1:] {
			d := apart{a, b, nodes[a].Clock.Offset - nodes[b].Clock.Offset, nodes[a].Clock.Error + nodes[b].Clock.Error}
			if d.seconds < 0 {
				d.ahead, d.behind, d.seconds = b, a, -d.seconds
			}
			if surely.ahead == "" || d.least() > surely.least() {
				surely = d
			}
			if perhaps.ahead == "" || d.most() > perhaps.most() {
				perhaps = d
			}
		}
	}
	switch {
	case surely.least() > limit:
		return fail(surely.String()).withNodes(surely.ahead, surely.behind)
	case perhaps.most() > limit:
		return unknown(fmt.Errorf("%s: the connection is too slow to tell", perhaps))
	}
	return pass(perhaps.String())
}

// apart is how far two clocks are apart, within ± doubt.
type apart struct {
	ahead, behind  string
	seconds, doubt float64
}

func (a apart) least() float64 { return a.seconds - a.doubt }
func (a apart) most() float64  { return a.seconds + a.doubt }

func (a apart) String() string {
	return fmt.Sprintf("%s is %.1f s ahead of %s (±%.1f s)", a.ahead, a.seconds, a.behind, a.doubt)
}
