package checks

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/acpflow/acpflow/site"
)

var rulesOfNetwork = []Rule{hostname, localhost, resolver, searchDomains, addressKind, defaultRoute, ports, cniPorts, usedRange}

var hostname = Rule{
	ID: "CHK-11", Title: "The hostname is well-formed", Source: headNetwork, Subject: OneNode, Category: Must,
	wants: func(e edition) string {
		return fmt.Sprintf("at most %d of a-z, 0-9, - and .; a letter or digit at both ends; no .- or .. or -.", e.limits.hostname)
	},
	Fix: "hostnamectl set-hostname NAME", judge: judgeHostname,
}

// judgeHostname judges the name in force, and the one the next boot brings.
func judgeHostname(s subject) verdict {
	wellFormed := func(name string) bool {
		return len(name) <= s.edition.limits.hostname && hostnameForm.MatchString(name)
	}
	name, err := s.line("hostname")
	if err != nil {
		return unknown(err)
	}
	if !wellFormed(name) {
		return fail(clip(name))
	}
	text, _, err := s.file("hostname-file")
	if err != nil {
		return unknown(err)
	}
	next := configuredName(text)
	switch {
	case next == "" || next == name: // without one the system keeps to what the network or its default says
		return pass(name)
	case !wellFormed(next):
		return fail(name + " now, but /etc/hostname has " + clip(next) + ", which is malformed, for the next boot")
	}
	return warn(name + " now, but /etc/hostname has " + clip(next) + " for the next boot")
}

// configuredName is the first line of /etc/hostname that is no comment.
func configuredName(text string) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return line
		}
	}
	return ""
}

// Dots stand between letters or digits only; a dash may be followed by a dash.
var hostnameForm = regexp.MustCompile(`^[a-z0-9](?:-*[a-z0-9])*(?:\.[a-z0-9](?:-*[a-z0-9])*)*$`)

var localhost = Rule{
	ID: "CHK-12", Title: "localhost is 127.0.0.1", Source: headNetwork, Subject: OneNode, Category: Must,
	Want:  "/etc/hosts gives localhost the address 127.0.0.1 and no other IPv4 address",
	Fix:   "add the line `127.0.0.1 localhost` to /etc/hosts and take localhost off other IPv4 lines",
	judge: judgeLocalhost,
}

func judgeLocalhost(s subject) verdict {
	text, exists, err := s.file("hosts")
	if err != nil {
		return unknown(err)
	}
	if !exists {
		return fail("there is no /etc/hosts")
	}
	found := false
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		w := strings.Fields(line)
		if len(w) < 2 || !slices.Contains(w[1:], "localhost") {
			continue
		}
		addr, err := netip.ParseAddr(w[0])
		switch {
		case err != nil || addr.Is6():
		case addr != netip.AddrFrom4([4]byte{127, 0, 0, 1}):
			return fail("localhost is " + addr.String())
		default:
			found = true
		}
	}
	if !found {
		return fail("no line for localhost")
	}
	return pass("127.0.0.1")
}

var resolver = Rule{
	ID: "CHK-13", Title: "The node has name servers outside the segment of the container tool", Source: headNetwork, Subject: OneNode, Category: Must, Conflict: conflictStub,
	Want:  "/etc/resolv.conf with a nameserver, none whose address begins with 172",
	Fix:   "write the site's name servers into /etc/resolv.conf (systemctl disable --now systemd-resolved first, where it runs)",
	judge: judgeResolver,
}

func judgeResolver(s subject) verdict {
	text, exists, err := s.file("resolv")
	if err != nil {
		return unknown(err)
	}
	if !exists {
		return fail("there is no /etc/resolv.conf")
	}
	var servers, stubs []string
	for _, w := range split(text) {
		if w[0] != "nameserver" || len(w) < 2 {
			continue
		}
		servers = append(servers, w[1])
		switch {
		case strings.HasPrefix(w[1], "172."):
			return fail("nameserver " + clip(w[1]))
		case strings.HasPrefix(w[1], "127."):
			stubs = append(stubs, w[1])
		}
	}
	switch {
	case len(servers) == 0:
		return fail("no nameserver")
	case len(stubs) > 0: // Pods inherit the file, where the node's own stub can't be reached
		return warn("a resolver of the node itself: " + clip(strings.Join(stubs, " ")) + ", which the document forbids in its advice only")
	}
	return pass(clip(strings.Join(servers, " ")))
}

var defaultRoute = Rule{
	ID: "CHK-16", Title: "The node has a default route", Source: headNetwork, Subject: OneNode, Category: Must,
	Want:  "a default route, or one to 0.0.0.0",
	Fix:   "ip route add default via GATEWAY, and the same in the network configuration",
	judge: judgeRoute,
}

func judgeRoute(s subject) verdict {
	names := []string{"route4"}
	switch s.cluster.Network.IPFamily {
	case site.IPv6:
		names = []string{"route6"}
	case site.DualStack:
		names = []string{"route4", "route6"}
	}
	var seen []string
	for _, name := range names {
		routes, err := s.words(name)
		if err != nil {
			return unknown(err)
		}
		i := slices.IndexFunc(routes, func(w []string) bool {
			return slices.Contains([]string{"default", "0.0.0.0", "0.0.0.0/0", "::/0"}, w[0])
		})
		if i < 0 { // such as "unreachable default"
			return fail("no default route in `ip -" + name[len("route"):] + " route`")
		}
		seen = append(seen, clip(strings.Join(routes[i], " ")))
	}
	return pass(strings.Join(seen, "; "))
}

