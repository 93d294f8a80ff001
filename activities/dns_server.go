package activities

import (
	"context"
	"errors"
	"fmt"

	"github.com/acpflow/acpflow/internal/dns"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// ServerInput names one name server or resolver of the site, as PlatformAddress does.
// The cluster of the Scope is the one that the platform's name must lead to there.
type ServerInput struct {
	Scope
	Server string `json:"server"`
}

// CheckServer demands that one server, which a failover could not ask, gives the
// platform's name exactly the addresses of the cluster, three times in a row and as
// PointPlatform demands it (DR-42). It waits as long as caches and secondaries may
// need, and changes nothing. A server that the site does not name any more counts for
// nobody: that is fine, and said.
func (a *DNS) CheckServer(ctx context.Context, in ServerInput) (Evidence, error) {
	to, err := in.cluster()
	if err != nil {
		return Evidence{}, err
	}
	watch, err := a.watch(&in.Site, to)
	if err != nil {
		return Evidence{}, err
	}
	one, named := only(watch, in.Server)
	if !named {
		return Evidence{Host: in.Server, Summary: fmt.Sprintf("the site does not name %s any more, so nothing is owed there", in.Server), Facts: map[string]string{"named": yesNo(false)}}, nil
	}
	report(ctx, Progress{Text: "looking up " + watch.Name + " at " + in.Server})
	seen, err := one.Confirm(ctx, one.Memory(one.Look(ctx))+a.margin(), func(text string) { report(ctx, Progress{Text: text}) })
	if fault.Is(err, fault.Stalled) {
		return Evidence{}, fault.New(fault.Gate, "see that "+in.Server+" leads to "+in.Cluster, "", GoneServer(in.Server)+", or retry when it is right", errors.Unwrap(err))
	}
	if err != nil {
		return Evidence{}, err
	}
	out := Evidence{Host: in.Server, Summary: fmt.Sprintf("%s leads to %s (%s) at %s", watch.Name, in.Cluster, watch.Want, in.Server), Facts: map[string]string{"named": yesNo(true)}}
	for _, s := range seen {
		out.Facts[s.Server] = s.Answer.String()
	}
	return out, nil
}

// GoneServer is what a person does about a server that a failover went over.
func GoneServer(server string) string {
	return "start " + server + " and let it copy the zone, or correct its record, or flush it; when it is gone for good, take it out of dr.dns in the site document and start again"
}

// only is the watch of one of its servers. A resolver is right only when an
// authoritative server is, so those stay.
func only(w dns.Watch, server string) (_ dns.Watch, named bool) {
	keep := func(list []string) (out []string) {
		for _, s := range list {
			if dns.Server(s) == dns.Server(server) {
				out = append(out, s)
			}
		}
		return out
	}
	authoritative, resolvers := keep(w.Authoritative), keep(w.Resolvers)
	if len(authoritative) > 0 {
		w.Authoritative = authoritative
	}
	w.Resolvers = resolvers
	return w, len(authoritative)+len(resolvers) > 0
}

// UpdateServer is where the driver sends changes of the site's names, as
// PlatformAddress names servers; "" when it sends them to no name server.
func UpdateServer(s *site.Site) string {
	d := s.DR.DNS
	switch {
	case d == nil || d.Driver != site.DNSRFC2136 || d.RFC2136 == nil:
		return ""
	case d.RFC2136.Server != "":
		return dns.Server(d.RFC2136.Server)
	case len(d.Authoritative) > 0:
		return dns.Server(d.Authoritative[0])
	}
	return ""
}
