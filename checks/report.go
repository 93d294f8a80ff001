package checks

import (
	"time"

	"github.com/acpflow/acpflow/site"
)

// Report is the whole verdict on a cluster: every rule of the profile on every
// node it is about.
type Report struct {
	Site     string     `json:"site"`
	Cluster  string     `json:"cluster"`
	Profile  string     `json:"profile"`
	Judged   time.Time  `json:"judged"`
	Tally    Tally      `json:"tally"`
	Blocking bool       `json:"blocking"` // a failure or an error: not fit for an install
	Findings []Finding  `json:"findings"` // node by node in the order of the site, then the cluster's own
	Notes    []Conflict `json:"conflicts,omitempty"`
	// Waivers are those of the site document, ended ones too.
	Waivers []site.Waiver `json:"waivers,omitempty"`
}

// Tally counts findings by outcome.
type Tally struct {
	Pass    int `json:"pass"`
	Warn    int `json:"warn"`
	Fail    int `json:"fail"`
	Error   int `json:"error"`
	Skipped int `json:"skipped"`
	Waived  int `json:"waived"`
}

// Conflict is a place where the document contradicts itself.
type Conflict struct {
	Rule string `json:"rule"`
	Text string `json:"text"`
}

// Count tallies findings.
func Count(findings []Finding) Tally {
	var t Tally
	for _, f := range findings {
		switch f.Outcome {
		case Pass:
			t.Pass++
		case Warn:
			t.Warn++
		case Fail:
			t.Fail++
		case Skipped:
			t.Skipped++
		case Waived:
			t.Waived++
		default: // an outcome nobody knows is no pass
			t.Error++
		}
	}
	return t
}

// Add sums two tallies.
func (t Tally) Add(u Tally) Tally {
	return Tally{t.Pass + u.Pass, t.Warn + u.Warn, t.Fail + u.Fail, t.Error + u.Error, t.Skipped + u.Skipped, t.Waived + u.Waived}
}

// Blocking reports whether the findings stop an install. Nothing judged is
// nothing known, which stops it too.
func (t Tally) Blocking() bool { return t.Fail+t.Error > 0 || t.Total() == 0 }

// Total is the number of findings.
func (t Tally) Total() int { return t.Pass + t.Warn + t.Fail + t.Error + t.Skipped + t.Waived }

// JudgeRecord judges everything that a check read. It is what a run itself
// does, batch by batch, so the same record gives the same verdict anywhere. A
// node that could not be read has every rule in error, and hides nothing about
// the others.
func JudgeRecord(s site.Site, cluster string, r Record) Report {
	out := Report{Site: s.Name, Cluster: cluster, Profile: profileOf(s), Judged: r.Judged, Waivers: s.Waivers}
	c, ok := s.Cluster(cluster)
	if !ok {
		return out
	}
	out.Cluster = c.Name
	byNode := map[string]NodeRecord{}
	for _, n := range r.Nodes {
		byNode[n.Node] = n
	}
	together := TogetherInput{Site: s, Cluster: c.Name, Nodes: map[string]Shared{}, Mesh: r.Mesh, Balancer: r.Balancer, Package: r.Package, Unprobed: r.Unprobed, Now: r.Judged}
	for _, n := range c.Nodes {
		record, ok := byNode[n.Name]
		if !ok {
			record = NodeRecord{Node: n.Name, Fault: "the node was not read"}
		}
		findings, shared := JudgeNode(s, c.Name, record, r.Judged)
		out.Findings = append(out.Findings, findings...)
		if shared != nil {
			together.Nodes[n.Name] = *shared
		}
	}
	out.Findings = append(out.Findings, JudgeTogether(together)...)
	out.Tally = Count(out.Findings)
	out.Blocking = out.Tally.Blocking()
	for _, rule := range Rules() {
		if rule.Conflict != "" && rule.In(out.Profile) {
			out.Notes = append(out.Notes, Conflict{rule.ID, rule.Conflict})
		}
	}
	return out
}

// JudgeNode judges what one node gave; shared is nil when it gave nothing.
func JudgeNode(s site.Site, cluster string, record NodeRecord, now time.Time) (findings []Finding, shared *Shared) {
	facts, err := record.Facts()
	in := Input{Site: s, Cluster: cluster, Node: record.Node, Facts: facts, Now: now}
	if err != nil {
		return unreadable(in, err, record.NoSudo), nil
	}
	told := facts.Shared()
	return Judge(in), &told
}
