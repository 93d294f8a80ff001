package site

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

var clockSyntax = regexp.MustCompile(clockForm)

// checkTakeover judges the patience and the proofs of a takeover.
func checkTakeover(j *judge) {
	const at = "dr.takeover"
	t := j.site.DR.Takeover
	j.duration(child(at, "downFor"), t.DownFor, time.Second)
	j.duration(child(at, "soak"), t.Soak, 0)
	if n := t.RightInARow; n < 0 || n > maxInARow {
		j.fail(child(at, "rightInARow"), "use 1 to 20, default 3", "%d right answers in a row can't be waited for", n)
	}
	if n := t.MaxCoreDNSRestarts(); n < 0 || n > maxCoreDNSRestarts {
		j.fail(child(at, "coreDNSRestarts"), "use 0 to 10, default 3", "%d restarts: what a few do not mend needs a person", n)
	}
	if !t.Fence {
		return
	}
	j.planned(func(c *Cluster, path string) {
		if c.Balancer == nil {
			j.fail(child(at, "fence"), "set "+child(path, "balancer")+", with driver: manual a person closes the ports and acpflow verifies it; or drop fence", "how the ports of cluster %s are closed is not known", c.Name)
		}
	})
}

// checkWorkloads judges the clusters whose monitoring follows the platform.
func checkWorkloads(j *judge) {
	const at = "dr.takeover.workloadClusters"
	seen := map[string]bool{}
	for _, c := range j.site.Clusters {
		seen[c.Name] = true
	}
	for i, w := range j.site.DR.Takeover.WorkloadClusters {
		where := child(item(at, i), "name")
		if w.Name != "" {
			j.label(where, w.Name)
		}
		if w.Name != "" && seen[w.Name] {
			j.fail(where, "give each workload cluster a name of its own", "%s is there already", shorten(w.Name))
		}
		seen[w.Name] = true
	}
}

// checkDrill judges the rehearsal: its name must be one nobody uses.
func checkDrill(j *judge) {
	d := j.site.DR.Drill
	if d == nil {
		return
	}
	const at = "dr.drill"
	j.duration(child(at, "every"), d.Every, MinCheckEvery)
	j.drillName(child(at, "canary"), d.Canary)
	for i, b := range d.Blackout {
		j.blackout(item(child(at, "blackout"), i), b)
	}
}

func (j *judge) drillName(at, name string) {
	dns := j.site.DR.DNS
	taken := append([]string{j.site.Platform.Address}, j.site.Platform.OtherAddresses...)
	for _, c := range j.site.Clusters {
		taken = append(taken, c.Endpoint.Domain)
		taken = append(taken, c.Other...)
	}
	switch {
	case name == "":
	case dns == nil:
		j.fail(at, "set dr.dns, or drop the canary", "how names are changed is not known")
	case !isDomain(name):
		j.fail(at, "write a host name in lower case", "%q is no host name", shorten(name))
	case slices.Contains(taken, name):
		j.fail(at, "choose a name that nobody uses, for example acpflow-drill."+dns.Zone, "%s is the platform's own name, a drill would move its users", name)
	case !strings.HasSuffix(name, "."+dns.Zone):
		j.fail(at, "choose a name in the zone, for example acpflow-drill."+dns.Zone, "%s is not in the zone %s", name, dns.Zone)
	}
}

func (j *judge) blackout(at string, b Blackout) {
	for _, f := range []struct{ name, value string }{{"from", b.From}, {"to", b.To}} {
		if f.value != "" && !clockSyntax.MatchString(f.value) {
			j.fail(child(at, f.name), "write it like 08:30", "%q is no time of day", shorten(f.value))
		}
	}
	if _, err := time.LoadLocation(b.Zone); err != nil || b.Zone == "Local" {
		j.fail(child(at, "zone"), "use a name of the IANA time zone database, for example Europe/Berlin", "%q is no time zone", shorten(b.Zone))
	}
}

// checkApprovals judges whether enough people may approve.
func checkApprovals(j *judge) {
	const at = "policy.approvals"
	a := j.site.Policy.Approvals
	if a.People < 0 || a.People > maxApprovers {
		j.fail(child(at, "people"), "use 1 to 20, default 1", "%d people can't approve", a.People)
	}
	j.duration(child(at, "expire"), a.Expire, time.Second)
	for i, name := range a.Approvers {
		where := item(child(at, "approvers"), i)
		switch {
		case strings.TrimSpace(name) == "":
			j.fail(where, "write the name that approvals are given under", "the name is blank")
		case slices.ContainsFunc(a.Approvers[:i], func(s string) bool { return samePerson(s, name) }):
			j.fail(where, "name each person once", "%s is there already", shorten(name))
		}
	}
	switch n := len(a.Approvers); {
	case n > 0 && a.Need() > n:
		j.fail(child(at, "people"), "name more approvers, or demand fewer people", "%d people must approve, but only %d may", a.Need(), n)
	case n > 0 && a.Need() == n:
		j.warn(child(at, "approvers"), "name one more", "all %d approvers are needed, so none of them may start the run", n)
	}
}
