package site

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func blackout(b Blackout) func(*Site) {
	return func(s *Site) { s.DR.Drill = &Drill{Blackout: []Blackout{b}} }
}

var takeoverCases = []ruleCase{
	{rule: "DR-42", name: "how long is down", pair: true, severity: SeverityError, path: "dr.takeover.downFor", says: "1s",
		bad: func(s *Site) { s.DR.Takeover.DownFor = "500ms" }, good: func(s *Site) { s.DR.Takeover.DownFor = "1s" }},
	{rule: "DR-42", name: "soak", pair: true, severity: SeverityError, path: "dr.takeover.soak", says: "duration",
		bad: func(s *Site) { s.DR.Takeover.Soak = "-1s" }, good: func(s *Site) { s.DR.Takeover.Soak = "0s" }},
	{rule: "DR-42", name: "right in a row", pair: true, severity: SeverityError, path: "dr.takeover.rightInARow", says: "default 3",
		bad: func(s *Site) { s.DR.Takeover.RightInARow = 21 }, good: func(s *Site) { s.DR.Takeover.RightInARow = 20 }},
	{rule: "DR-42", name: "restarts of coredns", pair: true, severity: SeverityError, path: "dr.takeover.coreDNSRestarts", says: "person",
		bad: func(s *Site) { s.DR.Takeover.CoreDNSRestarts = new(11) }, good: func(s *Site) { s.DR.Takeover.CoreDNSRestarts = new(0) }},
	{rule: "DR-42", name: "fence without a balancer", pair: true, severity: SeverityError, path: "dr.takeover.fence", says: "clusters[1].balancer",
		bad:  func(s *Site) { s.DR.Takeover.Fence, s.Clusters[1].Balancer = true, nil },
		good: func(s *Site) { s.DR.Takeover.Fence = true }},
	{rule: "DR-43", name: "workload cluster twice", pair: true, severity: SeverityError, path: "dr.takeover.workloadClusters[1].name", says: "payments",
		bad:  func(s *Site) { workload(s, "payments") },
		good: func(s *Site) { workload(s, "orders") }},
	{rule: "DR-43", name: "workload cluster called like a side", pair: true, severity: SeverityError, path: "dr.takeover.workloadClusters[1].name", says: "east",
		bad: func(s *Site) { workload(s, "east") }},
	{rule: "DR-43", name: "name of a workload cluster", pair: true, severity: SeverityError, path: "dr.takeover.workloadClusters[1].name", says: "label",
		bad: func(s *Site) { workload(s, "Orders!") }},
	{rule: "DOC-07", name: "kubeconfig as it is", pair: true, severity: SeverityError, path: "dr.takeover.workloadClusters[0].kubeconfig", says: "not shown",
		bad: func(s *Site) { s.DR.Takeover.WorkloadClusters[0].Kubeconfig = "apiVersion: v1" }},
	{rule: "DOC-06", name: "day of a blackout", pair: true, severity: SeverityError, path: "dr.drill.blackout[0].days[0]", says: "sat",
		bad: func(s *Site) { s.DR.Drill.Blackout[0].Days = []Day{"saturday"} }, good: func(s *Site) { s.DR.Drill.Blackout[0].Days = []Day{"sat"} }},
	{rule: "DOC-11", name: "the platform's own name", pair: true, severity: SeverityError, path: "dr.drill.canary", says: "users",
		bad: func(s *Site) { s.DR.Drill.Canary = "acp.example.com" }},
	{rule: "DOC-11", name: "another name of the platform", pair: true, severity: SeverityError, path: "dr.drill.canary", says: "users",
		bad: func(s *Site) {
			s.Platform.OtherAddresses = []string{"console.example.com"}
			s.DR.Drill.Canary = "console.example.com"
		}},
	{rule: "DOC-11", name: "a name outside the zone", pair: true, severity: SeverityError, path: "dr.drill.canary", says: "acpflow-drill.example.com",
		bad: func(s *Site) { s.DR.Drill.Canary = "drill.example.org" }, good: func(s *Site) { s.DR.Drill.Canary = "x.y.example.com" }},
	{rule: "DOC-11", name: "no host name", pair: true, severity: SeverityError, path: "dr.drill.canary", says: "lower case",
		bad: func(s *Site) { s.DR.Drill.Canary = "Drill.example.com" }},
	{rule: "DOC-11", name: "a name and no DNS", pair: true, severity: SeverityError, path: "dr.drill.canary", says: "dr.dns",
		bad: func(s *Site) { s.DR.DNS = nil }, good: func(s *Site) { s.DR.DNS, s.DR.Drill.Canary = nil, "" }},
	{rule: "DOC-11", name: "how often", pair: true, severity: SeverityError, path: "dr.drill.every", says: "duration",
		bad: func(s *Site) { s.DR.Drill.Every = "daily" }, good: func(s *Site) { s.DR.Drill.Every = "168h" }},
	{rule: "DOC-11", name: "time of day", pair: true, severity: SeverityError, path: "dr.drill.blackout[0].to", says: "08:30",
		bad: blackout(Blackout{From: "23:59", To: "24:00", Reason: "x"}), good: blackout(Blackout{From: "00:00", To: "23:59", Reason: "x"})},
	{rule: "DOC-11", name: "time zone", pair: true, severity: SeverityError, path: "dr.drill.blackout[0].zone", says: "Europe/Berlin",
		bad: blackout(Blackout{From: "08:00", To: "09:00", Zone: "CEST", Reason: "x"}), good: blackout(Blackout{From: "08:00", To: "09:00", Zone: "Asia/Tokyo", Reason: "x"})},
	{rule: "DOC-10", name: "nobody", severity: SeverityError, path: "policy.approvals.people", says: "approve",
		bad: func(s *Site) { s.Policy.Approvals.People = -1 }, good: func(s *Site) { s.Policy.Approvals.People = 2 }},
	{rule: "DOC-10", name: "more than there are", pair: true, severity: SeverityError, path: "policy.approvals.people", says: "only 2",
		bad: func(s *Site) { s.Policy.Approvals.People = 3 }, good: func(s *Site) { s.Policy.Approvals.People = 2 }},
	{rule: "DOC-10", name: "all of them", pair: true, severity: SeverityWarning, path: "policy.approvals.approvers", says: "start the run",
		bad: func(s *Site) { s.Policy.Approvals.People = 2 }},
	{rule: "DOC-10", name: "approver twice", pair: true, severity: SeverityError, path: "policy.approvals.approvers[1]", says: "once",
		bad:  func(s *Site) { s.Policy.Approvals.Approvers[1] = " Alice@example.com" },
		good: func(s *Site) { s.Policy.Approvals.Approvers[1] = "alice@example.org" }},
	{rule: "DOC-10", name: "blank approver", severity: SeverityError, path: "policy.approvals.approvers[0]", says: "blank",
		bad: func(s *Site) { s.Policy.Approvals.Approvers = []string{" "} }},
	{rule: "DOC-10", name: "how long an approval counts", severity: SeverityError, path: "policy.approvals.expire", says: "duration",
		bad: func(s *Site) { s.Policy.Approvals.Expire = "never" }, good: func(s *Site) { s.Policy.Approvals.Expire = "8h" }},
}

