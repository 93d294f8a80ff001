// Package dns looks up and changes the address records of one name: the
// platform's, which a failover points at the other cluster (DR-11, DR-20,
// DR-42). Drivers change them in one step, so that nobody who asks meanwhile is
// told that the name does not exist. Nothing here retries; every error is a
// *fault.Error.
package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"github.com/acpflow/acpflow/internal/fault"
)

// Records are all address records of a name. A name has no others once they
// were set.
type Records struct {
	A    []string // IPv4 addresses
	AAAA []string // IPv6 addresses
	TTL  int      // seconds
}

// Driver changes the records of a name. Upsert replaces its A and AAAA records
// by those wanted, in one change and never through a state without records.
// Remove takes its A and AAAA records away, nothing else of it. Doing either twice
// is doing it once. Neither waits until servers show it.
type Driver interface {
	Upsert(ctx context.Context, name string, want Records) error
	Remove(ctx context.Context, name string) error
}

// DialFunc opens connections, for example through SSH.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// RecordsOf sorts addresses by family into records.
func RecordsOf(ttl int, addresses ...string) (Records, error) {
	out := Records{TTL: ttl}
	for _, text := range addresses {
		a, err := netip.ParseAddr(text)
		switch {
		case err != nil || a.Zone() != "":
			return Records{}, fault.New(fault.BadInput, "make address records", text, "give plain IP addresses", err)
		case a.Unmap().Is4():
			out.A = append(out.A, a.Unmap().String())
		default:
			out.AAAA = append(out.AAAA, a.String())
		}
	}
	return out, out.check("")
}

// check refuses what no driver may write: no record at all, a wrong family, a
// life that is no TTL.
func (r Records) check(name string) error {
	bad := func(format string, args ...any) error {
		return fault.New(fault.BadInput, "set address records", name, "give the address that the name shall have", fmt.Errorf(format, args...))
	}
	if len(r.A)+len(r.AAAA) == 0 {
		return bad("without an address the name would stop to exist")
	}
	if r.TTL < 1 || r.TTL > 1<<31-1 {
		return bad("a TTL of %d seconds", r.TTL)
	}
	for _, text := range r.A {
		if a, err := netip.ParseAddr(text); err != nil || !a.Is4() {
			return bad("%q is no IPv4 address", text)
		}
	}
	for _, text := range r.AAAA {
		if a, err := netip.ParseAddr(text); err != nil || !a.Is6() || a.Is4In6() || a.Zone() != "" {
			return bad("%q is no IPv6 address", text)
		}
	}
	return nil
}

// SameAddresses reports whether both hold the same addresses, in any order and
// any spelling.
func (r Records) SameAddresses(a, aaaa []string) bool {
	return slices.Equal(canonical(r.A), canonical(a)) && slices.Equal(canonical(r.AAAA), canonical(aaaa))
}

// String is for people: "198.18.0.20, TTL 30".
func (r Records) String() string {
	return fmt.Sprintf("%s, TTL %d", strings.Join(slices.Concat(r.A, r.AAAA), " "), r.TTL)
}

func canonical(addresses []string) []string {
	out := make([]string, 0, len(addresses))
	for _, text := range addresses {
		if a, err := netip.ParseAddr(text); err == nil {
			text = a.String()
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// resources renders the records for a DNS message.
func (r Records) resources(fqdn string) (out []dns.RR) {
	header := func(kind uint16) dns.RR_Header {
		return dns.RR_Header{Name: fqdn, Rrtype: kind, Class: dns.ClassINET, Ttl: uint32(r.TTL)}
	}
	for _, a := range canonical(r.A) {
		out = append(out, &dns.A{Hdr: header(dns.TypeA), A: net.ParseIP(a)})
	}
	for _, a := range canonical(r.AAAA) {
		out = append(out, &dns.AAAA{Hdr: header(dns.TypeAAAA), AAAA: net.ParseIP(a)})
	}
	return out
}

// Server completes an address of a name server with the port 53:
// "198.18.0.2", "[fd00::2]:5353", "fd00::2".
func Server(text string) string {
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return net.JoinHostPort(a.String(), "53")
	}
	if host, port, err := net.SplitHostPort(text); err == nil {
		if n, err := strconv.Atoi(port); err == nil && n > 0 {
			return net.JoinHostPort(host, port)
		}
	}
	return net.JoinHostPort(text, "53")
}

// inZone refuses a name that the zone does not hold, before anything is sent.
func inZone(op, name, zone, place string) error {
	if _, ok := dns.IsDomainName(name); !ok || name == "" {
		return fault.New(fault.BadInput, op, place, "give a domain name", fmt.Errorf("%q is no domain name", name))
	}
	if !dns.IsSubDomain(dns.Fqdn(zone), dns.Fqdn(name)) {
		return fault.New(fault.BadInput, op, place, "set dr.dns.zone to the zone that holds the name",
			fmt.Errorf("%s is outside the zone %s", name, strings.TrimSuffix(zone, ".")))
	}
	return nil
}

// lost is the error of a server that could not be talked to.
func lost(ctx context.Context, op, place string, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(cause, context.Canceled) {
		return fmt.Errorf("%s: %s: interrupted: %w", op, place, cause)
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	return fault.New(fault.Unreachable, op, place, "check that the name server runs and that UDP and TCP reach it", err)
}
