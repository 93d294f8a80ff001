package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/internal/dns"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// NameInput names a host name in the site's zone that is not the platform's: a
// drill's canary. The Scope's cluster is not used.
type NameInput struct {
	Scope
	Name string `json:"name"`
	To   string `json:"to,omitempty"` // name of a cluster of the site; of PointName only
}

// PointName gives the name the addresses of a cluster, as the platform's name would
// get them, and returns when every authoritative server and resolver of the site
// shows it. It refuses the names of the platform and any name that has addresses
// which are no cluster's of the site: somebody uses it. With a manual driver it
// only waits.
func (a *DNS) PointName(ctx context.Context, in NameInput) (Evidence, error) {
	to, ok := in.Site.Cluster(in.To)
	if !ok {
		return Evidence{}, fault.New(fault.BadInput, "point "+in.Name+" at "+in.To, "site "+in.Site.Name, "name a cluster of the site", errors.New("no such cluster"))
	}
	watch, err := a.watchName(in, to)
	if err != nil {
		return Evidence{}, err
	}
	before, err := free(ctx, &in.Site, watch)
	if err != nil {
		return Evidence{}, err
	}
	return a.settleName(ctx, &in.Site, watch, before, fmt.Sprintf("%s leads to %s (%s)", watch.Name, in.To, watch.Want), in.To)
}

// RemoveName takes the addresses of the name away and returns when every
// authoritative server and resolver of the site says that there are none. It
// refuses what PointName refuses. A name without addresses is fine.
func (a *DNS) RemoveName(ctx context.Context, in NameInput) (Evidence, error) {
	watch, err := a.watchName(in, nil)
	if err != nil {
		return Evidence{}, err
	}
	watch.Gone = true
	before, err := free(ctx, &in.Site, watch)
	if err != nil {
		return Evidence{}, err
	}
	return a.settleName(ctx, &in.Site, watch, before, watch.Name+" has no address", "")
}

// watchName watches a name that acpflow may make and remove.
func (a *DNS) watchName(in NameInput, to *site.Cluster) (dns.Watch, error) {
	s := &in.Site
	name := strings.ToLower(strings.TrimSuffix(in.Name, "."))
	w, err := a.watch(s, to)
	if err != nil {
		return w, err
	}
	refuse := func(why string) (dns.Watch, error) {
		return dns.Watch{}, fault.New(fault.BadInput, "change "+in.Name, "site "+s.Name, "name a host in dr.dns.zone that nobody uses", errors.New(why))
	}
	zone := strings.ToLower(strings.Trim(s.DR.DNS.Zone, "."))
	if label, ok := strings.CutSuffix(name, "."+zone); !ok || label == "" || zone == "" {
		return refuse(fmt.Sprintf("it is no host name in the zone %q", zone))
	}
	if slices.ContainsFunc(platformNames(s), func(n string) bool { return strings.EqualFold(strings.TrimSuffix(n, "."), name) }) {
		return refuse("the platform is reached under this name")
	}
	w.Name, w.Ask = name, a.Hosts.asker(s, name)
	return w, nil
}

// platformNames are the names under which users reach the platform.
func platformNames(s *site.Site) []string {
	out := append([]string{s.Platform.Address}, s.Platform.OtherAddresses...)
	for _, c := range s.Clusters {
		out = append(out, c.Other...)
		out = append(out, c.Endpoint.Domain)
	}
	return out
}

// free looks the name up and demands that it has no address, or those of a cluster
// of the site, on every authoritative server that answers. One that does not answer
// is found by Confirm.
func free(ctx context.Context, s *site.Site, watch dns.Watch) ([]dns.Seen, error) {
	report(ctx, Progress{Text: "looking up " + watch.Name})
	before := watch.Look(ctx)
	for _, seen := range before {
		if seen.Resolver || seen.Err != nil || len(seen.Answer.Addresses()) == 0 && seen.Answer.Alias == "" {
			continue
		}
		if seen.Answer.Alias != "" || leadsTo(s, seen.Answer) == "" {
			return nil, fault.New(fault.Gate, "change "+watch.Name, seen.Server, "name a host in dr.dns.zone that nobody uses, or remove its records", errors.New(seen.String()+", which acpflow did not write"))
		}
	}
	return before, nil
}