func workload(s *Site, name string) {
	t := &s.DR.Takeover
	t.WorkloadClusters = append(t.WorkloadClusters, WorkloadCluster{Name: name, Kubeconfig: "env:KUBECONFIG_TEXT"})
}

func TestTakeoverDefaults(t *testing.T) {
	var takeover Takeover
	assert.Equal(t, time.Minute, takeover.Down())
	assert.Equal(t, time.Minute, takeover.SoakFor())
	assert.Equal(t, 3, takeover.InARow())
	assert.Equal(t, 3, takeover.MaxCoreDNSRestarts())
	takeover = Takeover{DownFor: "5s", Soak: "0s", RightInARow: 5, CoreDNSRestarts: new(0)}
	assert.Equal(t, 5*time.Second, takeover.Down())
	assert.Zero(t, takeover.SoakFor())
	assert.Equal(t, 5, takeover.InARow())
	assert.Zero(t, takeover.MaxCoreDNSRestarts())

	var a Approvals
	assert.Equal(t, 1, a.Need())
	assert.Equal(t, time.Hour, a.Lasts())
	assert.True(t, a.May("anybody"))
	assert.False(t, a.May(" "), "an approval has a name")
	a = Approvals{People: 2, Expire: "10m", Approvers: []string{"Alice@example.com"}}
	assert.Equal(t, 2, a.Need())
	assert.Equal(t, 10*time.Minute, a.Lasts())
	assert.True(t, a.May(" alice@EXAMPLE.com "))
	assert.False(t, a.May("bob@example.com"))

	assert.Equal(t, 24*time.Hour, (&Drill{}).Interval())
	assert.Equal(t, time.Hour, (&Drill{Every: "1h"}).Interval())
}

