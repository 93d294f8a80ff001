package checks

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/acpflow/acpflow/site"
)

// Input is one node's facts and what the site document says about the node.
type Input struct {
	Site    site.Site // profile and waivers count too
	Cluster string
	Node    string
	Facts   Facts
	Now     time.Time // for waivers
}

// Judge applies every rule about one node: one finding per rule, in the order
// of Rules. A rule that can't be judged gives Error, never Pass.
func Judge(in Input) []Finding {
	s, err := subjectOf(in)
	return judgeAll(in, s, err)
}

// unreadable is the verdict on a node that gave no facts: nothing is known of
// it, but perhaps that its user may not become root.
func unreadable(in Input, err error, noSudo bool) []Finding {
	out := judgeAll(in, subject{}, err)
	for i, f := range out {
		if noSudo && f.Rule == sudo.ID {
			out[i] = accept(in.Site, sudo, in.Node, fail(f.Reason), in.Now)
		}
	}
	return out
}

func judgeAll(in Input, s subject, err error) []Finding {
	var out []Finding
	for _, r := range Rules() {
		if r.judge == nil || !r.In(profileOf(in.Site)) {
			continue
		}
		var v verdict
		if err != nil {
			v = unknown(err)
		} else {
			v = s.apply(r)
		}
		out = append(out, accept(in.Site, r, in.Node, v, in.Now))
	}
	return out
}

func subjectOf(in Input) (subject, error) {
	edition, err := editionOf(profileOf(in.Site))
	if err != nil {
		return subject{}, err
	}
	cluster, ok := in.Site.Cluster(in.Cluster)
	if !ok {
		return subject{}, fmt.Errorf("the site document has no cluster %s", clip(in.Cluster))
	}
	i := slices.IndexFunc(cluster.Nodes, func(n site.Node) bool { return n.Name == in.Node })
	if i < 0 {
		return subject{}, fmt.Errorf("cluster %s has no node %s", cluster.Name, clip(in.Node))
	}
	node := cluster.Nodes[i]
	return subject{
		Facts: in.Facts, site: &in.Site, cluster: cluster, node: node, dr: in.Site.DR.Planned, edition: edition,
		installer: node.Role == site.ControlPlane && cluster.InstallerNode().Name == node.Name,
	}, nil
}

// apply judges one rule, if it is about a node of this role.
func (s subject) apply(r Rule) verdict {
	if len(r.Roles) > 0 && !slices.ContainsFunc(r.Roles, s.has) {
		return skipped("only for the role " + strings.Join(r.Roles, ", "))
	}
	return r.judge(s)
}

func (s subject) has(role string) bool {
	switch role {
	case roleInstaller:
		return s.installer
	case roleStorage:
		return s.cluster.LocalStorage
	}
	return string(s.node.Role) == role
}

func finding(r Rule, e edition, node string, v verdict) Finding {
	f := Finding{
		Rule: r.ID, Title: r.Title, Node: node, Source: r.Source, Nodes: v.nodes,
		Outcome: v.outcome, Seen: v.seen, Reason: v.reason, Want: r.demand(e),
	}
	if v.want != "" {
		f.Want = v.want
	}
	if v.outcome == Pass || v.outcome == Skipped {
		return f
	}
	switch f.Fix = r.Fix; {
	case v.fix != "":
		f.Fix = v.fix
	case v.outcome == Error: // the rule's own fix may destroy what is fine
		f.Fix = "find out on the node why this can't be told, then check again"
	}
	return f
}

// accept makes the finding and applies the site's waivers. Only a failure can
// be accepted, and what no machine can tell be attested: nobody can answer for
// what could not be read. A finding about the cluster is covered when each node
// at fault is. An ended waiver is named.
func accept(s site.Site, r Rule, node string, v verdict, now time.Time) Finding {
	e, _ := editionOf(profileOf(s)) // an unknown profile is the verdict already
	f := finding(r, e, node, v)
	if r.Strict || v.outcome != Fail && !v.attest {
		return f
	}
	concerned := v.nodes
	if len(concerned) == 0 {
		concerned = []string{node}
	}
	verb := "accepted"
	if v.attest {
		verb = "attested"
	}
	var reasons []string
	for _, n := range concerned {
		w, ok := site.WaiverFor(s.Waivers, r.ID, n, now)
		if !ok {
			return ended(s, f, concerned, now)
		}
		reason := fmt.Sprintf("%s by %s until %s: %s", verb, w.Author, w.Expires, w.Reason)
		if !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	f.Outcome, f.Reason = Waived, strings.Join(reasons, "; ")
	return f
}

// ended names a waiver that once covered a node of the finding.
func ended(s site.Site, f Finding, nodes []string, now time.Time) Finding {
	for _, w := range s.Waivers {
		for _, n := range nodes {
			covers := w.Rule == f.Rule && (len(w.Nodes) == 0 || slices.Contains(w.Nodes, n))
			if _, holds := site.WaiverFor([]site.Waiver{w}, f.Rule, n, now); covers && !holds {
				f.Reason = fmt.Sprintf("the waiver of %s ended on %s", w.Author, w.Expires)
			}
		}
	}
	return f
}
