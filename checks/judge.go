package checks

import (
	"fmt"
	"slices"
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
			failed := finding(sudo, in.Node, fail(f.Reason))
			out[i] = accept(in.Site.Waivers, failed, in.Now)
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
			v = r.judge(s)
		}
		out = append(out, accept(in.Site.Waivers, finding(r, in.Node, v), in.Now))
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

func finding(r Rule, node string, v verdict) Finding {
	f := Finding{
		Rule: r.ID, Title: r.Title, Node: node, Source: r.Source,
		Outcome: v.outcome, Seen: v.seen, Reason: v.reason, Want: r.Want,
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

// accept applies the site's waivers. Only a failure can be accepted: nobody
// can answer for what could not be told. An ended waiver is named.
func accept(waivers []site.Waiver, f Finding, now time.Time) Finding {
	if f.Outcome != Fail {
		return f
	}
	if r, ok := RuleByID(f.Rule); ok && r.Strict {
		return f
	}
	if w, ok := site.WaiverFor(waivers, f.Rule, f.Node, now); ok {
		f.Outcome = Waived
		f.Reason = fmt.Sprintf("accepted by %s until %s: %s", w.Author, w.Expires, w.Reason)
		return f
	}
	for _, w := range waivers {
		if w.Rule == f.Rule && (len(w.Nodes) == 0 || slices.Contains(w.Nodes, f.Node)) {
			f.Reason = fmt.Sprintf("the waiver of %s ended on %s", w.Author, w.Expires)
		}
	}
	return f
}
