package checks

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
)

func judgeNode(t *testing.T, s said) []Finding {
	t.Helper()
	return Judge(Input{Site: document(), Cluster: "west", Node: "cp-1", Facts: s.facts(t), Now: now})
}

func TestGoodNode(t *testing.T) {
	findings := judgeNode(t, rhel86())
	for _, f := range findings {
		assert.Equal(t, "cp-1", f.Node)
		assert.False(t, f.Blocking(), "%+v", f)
		assert.NotContains(t, []Outcome{Warn, Waived}, f.Outcome, "%+v", f)
	}
	var ids []string
	for _, f := range findings {
		ids = append(ids, f.Rule)
	}
	assert.Equal(t, []string{
		"GEN-04", "OS", "CHK-03", "CHK-04", "CHK-05", "CHK-06", "CHK-07", "CHK-08", "CHK-10", "CHK-11", "CHK-12", "CHK-13",
		"CHK-16", "CHK-17", "CHK-18", "CHK-20", "CHK-22", "CHK-23", "CHK-25",
	}, ids)
}

func TestNothingIsKnown(t *testing.T) {
	for name, s := range map[string]said{
		"nothing reported": {"machine": "x86_64\n"},
		"all failed":       mapAll("!1"),
		"all hung":         mapAll("!124"),
		"all empty":        mapAll(""),
	} {
		for _, f := range judgeNode(t, s) {
			assert.NotContains(t, []Outcome{Pass, Warn, Skipped}, f.Outcome, "%s: %+v", name, f)
			assert.True(t, f.Blocking())
		}
	}
}

func mapAll(value string) said {
	s := said{}
	for name := range rhel86() {
		s[name] = value
	}
	s["machine"] = "x86_64\n"
	return s
}

// A fact that can't be told makes the rules that need it Error, and only those.
func TestOneFactIsUnknown(t *testing.T) {
	needs := map[string]string{
		"kernel": "OS CHK-04", "hostname": "CHK-11", "uid": "CHK-08", "sudo-user": "CHK-08", "os-release": "OS CHK-04",
		"modules": "CHK-03 CHK-05", "units": "GEN-04 CHK-06", "apparmor": "CHK-06", "selinux": "CHK-06", "selinux-config": "CHK-06",
		"ufw": "CHK-06", "swaps": "CHK-07", "fstab-swap": "CHK-07", "tasks-max": "CHK-10", "hosts": "CHK-12", "resolv": "CHK-13",
		"route4": "CHK-16", "listeners": "CHK-17 CHK-18", "tools": "CHK-20", "kubelet-unit": "CHK-22", "tmp": "CHK-23",
		"leftovers": "CHK-25", "etcd-data": "GEN-04", "processes": "GEN-04", "kubernetes-files": "GEN-04",
	}
	for fact := range rhel86() {
		for _, status := range []string{"!1", "!124", "!125", "!127"} {
			if fact == "machine" { // ParseFacts itself needs it
				continue
			}
			var got []string
			for _, f := range judgeNode(t, rhel86().with(said{fact: status})) {
				if f.Outcome == Error {
					got = append(got, f.Rule)
					assert.Contains(t, f.Reason, fact)
				}
			}
			assert.Equal(t, needs[fact], strings.Join(got, " "), fact)
		}
	}
}

func TestJudgeWithoutItsInput(t *testing.T) {
	for want, change := range map[string]func(*Input){
		"no profile acp-9":    profile("acp-9"),
		"has no cluster east": func(in *Input) { in.Cluster = "east" },
		"has no node cp-9":    onNode("cp-9"),
	} {
		in := Input{Site: document(), Cluster: "west", Node: "cp-1", Facts: rhel86().facts(t), Now: now}
		change(&in)
		for _, f := range Judge(in) {
			assert.Equal(t, Error, f.Outcome)
			assert.Contains(t, f.Reason, want)
		}
	}
}

func waive(w site.Waiver) func(*Input) {
	return func(in *Input) { in.Site.Waivers = []site.Waiver{w} }
}

func TestWaivers(t *testing.T) {
	off := said{"tasks-max": "DefaultTasksMax=512\n"}
	good := site.Waiver{Rule: "CHK-10", Reason: "small demo", Author: "pat@example.com", Expires: "2026-03-10"}
	with := func(change func(*site.Waiver)) func(*Input) {
		w := good
		change(&w)
		return waive(w)
	}
	runRule(t, "CHK-10", []ruleCase{
		{"accepted", off, waive(good), Waived, "accepted by pat@example.com until 2026-03-10: small demo"},
		{"accepted on this node", off, with(func(w *site.Waiver) { w.Nodes = []string{"cp-1"} }), Waived, ""},
		{"accepted elsewhere", off, with(func(w *site.Waiver) { w.Nodes = []string{"cp-2"} }), Fail, "512"},
		{"another rule", off, with(func(w *site.Waiver) { w.Rule = "CHK-07" }), Fail, "512"},
		{"ended", off, with(func(w *site.Waiver) { w.Expires = "2026-03-09" }), Fail, "the waiver of pat@example.com ended on 2026-03-09"},
		{"nothing to accept", nil, waive(good), Pass, "infinity"},
		{"what is not known can't be accepted", said{"tasks-max": "!1"}, waive(good), Error, "tasks-max"},
	})
	f := judged(t, "CHK-10", rhel86().with(off), waive(good))
	assert.False(t, f.Blocking())
	assert.Equal(t, "512", f.Seen)
}

// A site document can only waive what the rules call by the same name.
func TestRulesAreInTheDocument(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Rules() {
		assert.Contains(t, site.Waivable(), r.ID)
		assert.False(t, seen[r.ID], "two rules %s", r.ID)
		seen[r.ID] = true
		require.NotEqual(t, r.judge == nil, r.across == nil, r.ID)
		assert.Contains(t, []Category{Must, Conditional}, r.Category, r.ID)
	}
	assert.Equal(t, site.Profiles(), slices.Sorted(maps.Keys(editions)))
}

func TestJudgeDoesNotChangeItsInput(t *testing.T) {
	doc := document()
	in := Input{Site: doc, Cluster: "west", Node: "cp-1", Facts: rhel86().facts(t), Now: now}
	first := Judge(in)
	assert.Equal(t, first, Judge(in))
	assert.Equal(t, document(), doc)
}
