package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/site"
)

// pointPlatform is a step that makes the platform's name lead to a cluster
// (DR-20, DR-42). Its undo points it at another one; nil = it cannot be undone.
func pointPlatform(id, title string, s *site.Site, to, undoTo *site.Cluster) Step {
	step := Step{
		StepInfo: StepInfo{ID: id, Title: title, Source: []string{"DR-11", "DR-20", "DR-42"}, Effect: Write, Calls: pointCalls(s, to)},
		Do:       pointDo(s, to, "Point "+s.Platform.Address+" at "+to.Name, nil),
	}
	if undoTo != nil {
		step.Undo = pointDo(s, undoTo, "Undo: point "+s.Platform.Address+" at "+undoTo.Name, nil)
	}
	if s.DR.DNS == nil || s.DR.DNS.Driver == site.DNSManual {
		step.Ask = func(ctx workflow.Context) (string, error) { return askToPoint(ctx, s, to) }
	}
	return step
}

// pointDo points the name. spared says, right then, which servers may be silent; nil = none.
func pointDo(s *site.Site, to *site.Cluster, summary string, spared func() []string) func(workflow.Context) (activities.Evidence, error) {
	return func(ctx workflow.Context) (activities.Evidence, error) {
		var a *activities.DNS
		var evidence activities.Evidence
		in := activities.PointInput{Scope: activities.Scope{Site: *s, Cluster: to.Name}, To: to.Name}
		if spared != nil {
			in.Spared = spared()
		}
		err := workflow.ExecuteActivity(caches(ctx, summary), a.PointPlatform, in).Get(ctx, &evidence)
		return evidence, err
	}
}

// lookUpPlatform asks every name server of the site where the platform's name leads.
func lookUpPlatform(ctx workflow.Context, s *site.Site) (activities.PlatformAddress, error) {
	var a *activities.DNS
	var out activities.PlatformAddress
	in := activities.ClusterInput{Scope: activities.Scope{Site: *s}}
	err := workflow.ExecuteActivity(quickRead(ctx, "Look up "+s.Platform.Address), a.LookUpPlatform, in).Get(ctx, &out)
	return out, err
}

// askToPoint asks a person only while the name does not lead there yet.
func askToPoint(ctx workflow.Context, s *site.Site, to *site.Cluster) (string, error) {
	now, err := lookUpPlatform(ctx, s)
	if err != nil {
		return "", err
	}
	if now.Agreed && now.Cluster == to.Name && now.TTL <= s.DR.DNS.TTL {
		return "", nil
	}
	want, err := activities.PlatformRecords(s, to)
	if err != nil {
		return "", err
	}
	ask := activities.ManualDNS(s.Platform.Address, want)
	return strings.ToUpper(ask[:1]) + ask[1:] + ", on every authoritative server, then approve", nil
}

// pointCalls are what a person would type.
func pointCalls(s *site.Site, to *site.Cluster) []string {
	d := s.DR.DNS
	if d == nil {
		return []string{"(the site has no dr.dns: a person changes the name)"}
	}
	want, err := activities.PlatformRecords(s, to)
	if err != nil {
		return []string{"(" + err.Error() + ")"}
	}
	name := s.Platform.Address + "."
	var out []string
	switch {
	case d.Driver == site.DNSRFC2136 && d.RFC2136 != nil:
		out = append(out, fmt.Sprintf("nsupdate -y %s:%s:SECRET   # one message", d.RFC2136.Algorithm, d.RFC2136.KeyName),
			"  server "+d.RFC2136.Server, "  zone "+d.Zone, "  update delete "+name+" A", "  update delete "+name+" AAAA")
		for _, a := range want.A {
			out = append(out, fmt.Sprintf("  update add %s %d A %s", name, want.TTL, a))
		}
		for _, a := range want.AAAA {
			out = append(out, fmt.Sprintf("  update add %s %d AAAA %s", name, want.TTL, a))
		}
		out = append(out, "  send")
	case d.Driver == site.DNSExternal && d.ExternalDNS != nil:
		out = append(out, "POST "+strings.TrimSuffix(d.ExternalDNS.URL, "/")+"/records   # "+s.Platform.Address+" "+want.String())
	case d.Driver == site.DNSExec && d.Exec != nil:
		out = append(out, strings.Join(d.Exec.Command, " ")+"   # upsert "+s.Platform.Address+" "+want.String())
	default:
		out = append(out, "a person: "+activities.ManualDNS(s.Platform.Address, want))
	}
	for _, server := range d.Authoritative {
		out = append(out, fmt.Sprintf("dig @%s %s A %s AAAA   # until right three times in a row", server, name, name))
	}
	for _, server := range d.Resolvers {
		out = append(out, fmt.Sprintf("dig @%s %s A %s AAAA   # the same, within the TTL", server, name, name))
	}
	return out
}
