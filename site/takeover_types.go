package site

import (
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // time zones of blackouts, where the machine has none
)

// Takeover is how a switchover and a failover go about it (DR-40…DR-43).
type Takeover struct {
	DownFor          string            `json:"downFor,omitempty"`          // how long nothing of the old side may answer before it counts as unreachable, default 1m
	Soak             string            `json:"soak,omitempty"`             // how long the new side is watched before the run is done, default 1m
	RightInARow      int               `json:"rightInARow,omitempty"`      // right answers in a row before a node or a Pod is believed to know the new address, default 3
	CoreDNSRestarts  *int              `json:"coreDNSRestarts,omitempty"`  // times coredns is restarted while Pods see the old address, default 3
	Fence            bool              `json:"fence,omitempty"`            // also close 443, 6443 and 11443 of the old side's VIP
	WorkloadClusters []WorkloadCluster `json:"workloadClusters,omitempty"` // clusters that send their monitoring to the platform
}

// WorkloadCluster is a cluster whose warlock Pods are restarted after a takeover (DR-43).
type WorkloadCluster struct {
	Name       string `json:"name"`       // DNS label, for people
	Kubeconfig Ref    `json:"kubeconfig"` // one with a token or a client certificate in it; no programs
}

// Drill is the rehearsal of a switchover that changes neither side.
type Drill struct {
	Canary   string     `json:"canary,omitempty"`   // host name in dr.dns.zone that is pointed at the standby and removed again; empty = no name is changed
	Every    string     `json:"every,omitempty"`    // how often the schedule runs it, default 24h
	Blackout []Blackout `json:"blackout,omitempty"` // when it must not run
}

// Blackout is a window in which no drill runs.
type Blackout struct {
	Days   []Day  `json:"days,omitempty"` // on which the window begins; empty = every day
	From   string `json:"from"`           // HH:MM
	To     string `json:"to"`             // HH:MM, the first minute after it; not later than from = on the next day
	Zone   string `json:"zone,omitempty"` // IANA time zone, for example Europe/Berlin, default UTC
	Reason string `json:"reason"`         // printed when a drill is left out
}

// Day is a day of the week.
type Day string

// days are in the order of time.Weekday.
var days = []Day{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// Approvals says who may approve what can't be taken back.
type Approvals struct {
	People    int      `json:"people,omitempty"`    // how many different people must approve, default 1
	Expire    string   `json:"expire,omitempty"`    // how long an approval counts, default 1h
	Approvers []string `json:"approvers,omitempty"` // names of who may approve; empty = anybody but who started the run
}

// Defaults and bounds of a takeover.
const (
	DefaultDownFor         = time.Minute
	DefaultSoak            = time.Minute
	DefaultInARow          = 3
	DefaultCoreDNSRestarts = 3
	DefaultDrillEvery      = 24 * time.Hour
	DefaultApprovalLasts   = time.Hour

	maxInARow          = 20
	maxCoreDNSRestarts = 10
	maxApprovers       = 20
	clockForm          = `^([01]\d|2[0-3]):[0-5]\d$`
)

// Down is DownFor as a duration. A text that Validate refuses gives the default.
func (t Takeover) Down() time.Duration { return durationOr(t.DownFor, time.Second, DefaultDownFor) }

// SoakFor is Soak as a duration. A text that Validate refuses gives the default.
func (t Takeover) SoakFor() time.Duration { return durationOr(t.Soak, 0, DefaultSoak) }

// InARow is RightInARow or its default.
func (t Takeover) InARow() int {
	if t.RightInARow > 0 {
		return t.RightInARow
	}
	return DefaultInARow
}

// MaxCoreDNSRestarts is CoreDNSRestarts or its default.
func (t Takeover) MaxCoreDNSRestarts() int {
	if t.CoreDNSRestarts != nil {
		return *t.CoreDNSRestarts
	}
	return DefaultCoreDNSRestarts
}

// Need is how many different people must approve, at least 1.
func (a Approvals) Need() int { return max(a.People, 1) }

// Lasts is Expire as a duration. A text that Validate refuses gives the default.
func (a Approvals) Lasts() time.Duration {
	return durationOr(a.Expire, time.Second, DefaultApprovalLasts)
}

// May reports whether a person of this name is among the approvers. Letter
// case and blanks around it don't count. Who started the run is not known here.
func (a Approvals) May(name string) bool {
	return strings.TrimSpace(name) != "" && (len(a.Approvers) == 0 || slices.ContainsFunc(a.Approvers, func(s string) bool { return samePerson(s, name) }))
}

func samePerson(a, b string) bool {
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}

// Interval is Every as a duration. A text that Validate refuses gives the default.
func (d *Drill) Interval() time.Duration {
	return durationOr(d.Every, MinCheckEvery, DefaultDrillEvery)
}

// BlackedOut returns the first window that holds t. A window that Validate
// refuses holds every t: what can't be read must not let a drill run.
func (d *Drill) BlackedOut(t time.Time) (Blackout, bool) {
	if d == nil {
		return Blackout{}, false
	}
	for _, b := range d.Blackout {
		if b.holds(t) {
			return b, true
		}
	}
	return Blackout{}, false
}

func (b Blackout) holds(t time.Time) bool {
	from, errFrom := time.Parse("15:04", b.From)
	to, errTo := time.Parse("15:04", b.To)
	zone, err := time.LoadLocation(b.Zone) // "" is UTC
	if errFrom != nil || errTo != nil || err != nil {
		return true
	}
	local, length := t.In(zone), 0
	if !to.After(from) {
		length = 1 // it ends on the next day
	}
	for _, begun := range []int{0, -1} { // today, or yesterday and not over yet
		y, m, day := local.AddDate(0, 0, begun).Date()
		start := time.Date(y, m, day, from.Hour(), from.Minute(), 0, 0, zone)
		end := time.Date(y, m, day+length, to.Hour(), to.Minute(), 0, 0, zone)
		if (len(b.Days) == 0 || slices.Contains(b.Days, days[start.Weekday()])) && !t.Before(start) && t.Before(end) {
			return true
		}
	}
	return false
}
