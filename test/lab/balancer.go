package lab

import (
	"fmt"
	"strings"
)

// haproxyHead is what any HAProxy for a `global` cluster starts with: plain
// TCP (DR-10), and time-outs long enough for watches, which a dead peer is
// found out of by keep-alives instead.
const haproxyHead = `global
	log /dev/log local0
	stats socket /run/haproxy/admin.sock mode 660 level admin
	stats timeout 30s
	user haproxy
	group haproxy

defaults
	log global
	mode tcp
	option dontlognull
	option clitcpka
	option srvtcpka
	timeout connect 5s
	timeout client 1h
	timeout server 1h
	timeout check 3s
`

// seedBalancer makes the node forward the platform's ports to the control
// planes of its cluster, with health checks (LB-06).
func (n *Node) seedBalancer(files map[string]seedFile) {
	var b strings.Builder
	b.WriteString(haproxyHead)
	for _, port := range BalancerPorts {
		fmt.Fprintf(&b, "\nlisten %s-%d\n\tbind %s:%d\n\tdefault-server inter 1s fall 2 rise 1\n", n.Cluster, port, n.Address, port)
		for _, other := range n.lab.state.Nodes {
			if other.Cluster == n.Cluster && other.Role == ControlPlane {
				fmt.Fprintf(&b, "\tserver %s %s:%d check\n", other.Name, other.Address, port)
			}
		}
	}
	files["etc/haproxy/haproxy.cfg"] = seedFile{data: b.String(), mode: 0o644}
	enable(files, "haproxy.service", "/lib/systemd/system/haproxy.service")
}

// enable makes systemd start a unit at boot.
func enable(files map[string]seedFile, unit, target string) {
	files["etc/systemd/system/multi-user.target.wants/"+unit] = seedFile{data: target, link: true}
}