func TestBlackouts(t *testing.T) {
	for name, c := range map[string]struct {
		window Blackout
		at     string // RFC 3339; 2026-07-03 is a Friday
		in     bool
	}{
		"first minute":                    {Blackout{From: "08:00", To: "09:00"}, "2026-07-03T08:00:00Z", true},
		"last second":                     {Blackout{From: "08:00", To: "09:00"}, "2026-07-03T08:59:59Z", true},
		"over":                            {Blackout{From: "08:00", To: "09:00"}, "2026-07-03T09:00:00Z", false},
		"another zone":                    {Blackout{From: "08:00", To: "09:00", Zone: "Europe/Berlin"}, "2026-07-03T06:30:00Z", true},
		"not in that zone":                {Blackout{From: "08:00", To: "09:00", Zone: "Europe/Berlin"}, "2026-07-03T08:30:00Z", false},
		"in winter":                       {Blackout{From: "08:00", To: "09:00", Zone: "Europe/Berlin"}, "2026-01-05T07:30:00Z", true},
		"another day":                     {Blackout{Days: []Day{"sat", "sun"}, From: "08:00", To: "09:00"}, "2026-07-03T08:30:00Z", false},
		"that day":                        {Blackout{Days: []Day{"fri"}, From: "08:00", To: "09:00"}, "2026-07-03T08:30:00Z", true},
		"before midnight":                 {Blackout{Days: []Day{"fri"}, From: "22:00", To: "06:00"}, "2026-07-03T23:00:00Z", true},
		"after midnight, begun on Friday": {Blackout{Days: []Day{"fri"}, From: "22:00", To: "06:00"}, "2026-07-04T05:59:00Z", true},
		"the night before":                {Blackout{Days: []Day{"fri"}, From: "22:00", To: "06:00"}, "2026-07-03T05:59:00Z", false},
		"the whole day":                   {Blackout{Days: []Day{"fri"}, From: "00:00", To: "00:00"}, "2026-07-03T23:59:59Z", true},
		"the day after":                   {Blackout{Days: []Day{"fri"}, From: "00:00", To: "00:00"}, "2026-07-04T00:00:00Z", false},
		"unreadable":                      {Blackout{From: "soon", To: "09:00"}, "2026-07-03T12:00:00Z", true},
		"a zone that is none":             {Blackout{From: "08:00", To: "09:00", Zone: "Nowhere"}, "2026-07-03T12:00:00Z", true},
	} {
		t.Run(name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, c.at)
			assert.NoError(t, err)
			c.window.Reason = name
			found, in := (&Drill{Blackout: []Blackout{{Days: []Day{"wed"}, From: "01:00", To: "01:01"}, c.window}}).BlackedOut(at)
			assert.Equal(t, c.in, in)
			if in {
				assert.Equal(t, name, found.Reason)
			}
		})
	}
	var none *Drill
	_, in := none.BlackedOut(time.Now())
	assert.False(t, in)
}
