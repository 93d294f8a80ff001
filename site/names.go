package site

import (
	"net/netip"
	"reflect"
	"regexp"
	"strings"
)

var (
	labelSyntax = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	digits      = regexp.MustCompile(`^[0-9]+$`)
)

// IsLabel reports whether s is a DNS label in lower case (RFC 1123).
func IsLabel(s string) bool { return labelSyntax.MatchString(s) }

// isDomain reports whether s is a host name in lower case: labels with dots,
// the last one no number, so that no mistyped IP address passes.
func isDomain(s string) bool {
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if !IsLabel(l) {
			return false
		}
	}
	return len(s) <= 253 && !digits.MatchString(labels[len(labels)-1])
}

// parseIP reads a plain IP address, without zone or IPv4-in-IPv6 form.
func parseIP(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a, err == nil && a.Zone() == "" && !a.Is4In6()
}

// isUnicast reports whether a machine can have the address (CHK-15).
func isUnicast(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && !a.IsLinkLocalUnicast() &&
		a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// Refs lists every reference to a secret in the document, each once.
func (s *Site) Refs() []Ref {
	var out []Ref
	seen := map[Ref]bool{"": true}
	visit(reflect.ValueOf(s).Elem(), "", func(v reflect.Value, _ string, _ bool) {
		if ref, ok := v.Interface().(Ref); ok && !seen[ref] {
			seen[ref] = true
			out = append(out, ref)
		}
	})
	return out
}

func (c *Cluster) controlPlanes() []Node {
	var out []Node
	for _, n := range c.Nodes {
		if n.Role == ControlPlane {
			out = append(out, n)
		}
	}
	return out
}
