package checks

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

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
		if !slices.Contains(neverPass, f.Rule) {
			assert.NotContains(t, []Outcome{Warn, Waived}, f.Outcome, "%+v", f)
		}
	}
	var ids []string
	for _, f := range findings {
		ids = append(ids, f.Rule)
	}
	assert.Equal(t, []string{
		"GEN-04", "CAP-01", "CAP-04", "CAP-08", "HW-02", "HW-03", "HW-04", "ARM-01", "ARM-02",
		"OS-01", "OS-02", "OS-04", "OS-05", "OS-06", "OS-07", "OS-08", "OS-10", "OS-11", "OS-12", "OS-13", "NET-10",
		"CHK-01", "CHK-02", "CHK-03", "CHK-04", "CHK-05", "CHK-06", "CHK-07", "CHK-08", "CHK-09", "CHK-10", "CHK-11", "CHK-12", "CHK-13",
		"CHK-14", "CHK-15", "CHK-16", "CHK-17", "CHK-18", "CHK-19", "CHK-20", "CHK-21", "CHK-22", "CHK-23", "CHK-24", "CHK-25",
		"RM-00", "RM-05", "DNS-01", "DNS-02", "DNS-03", "EXE-04",
	}, ids)
}

// What the site document alone decides stays decided, and some empty answers
// are answers; nothing else passes, is warned of or is skipped.
func TestNothingIsKnown(t *testing.T) {
	good := map[string]Finding{}
	for _, f := range judgeNode(t, rhel86()) {
		good[f.Rule] = f
	}
	for name, s := range map[string]said{
		"nothing reported": {"machine": "x86_64\n"},
		"all failed":       mapAll("!1"),
		"all hung":         mapAll("!124"),
		"all empty":        mapAll(""),
	} {
		for _, f := range judgeNode(t, s) {
			switch {
			case f.Rule == "NET-10", f.Outcome == Skipped && f.Reason == good[f.Rule].Reason && !strings.HasPrefix(f.Rule, "DNS"):
			case name == "all empty" && slices.Contains([]string{"CHK-14", "RM-00", "DNS-01", "DNS-02", "DNS-03"}, f.Rule):
			default:
				assert.Contains(t, []Outcome{Fail, Error}, f.Outcome, "%s: %+v", name, f)
			}
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
		"kernel": "OS-01 OS-02 OS-04 OS-05 OS-06 OS-07 OS-08 OS-11 OS-13 CHK-04", "hostname": "CHK-11", "hostname-file": "CHK-11", "uid": "CHK-08", "sudo-user": "CHK-08",
		"os-release": "OS-01 OS-02 OS-04 OS-05 OS-06 OS-07 OS-08 OS-11 OS-12 OS-13 CHK-02 CHK-04 CHK-24 RM-05",
		"modules":    "CHK-03 CHK-05", "units": "GEN-04 CHK-06", "apparmor": "CHK-06", "selinux": "CHK-06", "selinux-config": "CHK-06",
		"ufw": "CHK-06", "swaps": "CHK-07", "fstab-swap": "CHK-07", "tasks-max": "CHK-10", "hosts": "CHK-12",
		"resolv": "CHK-13 CHK-14 DNS-01 DNS-02 DNS-03", "route4": "CHK-16 CHK-19", "listeners": "CHK-17 CHK-18", "tools": "CHK-20",
		"kubelet-unit": "CHK-22", "mounts": "CHK-23", "leftovers": "CHK-25", "etcd-data": "GEN-04", "processes": "GEN-04",
		"kubernetes-files": "GEN-04", "cpus": "CAP-08 HW-02", "memory": "CAP-08 HW-03", "cpu": "HW-02", "cpufreq": "HW-02",
		"disks": "HW-04", "spaces": "HW-04 EXE-04", "cmdline": "CHK-01", "grub": "CHK-01", "addresses": "CHK-15 CHK-19", "time-peers": "CHK-19",
		"packages": "CHK-24 RM-05", "snaps": "CHK-24 RM-05", "binaries": "RM-00",
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

func TestEveryProfileHasAnEdition(t *testing.T) {
	assert.Equal(t, site.Profiles(), slices.Sorted(maps.Keys(editions)))
}

func TestJudgeDoesNotChangeItsInput(t *testing.T) {
	doc := document()
	in := Input{Site: doc, Cluster: "west", Node: "cp-1", Facts: rhel86().facts(t), Now: now}
	first := Judge(in)
	assert.Equal(t, first, Judge(in))
	assert.Equal(t, document(), doc)
}
