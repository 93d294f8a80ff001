package checks

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
)

// prepared is a case with its facts read, to be judged many times.
type prepared struct {
	rule    Rule
	profile string // that it was written for
	want    Outcome
	seen    string
	judge   func(e edition, r Rule) Finding
}

// killed reports whether the case notices the rule or the edition.
func (p prepared) killed(e edition, r Rule) bool {
	f := p.judge(e, r)
	return f.Outcome != p.want || !says(f, p.seen)
}

// holds reports whether the case holds in another profile: where the rule says
// the same, it judges the same.
func (p prepared) holds(profile string) bool {
	if p.rule.ID == armSize.ID && !reflect.DeepEqual(editions[profile].limits.plan, editions[p.profile].limits.plan) {
		return false // it multiplies what other rules say
	}
	return p.rule.In(profile) && p.rule.Demand(profile) == p.rule.Demand(p.profile)
}

func prepare(t *testing.T) map[string][]prepared {
	t.Helper()
	out := map[string][]prepared{}
	for id, list := range table {
		rule, _ := RuleByID(id)
		for _, c := range list {
			in := Input{Site: document(), Cluster: "west", Node: "cp-1", Facts: rhel86().with(c.change).facts(t), Now: now}
			if c.input != nil {
				c.input(&in)
			}
			s, err := subjectOf(in)
			require.NoError(t, err)
			out[id] = append(out[id], prepared{rule, profileOf(in.Site), c.want, c.seen, func(e edition, r Rule) Finding {
				s.edition = e
				return accept(in.Site, r, in.Node, s.apply(r), now)
			}})
		}
	}
	for _, c := range across() {
		rule, _ := RuleByID(c.rule)
		in := healthyNetwork()
		if c.change != nil {
			c.change(&in)
		}
		f, missing, err := in.fleet()
		require.NoError(t, err)
		out[c.rule] = append(out[c.rule], prepared{rule, profileOf(in.Site), c.want, c.seen, func(e edition, r Rule) Finding {
			f.edition = e
			return accept(in.Site, r, "", f.apply(r, missing), in.Now)
		}})
	}
	return out
}

// The cases notice every rule whose verdict is turned round.
func TestMutantsOfRules(t *testing.T) {
	all := prepare(t)
	turned := map[Outcome]Outcome{Pass: Fail, Fail: Pass, Warn: Pass, Error: Pass, Skipped: Pass}
	count := 0
	for _, r := range Rules() {
		for from, to := range turned {
			if !r.Judged() || !slices.ContainsFunc(all[r.ID], func(p prepared) bool { return p.want == from }) {
				continue
			}
			m := r
			turn := func(v verdict) verdict {
				if v.outcome == from {
					v.outcome = to
				}
				return v
			}
			if r.judge != nil {
				m.Roles = nil // apply looks at them
				m.judge = func(s subject) verdict { return turn(s.apply(r)) }
			} else {
				m.across = func(f fleet) verdict { return turn(r.across(f)) }
			}
			count++
			survives := !slices.ContainsFunc(all[r.ID], func(p prepared) bool { return p.killed(editions[p.profile], m) })
			assert.False(t, survives, "%s survives with %s for %s", r.ID, to, from)
		}
	}
	t.Logf("%d mutants of rules", count)
}

// told are what people read, and no machine is judged by.
var told = regexp.MustCompile(`\.(build|name|singlePods|reserve|infra|command|kubernetes|tool|transient|iops|throughput|channels)( |$)|` +
	`\.plan\.(steps|tiers\[\d\]\.masters)|\.goodRate|edition\.calico|\.ipip`)

// The cases notice every number, switch and entry of every edition.
func TestMutantsOfEditions(t *testing.T) {
	all := prepare(t)
	count := 0
	for _, p := range []string{acp43, acp44} { // then 4.2 stands for them
		require.Equal(t, edition42, editions[p].with(""), p)
	}
	for _, profile := range []string{seed, acp41, acp42} {
		e := editions[profile]
		var of []prepared
		for _, list := range all {
			for _, p := range list {
				if p.holds(profile) {
					require.False(t, p.killed(e, p.rule), "%s in %s: %+v", p.rule.ID, profile, p.judge(e, p.rule))
					of = append(of, p)
				}
			}
		}
		plans := allPlans(t, e) + allPorts(t, profile, e)
		for _, m := range mutants(e) {
			count++
			if noticed(of, e, m.edition) {
				continue
			}
			if told.MatchString(m.name) && (reads(e) != reads(m.edition) || allPlans(t, m.edition)+allPorts(t, profile, m.edition) != plans) {
				continue
			}
			t.Errorf("%s survives: %s", profile, m.name)
		}
	}
	t.Logf("%d mutants of editions", count)
}

// noticed reports whether a case kills the mutant; those of rules that read
// otherwise then are the first to ask.
func noticed(of []prepared, e, mutant edition) bool {
	changed := map[string]bool{}
	for _, r := range Rules() {
		changed[r.ID] = r.demand(e) != r.demand(mutant)
	}
	for _, first := range []bool{true, false} {
		for _, p := range of {
			if changed[p.rule.ID] == first && p.killed(mutant, p.rule) {
				return true
			}
		}
	}
	return false
}

// reads is all that people read of an edition.
func reads(e edition) string {
	var b strings.Builder
	for _, r := range Rules() {
		b.WriteString(r.demand(e) + "\n")
	}
	return b.String()
}

// allPorts is what other nodes must reach by an edition.
func allPorts(t *testing.T, profile string, e edition) string {
	t.Helper()
	kept := editions[profile]
	defer func() { editions[profile] = kept }()
	editions[profile] = e
	doc := document()
	doc.Profile = profile
	doc.Clusters[0].Network.CNI = site.Calico
	ports, err := PortsOf(doc, &doc.Clusters[0], doc.Clusters[0].Nodes[0])
	require.NoError(t, err)
	return fmt.Sprint(ports)
}