var ports = Rule{
	ID: "CHK-17", Title: "The ports of the platform are free", Source: headNetwork, Subject: OneNode, Category: Must,
	wants: func(e edition) string {
		return fmt.Sprintf("free TCP ports: on every node %s; on control planes %s; where the installer runs %s",
			join(e.ports.every), join(e.ports.controlPlane), join(e.ports.installer))
	},
	Fix:   "stop the program that listens: ss -lntp shows it",
	judge: judgePorts,
}

// portRange is from first to last, both included.
type portRange struct{ first, last int }

func (r portRange) String() string {
	if r.first == r.last {
		return strconv.Itoa(r.first)
	}
	return fmt.Sprintf("%d-%d", r.first, r.last)
}

var (
	portsEvery        = []portRange{{10249, 10256}}
	portsControlPlane = slices.Concat([]portRange{{2379, 2380}, {6443, 6443}}, portsEvery)
	portsInstaller    = slices.Concat([]portRange{{8080, 8080}, {12080, 12080}, {12443, 12443}, {16443, 16443}}, portsControlPlane)
)

// portTable is what must be free (CHK-17, CHK-18).
type portTable struct{ every, controlPlane, installer, kubeOVN, calico []portRange }

var portsOfPlatform = portTable{portsEvery, portsControlPlane, portsInstaller, portsKubeOVN, portsCalico}

func judgePorts(s subject) verdict {
	switch p := s.edition.ports; {
	case s.installer:
		return judgeFree(s, p.installer)
	case s.node.Role == site.ControlPlane:
		return judgeFree(s, p.controlPlane)
	default:
		return judgeFree(s, p.every)
	}
}

var cniPorts = Rule{
	ID: "CHK-18", Title: "The ports of the network plugin are free", Source: headNetwork, Subject: OneNode, Category: Conditional,
	Condition: "the network plugin is Kube-OVN or Calico",
	wants: func(e edition) string {
		if !e.calico {
			return "free TCP ports: " + join(e.ports.kubeOVN) + " with Kube-OVN"
		}
		return "free TCP ports: " + join(e.ports.kubeOVN) + " with Kube-OVN, " + join(e.ports.calico) + " with Calico"
	},
	Fix: "stop the program that listens: ss -lntp shows it",
	judge: func(s subject) verdict {
		switch cni := s.cluster.Network.CNI; cni {
		case site.KubeOVN:
			return judgeFree(s, s.edition.ports.kubeOVN)
		case site.Calico:
			return judgeFree(s, s.edition.ports.calico)
		default:
			return skipped(fmt.Sprintf("the document names no ports of the network plugin %q", cni))
		}
	},
}

func judgeFree(s subject, wanted []portRange) verdict {
	v := judgeListeners(s, wanted)
	v.want = "nothing listens on TCP " + join(wanted)
	return v
}

func join(ranges []portRange) string {
	var out []string
	for _, r := range ranges {
		out = append(out, r.String())
	}
	return strings.Join(out, ", ")
}

func judgeListeners(s subject, wanted []portRange) verdict {
	sockets, err := s.words("listeners")
	if err != nil {
		return unknown(err)
	}
	if len(sockets) == 0 || sockets[0][0] != "State" && sockets[0][0] != "Netid" {
		return unknown(fmt.Errorf("listeners: not understood"))
	}
	var taken []string
	for _, w := range sockets[1:] {
		if sockets[0][0] == "Netid" && len(w) > 0 {
			w = w[1:]
		}
		// State Recv-Q Send-Q Local:Port Peer:Port [users:(("sshd",pid=1,fd=3))]
		if len(w) < 5 {
			return unknown(fmt.Errorf("listeners: not understood: %s", clip(strings.Join(w, " "))))
		}
		port, err := strconv.Atoi(w[3][strings.LastIndexByte(w[3], ':')+1:])
		if err != nil {
			return unknown(fmt.Errorf("listeners: not understood: %s", clip(w[3])))
		}
		if slices.ContainsFunc(wanted, func(r portRange) bool { return r.first <= port && port <= r.last }) {
			taken = append(taken, clip(w[3])+listener(strings.Join(w[5:], " ")))
		}
	}
	if len(taken) > 0 {
		return fail(several(taken))
	}
	return pass("all free")
}

// A socket's first program, as ss writes it: users:(("etcd",pid=994,fd=8)), or
// users:(("etcd",994,8)) before 2014.
var socketUser = regexp.MustCompile(`\("(.*?)",(?:pid=)?(\d{1,10}),`)

// listener names the program behind a socket; ss can't always tell.
func listener(users string) string {
	m := socketUser.FindStringSubmatch(users)
	if m == nil {
		return ""
	}
	return fmt.Sprintf(" by %s (pid %s)", clip(m[1]), m[2])
}
