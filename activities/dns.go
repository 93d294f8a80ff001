package activities

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/dns"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// DNS looks up and changes the platform's name (DR-20, DR-42). Servers that the
// worker cannot reach are asked through SSH from a node.
type DNS struct {
	Hosts *Hosts
	// Margin is how much longer than the longest TTL a change may take until all
	// servers show it: secondaries copy the zone. Default 15 s.
	Margin time.Duration
}

const defaultMargin = 15 * time.Second

// PointInput names the cluster that the platform's name shall lead to.
type PointInput struct {
	Scope
	To string `json:"to"` // name of a cluster of the site
	// Spared are servers of the site, as PlatformAddress names them, that gave no
	// answer when a failover began. They may stay silent; what they answer must be right.
	Spared []string `json:"spared,omitempty"`
}

// PlatformAddress is where the platform's name leads.
type PlatformAddress struct {
	Cluster      string              `json:"cluster"`                // that every authoritative server which answers points at; "" = neither, or they differ
	Agreed       bool                `json:"agreed"`                 // every authoritative server and resolver answered, and all gave that cluster
	Contradicted bool                `json:"contradicted,omitempty"` // a server or resolver that answers gives another one
	Answers      map[string][]string `json:"answers"`                // server → addresses; empty = the server says there are none
	Silent       map[string]string   `json:"silent,omitempty"`       // server → why it gave no answer
	Garbled      []string            `json:"garbled,omitempty"`      // of the silent: something answers there, but nothing that makes sense
	TTL          int                 `json:"ttl"`                    // seconds, of the authoritative servers' records, the longest
}

// ClusterAddresses are what the platform's name has as addresses while the cluster
// is the primary: its VIP and, for platforms that users reach over IPv6, the
// IPv6 address among the cluster's other platform addresses.
func ClusterAddresses(s *site.Site, c *site.Cluster) []string {
	out := []string{c.Endpoint.VIP}
	vip, err := netip.ParseAddr(c.Endpoint.VIP)
	if err != nil || !vip.Is4() || !s.Platform.IPv6Access && c.Network.IPFamily != site.DualStack {
		return out
	}
	for _, text := range c.Other {
		if a, err := netip.ParseAddr(text); err == nil && a.Is6() {
			return append(out, text)
		}
	}
	return out
}

// PointPlatform makes the platform's name lead to the cluster and returns when
// every authoritative server and resolver of the site has given that answer
// three times in a row; those that are spared may be silent, and the evidence
// names them. Servers that are right already are left alone. With a manual driver
// it changes nothing: it only waits for the answers.
func (a *DNS) PointPlatform(ctx context.Context, in PointInput) (Evidence, error) {
	to, ok := in.Site.Cluster(in.To)
	if !ok {
		return Evidence{}, fault.New(fault.BadInput, "point the platform at "+in.To, "site "+in.Site.Name, "name a cluster of the site", errors.New("no such cluster"))
	}
	watch, err := a.watch(&in.Site, to)
	if err != nil {
		return Evidence{}, err
	}
	watch.Spared = in.Spared
	report(ctx, Progress{Text: "looking up " + watch.Name})
	before := watch.Look(ctx)
	if s, alias := dns.Alias(before); alias {
		return Evidence{}, fault.New(fault.Gate, "point "+watch.Name+" at "+in.To, s.Server, "give the name address records of its own instead of the alias, then retry", errors.New(s.String()))
	}
	return a.settleName(ctx, &in.Site, watch, before, fmt.Sprintf("%s leads to %s (%s)", watch.Name, in.To, watch.Want), in.To)
}

// settleName changes a name and waits until every server shows it. So says what
// is then so, for people.
func (a *DNS) settleName(ctx context.Context, s *site.Site, watch dns.Watch, before []dns.Seen, so, host string) (Evidence, error) {
	start := time.Now()
	sent, err := a.change(ctx, s, watch, before)
	if err != nil {
		return Evidence{}, err
	}
	seen, err := watch.Confirm(ctx, watch.Memory(before)+a.margin(), func(text string) { report(ctx, Progress{Text: text}) })
	if err != nil {
		return Evidence{}, a.afterManual(s.DR.DNS, watch, err)
	}
	how := "was changed with " + string(s.DR.DNS.Driver)
	if !sent {
		how = "was so already"
		if s.DR.DNS.Driver == site.DNSManual {
			how = "is not changed by acpflow"
		}
	}
	evidence := Evidence{
		Host:  host,
		Facts: map[string]string{"changed": yesNo(sent), "seconds": seconds(time.Since(start)), "waitLimit": seconds(watch.Memory(before))},
	}
	var mute []string
	for _, s := range seen {
		evidence.Facts[s.Server] = s.Answer.String()
		if watch.Excused(s) {
			mute = append(mute, s.Server)
			evidence.Facts[s.Server] = clip(s.String(), 300)
		}
	}
	evidence.Summary = fmt.Sprintf("%s for %d servers; it %s", so, len(seen)-len(mute), how)
	if len(mute) > 0 {
		evidence.Facts["silent"] = strings.Join(mute, ", ")
		evidence.Summary += "; NOT seen at " + evidence.Facts["silent"] + ", which gave no answer before either"
	}
	return evidence, nil
}

