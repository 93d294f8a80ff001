package lab

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// DNSFault is something wrong with the lab's name servers.
type DNSFault string

// The faults. Several may hold at once, unless they change the same server.
const (
	DNSDown          DNSFault = "down"           // the authoritative server is stopped
	DNSHangs         DNSFault = "hangs"          // it takes questions and answers none
	DNSSlow          DNSFault = "slow"           // its machine sends one small answer a second, and late
	DNSRefusesKey    DNSFault = "refuses-key"    // it knows another TSIG key
	DNSSplit         DNSFault = "split"          // the secondary gets no changes any more and serves what it has
	DNSResolverDown  DNSFault = "resolver-down"  // the resolver is stopped
	DNSResolverStale DNSFault = "resolver-stale" // the resolver keeps the platform's address of now for 90 seconds, whatever its TTL
	DNSResolverStuck DNSFault = "resolver-stuck" // the resolver answers the platform's address of now for ever
	DNSNegative      DNSFault = "negative"       // the resolver remembers for 90 seconds that the platform's name does not exist
)

// DNSFaults maps every fault to what it does, for help texts.
var DNSFaults = map[DNSFault]string{
	DNSDown: "the authoritative server is stopped", DNSHangs: "the authoritative server answers nothing",
	DNSSlow: "the authoritative server answers late", DNSRefusesKey: "the authoritative server knows another TSIG key",
	DNSSplit:         "the secondary (see lab secondary) gets no changes any more",
	DNSResolverDown:  "the resolver is stopped",
	DNSResolverStale: "the resolver keeps the platform's address for 90 seconds", DNSResolverStuck: "the resolver keeps the platform's address for ever",
	DNSNegative: "the resolver remembers for 90 seconds that the platform's name does not exist",
}

const (
	namedConfFile     = "/etc/bind/named.conf"
	resolverConfFile  = "/etc/bind/resolver.conf"
	secondaryConfFile = "/etc/bind/secondary.conf"
	maxMinTTL         = 90 // of BIND, in seconds
)

// again restarts a unit however often it was restarted before.
const again = `again() { systemctl reset-failed "$1" 2>/dev/null || true; systemctl restart "$1"; }
`

// BreakDNS applies a fault to the name servers.
func (l *Lab) BreakDNS(ctx context.Context, f DNSFault) error {
	n, err := l.Node("dns")
	if err != nil {
		return err
	}
	var script string
	switch f {
	case DNSDown:
		script = "systemctl stop named"
	case DNSHangs:
		script = "systemctl kill --signal STOP named"
	case DNSSlow:
		script = "tc qdisc replace dev host0 root tbf rate 1kbit burst 400b latency 4s"
	case DNSRefusesKey:
		script = `sed -i 's/secret "[^"]*"/secret "` + strings.Repeat("A", 43) + `="/' ` + namedConfFile + "; again named"
	case DNSSplit:
		script = "systemctl is-active --quiet named-secondary; sed -i 's/primaries { [^ ]* /primaries { 127.0.0.9 /' " + secondaryConfFile +
			"; again named-secondary"
	case DNSResolverDown:
		script = "systemctl stop named-resolver"
	case DNSResolverStale:
		return l.resolverKeeps(ctx, n, fmt.Sprintf("min-cache-ttl %d;", maxMinTTL))
	case DNSResolverStuck:
		return l.stickResolver(ctx, n)
	case DNSNegative:
		return l.forgetPlatform(ctx, n)
	default:
		return fmt.Errorf("lab: DNS has no fault %q; there are %v", f, slices.Sorted(maps.Keys(DNSFaults)))
	}
	_, err = n.Script(ctx, again+script)
	return err
}

// MendDNS takes all faults of the name servers away, and empties the resolver's
// cache. The zone stays as it is; a secondary that was started runs on with a
// new copy.
func (l *Lab) MendDNS(ctx context.Context) error {
	n, err := l.Node("dns")
	if err != nil {
		return err
	}
	for _, file := range []string{namedConfFile, resolverConfFile, secondaryConfFile} {
		text, err := n.seeded(strings.TrimPrefix(file, "/"))
		if err != nil {
			return err
		}
		if err := n.WriteFile(ctx, file, []byte(text), "0640"); err != nil {
			return err
		}
	}
	if _, err := n.Script(ctx, again+"chown bind:bind "+namedConfFile+" "+resolverConfFile+" "+secondaryConfFile+`
tc qdisc del dev host0 root 2>/dev/null || true
systemctl kill --signal CONT named 2>/dev/null || true
again named
again named-resolver
if systemctl is-active --quiet named-secondary; then rm -f /var/lib/bind/*.secondary*; again named-secondary; fi`); err != nil {
		return err
	}
	return l.awaitAddress(ctx, l.Describe().DNS.Resolver)
}

