package checks

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

var rulesOfWires = []Rule{
	networkFirst, virtualIP, externalIP, domainName, certificate, moreAddresses, ownRange,
}

var addressKind = Rule{
	ID: "CHK-15", Title: "The node's addresses are addresses of a machine", Source: headNetwork, Subject: OneNode, Category: Must,
	Want:  "node addresses that are no loopback, multicast, link-local, broadcast or empty address, each on an interface of the node",
	Fix:   "correct the node's address in the site document, or give the node that address",
	judge: judgeAddressKind,
}

// judgeAddressKind also looks for the address on the node: what a translated
// address leads to, the cluster can't use.
func judgeAddressKind(s subject) verdict {
	own, err := s.addresses()
	if err != nil {
		return unknown(err)
	}
	var seen, missing []string
	for _, text := range []string{s.node.Address, s.node.AddressIPv6} {
		if text == "" {
			continue
		}
		a, err := netip.ParseAddr(text)
		if err != nil {
			return fail(clip(text) + " is no address")
		}
		a = a.Unmap()
		if !unicast(a) {
			return fail(a.String() + " is " + kindOf(a))
		}
		i := slices.IndexFunc(own, func(o ownAddress) bool { return o.prefix.Addr() == a })
		if i < 0 {
			missing = append(missing, a.String())
			continue
		}
		if broadcast(own[i].prefix) {
			return fail(a.String() + " is the broadcast address of " + own[i].prefix.Masked().String())
		}
		seen = append(seen, a.String()+" on "+clip(own[i].device))
	}
	switch {
	case len(missing) > 0:
		return warn("on no interface of the node: " + strings.Join(missing, ", "))
	case len(seen) == 0:
		return fail("the node has no address in the site document")
	}
	return pass(strings.Join(seen, ", "))
}

func unicast(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && !a.IsLinkLocalUnicast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

func kindOf(a netip.Addr) string {
	switch {
	case a.IsUnspecified():
		return "the empty address"
	case a.IsLoopback():
		return "a loopback address"
	case a.IsMulticast():
		return "a multicast address"
	case a.IsLinkLocalUnicast():
		return "a link-local address"
	}
	return "the broadcast address"
}

// broadcast reports the last address of an IPv4 network that has one.
func broadcast(p netip.Prefix) bool {
	if !p.Addr().Is4() || p.Bits() > 30 {
		return false
	}
	next := p.Addr().Next()
	return !next.IsValid() || !p.Contains(next)
}

// ownAddress is an address of a device of the node.
type ownAddress struct {
	device string
	prefix netip.Prefix
}

// addresses reads `ip -o addr show`: "2: eth0    inet 192.0.2.11/24 brd …".
func (f Facts) addresses() ([]ownAddress, error) {
	lines, err := f.words("addresses")
	if err != nil {
		return nil, err
	}
	var out []ownAddress
	for _, w := range lines {
		i := slices.IndexFunc(w, func(s string) bool { return s == "inet" || s == "inet6" })
		if i < 2 || i+1 >= len(w) {
			continue // what older versions print of the link itself
		}
		p, err := parsePrefix(w[i+1])
		if err != nil {
			return nil, fmt.Errorf("addresses: not understood: %s", clip(strings.Join(w, " ")))
		}
		out = append(out, ownAddress{strings.TrimSuffix(w[1], ":"), p})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("addresses: names none")
	}
	return out, nil
}

// parsePrefix reads 192.0.2.0/24 or a single address; a zone of IPv6 is left out.
func parsePrefix(text string) (netip.Prefix, error) {
	if addr, bits, ok := strings.Cut(text, "/"); ok {
		addr, _, _ = strings.Cut(addr, "%")
		return netip.ParsePrefix(addr + "/" + bits)
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(a.WithZone(""), a.BitLen()), nil
}

var ownRange = Rule{
	ID: "NET-10", Title: "The node's address lies outside the range of the container tool", Source: headWires, Subject: OneNode, Category: Must,
	wants: func(e edition) string {
		return "a node address outside of " + ranges(e) + ", which " + e.tool + " takes for its bridges"
	},
	Fix: "move the node to another network, or set bip of the container tool to a free range on every node and record a waiver",
	judge: func(s subject) verdict {
		a, err := netip.ParseAddr(s.node.Address)
		switch {
		case err != nil:
			return unknown(fmt.Errorf("the site document gives no address of the node"))
		case s.edition.takes(netip.PrefixFrom(a, a.BitLen())):
			return fail(a.String())
		}
		return pass(a.String())
	},
}

// takes reports whether the container tool's range and a network overlap.
func (e edition) takes(p netip.Prefix) bool {
	return slices.ContainsFunc(e.reserved, p.Overlaps)
}

func ranges(e edition) string {
	var out []string
	for _, p := range e.reserved {
		out = append(out, p.String())
	}
	return strings.Join(out, " and ")
}

var usedRange = Rule{
	ID: "CHK-19", Title: "Nothing the node deals with lies in the range of the container tool", Source: headNetwork, Subject: OneNode, Category: Must,
	wants: func(e edition) string {
		return "no address, route, time server or load balancer in " + ranges(e) + " (" + e.tool + ")"
	},
	Fix:   "move what uses the range to another network; where that is impossible, ask the vendor's support",
	judge: judgeUsedRange,
}

// judgeUsedRange leaves the node's own address and network to NET-10, and its
// name servers to CHK-13: one trouble, one failure.
func judgeUsedRange(s subject) verdict {
	own, err := s.addresses()
	if err != nil {
		return unknown(err)
	}
	node, _ := netip.ParseAddr(s.node.Address) // the zero address is in no network
	var used []string
	for _, o := range own {
		if o.prefix.Addr() != node && s.edition.takes(netip.PrefixFrom(o.prefix.Addr(), o.prefix.Addr().BitLen())) {
			used = append(used, o.prefix.Addr().String()+" on "+clip(o.device))
		}
	}
	routes, err := s.words("route4")
	if err != nil {
		return unknown(err)
	}
	for _, w := range routes {
		p, err := parsePrefix(w[0])
		// A default route, however it is written, is no use of the range.
		if err == nil && p.Bits() > 0 && !p.Contains(node) && s.edition.takes(p) && !within8(p) && !slices.ContainsFunc(own, func(o ownAddress) bool { return p.Contains(o.prefix.Addr()) }) {
			used = append(used, "route to "+p.String())
		}
	}
	peers, err := s.timePeers()
	if err != nil {
		return unknown(err)
	}
	for _, a := range peers {
		if s.edition.takes(netip.PrefixFrom(a, a.BitLen())) {
			used = append(used, "time server "+a.String())
		}
	}
	if s.installer { // once for the cluster
		for _, text := range []string{s.cluster.Endpoint.VIP, s.cluster.ExternalIP} {
			if a, err := netip.ParseAddr(text); err == nil && a != node && s.edition.takes(netip.PrefixFrom(a, a.BitLen())) {
				used = append(used, "load balancer "+a.String())
			}
		}
	}
	if len(used) > 0 {
		return fail(several(used))
	}
	return pass("none")
}

// within8 is a route so wide, such as 128.0.0.0/1, that it is a default route in parts.
func within8(p netip.Prefix) bool { return p.Bits() < 8 }

// timePeers are the time servers that are written as addresses.
func (f Facts) timePeers() ([]netip.Addr, error) {
	text, _, err := f.file("time-peers")
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, w := range split(strings.ReplaceAll(text, "=", " ")) {
		for _, word := range w[1:] {
			if a, err := netip.ParseAddr(word); err == nil {
				out = append(out, a)
			}
		}
	}
	return out, nil
}