// change sends the update unless every authoritative server is right.
func (a *DNS) change(ctx context.Context, s *site.Site, watch dns.Watch, before []dns.Seen) (sent bool, err error) {
	d := s.DR.DNS
	if watch.Right(before, false) || d.Driver == site.DNSManual {
		return false, nil
	}
	driver, err := dnsDriver(d, a.Hosts.dialSomehow(s))
	if err != nil {
		return false, err
	}
	if watch.Gone {
		report(ctx, Progress{Text: fmt.Sprintf("removing %s with %s", watch.Name, d.Driver)})
		return true, driver.Remove(ctx, watch.Name)
	}
	report(ctx, Progress{Text: fmt.Sprintf("pointing %s at %s with %s", watch.Name, watch.Want, d.Driver)})
	return true, driver.Upsert(ctx, watch.Name, watch.Want)
}

func (a *DNS) afterManual(d *site.DNS, watch dns.Watch, err error) error {
	if d.Driver != site.DNSManual || !fault.Is(err, fault.Stalled) {
		return err
	}
	todo := ManualDNS(watch.Name, watch.Want)
	if watch.Gone {
		todo = "remove the A and AAAA records of " + watch.Name
	}
	return fault.New(fault.Gate, "look up "+watch.Name, "", todo+", then retry", err)
}

// ManualDNS is what a person is asked to do.
func ManualDNS(name string, want dns.Records) string {
	var parts []string
	for _, set := range []struct {
		kind      string
		addresses []string
	}{{"A", want.A}, {"AAAA", want.AAAA}} {
		text := "no " + set.kind + " record"
		if len(set.addresses) > 0 {
			text = set.kind + " " + strings.Join(set.addresses, " ")
		}
		parts = append(parts, text)
	}
	return fmt.Sprintf("point %s at %s, TTL ≤ %d", name, strings.Join(parts, " and "), want.TTL)
}

// LookUpPlatform asks every server of the site which cluster the platform's
// name leads to. It fails when no authoritative server answers.
func (a *DNS) LookUpPlatform(ctx context.Context, in ClusterInput) (PlatformAddress, error) {
	out := PlatformAddress{Answers: map[string][]string{}}
	watch, err := a.watch(&in.Site, nil)
	if err != nil {
		return out, err
	}
	var votes, all []string
	var errs []error
	for _, s := range watch.Look(ctx) {
		if s.Err != nil {
			if out.Silent == nil {
				out.Silent = map[string]string{}
			}
			out.Silent[s.Server] = clip(message(s.Err), 300)
			if !fault.Is(s.Err, fault.Unreachable) {
				out.Garbled = append(out.Garbled, s.Server)
			}
			if !s.Resolver {
				errs = append(errs, s.Err)
			}
			continue
		}
		out.Answers[s.Server] = s.Answer.Addresses()
		vote := leadsTo(&in.Site, s.Answer)
		all = append(all, vote)
		if !s.Resolver {
			votes = append(votes, vote)
			out.TTL = max(out.TTL, s.Answer.TTL)
		}
	}
	if len(votes) == 0 {
		return out, errors.Join(errs...)
	}
	out.Cluster = unanimous(votes)
	out.Contradicted = unanimous(all) != out.Cluster
	out.Agreed = out.Cluster != "" && len(out.Silent) == 0 && !out.Contradicted
	return out, nil
}

// unanimous is what all say; "" when they differ.
func unanimous(votes []string) string {
	for _, v := range votes {
		if v != votes[0] {
			return ""
		}
	}
	return votes[0]
}

// leadsTo is the cluster with exactly these addresses, "" when it is neither.
func leadsTo(s *site.Site, answer dns.Answer) string {
	for i := range s.Clusters {
		want, err := dns.RecordsOf(1, ClusterAddresses(s, &s.Clusters[i])...)
		if err == nil && answer.RCode == "NOERROR" && want.SameAddresses(answer.A, answer.AAAA) {
			return s.Clusters[i].Name
		}
	}
	return ""
}

// watch says what the site's servers must answer; without a cluster, nothing.
func (a *DNS) watch(s *site.Site, to *site.Cluster) (dns.Watch, error) {
	d := s.DR.DNS
	if d == nil || len(d.Authoritative) == 0 {
		return dns.Watch{}, fault.New(fault.BadInput, "look up "+s.Platform.Address, "site "+s.Name,
			"set dr.dns; with driver: manual a person changes the name and acpflow verifies it", errors.New("the site does not say which name servers count"))
	}
	w := dns.Watch{Name: s.Platform.Address, Authoritative: d.Authoritative, Resolvers: d.Resolvers}
	if to != nil {
		want, err := PlatformRecords(s, to)
		if err != nil {
			return w, err
		}
		w.Want = want
	}
	w.Ask = a.Hosts.asker(s, w.Name)
	return w, nil
}

// PlatformRecords are the records of the platform's name while the cluster is primary.
func PlatformRecords(s *site.Site, c *site.Cluster) (dns.Records, error) {
	return dns.RecordsOf(s.DR.DNS.TTL, ClusterAddresses(s, c)...)
}

func (a *DNS) margin() time.Duration {
	if a.Margin > 0 {
		return a.Margin
	}
	return defaultMargin
}

func yesNo(b bool) string { return strconv.FormatBool(b) }