// resolverKeeps restarts the resolver with one more option and has it learn the
// platform's address of now.
func (l *Lab) resolverKeeps(ctx context.Context, n *Node, option string) error {
	if _, err := n.Script(ctx, again+"sed -i '1a "+option+"' "+resolverConfFile+"; again named-resolver"); err != nil {
		return err
	}
	return l.awaitAddress(ctx, l.Describe().DNS.Resolver)
}

func (l *Lab) stickResolver(ctx context.Context, n *Node) error {
	d := l.Describe().DNS
	address, err := l.platformAddress(ctx, d.Authoritative)
	if err != nil {
		return err
	}
	const file = "/etc/bind/stuck.zone"
	zone := fmt.Sprintf("$TTL %d\n@ SOA . . 1 60 60 60 60\n@ NS resolver.%s.\n@ A %s\n", recordTTL, Zone, address)
	if err := n.WriteFile(ctx, file, []byte(zone), "0644"); err != nil {
		return err
	}
	if _, err := n.Script(ctx, again+fmt.Sprintf(`echo 'zone "%s" { type primary; file "%s"; };' >>%s; again named-resolver`, Domain, file, resolverConfFile)); err != nil {
		return err
	}
	return l.awaitAddress(ctx, d.Resolver)
}

// forgetPlatform removes the platform's name, has the resolver find that out,
// and puts it back.
func (l *Lab) forgetPlatform(ctx context.Context, n *Node) error {
	d := l.Describe().DNS
	address, err := l.platformAddress(ctx, d.Authoritative)
	if err != nil {
		return err
	}
	if err := l.resolverKeeps(ctx, n, fmt.Sprintf("min-ncache-ttl %d;", maxMinTTL)); err != nil {
		return err
	}
	if err := l.setPlatform(ctx, ""); err != nil {
		return err
	}
	if _, err := n.Script(ctx, "rndc -c /etc/bind/resolver-rndc.conf flush"); err != nil {
		return err
	}
	answer, err := ask(ctx, d.Resolver)
	if err == nil && len(answer.Answer) > 0 {
		err = fmt.Errorf("lab %s: the resolver still knows %s", l.state.Name, Domain)
	}
	if back := l.setPlatform(ctx, address); back != nil {
		return back
	}
	return err
}

// platformAddress is what a server answers for the platform's name.
func (l *Lab) platformAddress(ctx context.Context, server string) (string, error) {
	answer, err := ask(ctx, server)
	if err != nil {
		return "", err
	}
	for _, rr := range answer.Answer {
		if a, ok := rr.(*dns.A); ok {
			return a.A.String(), nil
		}
	}
	return "", fmt.Errorf("%s does not know %s: %s", server, Domain, dns.RcodeToString[answer.Rcode])
}

func ask(ctx context.Context, server string) (*dns.Msg, error) {
	return dns.ExchangeContext(ctx, new(dns.Msg).SetQuestion(dns.Fqdn(Domain), dns.TypeA), server)
}

// awaitAddress waits until a server that was just started knows the platform.
func (l *Lab) awaitAddress(ctx context.Context, server string) error {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	for {
		_, err := l.platformAddress(ctx, server)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lab %s: %w", l.state.Name, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// StartSecondary starts the second authoritative server: a real secondary that
// gets every change from the first. A site that shall look at it lists
// Describe().DNS.Secondary among its authoritative servers.
func (l *Lab) StartSecondary(ctx context.Context) error {
	n, err := l.Node("dns")
	if err != nil {
		return err
	}
	if _, err := n.Script(ctx, "systemctl daemon-reload; systemctl enable --quiet --now named-secondary"); err != nil {
		return err
	}
	return l.awaitAddress(ctx, l.Describe().DNS.Secondary)
}

// StopSecondary takes the second authoritative server away: it gives no answer, and
// has copied nothing when it is started again.
func (l *Lab) StopSecondary(ctx context.Context) error {
	n, err := l.Node("dns")
	if err != nil {
		return err
	}
	_, err = n.Script(ctx, "systemctl disable --quiet --now named-secondary; rm -f /var/lib/bind/*.secondary*")
	return err
}
