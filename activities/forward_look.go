package activities

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/acpflow/acpflow/internal/balancer"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// portLooker looks at a VIP's ports from the worker and, where that gets no
// answer, from a node.
type portLooker struct {
	hosts   *Hosts
	site    *site.Site
	cluster *site.Cluster
	leaves  map[int]map[string]string // port → certificate → control plane that presents it
}

func (a *Forwarding) looker(s *site.Site, c *site.Cluster) *portLooker {
	return &portLooker{hosts: a.Hosts, site: s, cluster: c, leaves: map[int]map[string]string{}}
}

// sight looks once from wherever there is an answer.
func (l *portLooker) sight(ctx context.Context, port int) balancer.Sight {
	address := net.JoinHostPort(l.cluster.Endpoint.VIP, strconv.Itoa(port))
	direct := func(ctx context.Context, network, address string) (net.Conn, error) {
		return (&net.Dialer{Timeout: directDial}).DialContext(ctx, network, address)
	}
	seen := balancer.Look(ctx, direct, address, l.serverName(), tlsPort(l.site, port))
	if !seen.Silent || l.hosts == nil {
		return seen
	}
	for i := range l.site.Clusters { // the other side's nodes are those who shall get through
		c := &l.site.Clusters[(i+1)%len(l.site.Clusters)]
		conn, err := l.hosts.connect(ctx, NodeOf(c, c.InstallerNode()))
		if err != nil {
			continue
		}
		if again := balancer.Look(ctx, conn.DialContext, address, l.serverName(), tlsPort(l.site, port)); !again.Silent {
			return again
		}
	}
	return seen
}

func (l *portLooker) serverName() string {
	if net.ParseIP(l.site.Platform.Address) != nil {
		return ""
	}
	return l.site.Platform.Address
}

// state is what can be told of a port by connecting to it.
func (l *portLooker) state(ctx context.Context, port int) PortState {
	seen := l.sight(ctx, port)
	out := PortState{Port: port, Configured: seen.Listens()}
	switch {
	case seen.Refused:
		out.Error = "nothing listens there"
	case seen.Silent:
		out.Error = fmt.Sprintf("no answer (%v)", seen.Err)
	case seen.Hollow:
		out.Error = "connections are closed at once: no control plane answers behind it"
	case seen.Foreign:
		no := false
		out.Reachable, out.PlainTCP = true, &no
		out.Error = fmt.Sprintf("%d is not plain TCP: what answers there does not speak TLS as a control plane does (%v)", port, seen.Err)
	case seen.Leaf == "":
		out.Reachable = true
	default:
		out.Reachable = true
		out.PlainTCP, out.Error = l.plain(ctx, port, seen)
	}
	return out
}

// plain compares the certificate at the VIP with those that the control planes
// themselves present: only bytes that pass unchanged show the same one.
func (l *portLooker) plain(ctx context.Context, port int, seen balancer.Sight) (*bool, string) {
	leaves, err := l.nodeLeaves(ctx, port)
	yes, no := true, false
	if _, same := leaves[seen.Leaf]; same {
		return &yes, ""
	}
	if err != nil { // one that could not be asked may be the one behind it
		return nil, "could not tell whether it is plain TCP: " + err.Error()
	}
	return &no, fmt.Sprintf("%d is not plain TCP: the VIP presents a certificate (%.12s…, issued by %s) that no control plane does", port, seen.Leaf, seen.Issuer)
}

// nodeLeaves asks every control plane, each over its own SSH connection, for its
// certificate. The error names those that did not tell.
func (l *portLooker) nodeLeaves(ctx context.Context, port int) (map[string]string, error) {
	if known := l.leaves[port]; known != nil {
		return known, nil
	}
	out := map[string]string{}
	var silent []string
	for _, n := range l.cluster.ControlPlanes() {
		seen, err := l.nodeSight(ctx, n, port)
		if err == nil && seen.Leaf != "" {
			out[seen.Leaf] = n.Name
			continue
		}
		if err == nil {
			err = seen.Err
		}
		silent = append(silent, fmt.Sprintf("%s (%v)", n.Name, err))
	}
	if len(silent) > 0 {
		return out, fault.New(fault.Unreachable, fmt.Sprintf("read the certificates at port %d of the control planes", port), strings.Join(silent, ", "), "", nil)
	}
	l.leaves[port] = out
	return out, nil
}

func (l *portLooker) nodeSight(ctx context.Context, n site.Node, port int) (balancer.Sight, error) {
	conn, err := l.hosts.connect(ctx, NodeOf(l.cluster, n))
	if err != nil {
		return balancer.Sight{}, err
	}
	return balancer.Look(ctx, conn.DialContext, net.JoinHostPort(n.Address, strconv.Itoa(port)), l.serverName(), true), nil
}

// closed reports whether nothing listens on the port, and what was seen. Silence
// counts only where the same VIP answers on another port: a firewall may drop.
func (l *portLooker) closed(ctx context.Context, port int) (bool, string) {
	seen := l.sight(ctx, port)
	switch {
	case seen.Refused:
		return true, "connections are refused"
	case seen.Listens():
		return false, "the port still takes connections"
	}
	for _, other := range []int{6443, l.site.Platform.HTTPSPort} {
		if other != port && l.sight(ctx, other).Listens() {
			return true, fmt.Sprintf("connections are dropped, while port %d answers", other)
		}
	}
	return false, fmt.Sprintf("could not tell: the VIP gives no answer at all (%v)", seen.Err)
}

// tlsPort reports whether a port of the platform speaks TLS: all but HTTP.
func tlsPort(s *site.Site, port int) bool { return port != s.Platform.HTTPPort && port != 80 }

// Bare reports whether the VIP is a node's own address: no balancer is there.
func Bare(c *site.Cluster) bool {
	return slices.ContainsFunc(c.Nodes, func(n site.Node) bool {
		return n.Address == c.Endpoint.VIP || n.AddressIPv6 == c.Endpoint.VIP
	})
}
