package checks

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/acpflow/acpflow/site"
)

// Shared is what the rules across nodes need of one node. An empty hostname or
// offset and a missing clock mean that the node did not tell.
type Shared struct {
	Hostname  string  `json:"hostname,omitempty"`
	MachineID string  `json:"machineId,omitempty"`
	Zone      string  `json:"zone,omitempty"`      // Europe/Moscow; may be empty although the offset is known
	UTCOffset string  `json:"utcOffset,omitempty"` // now, +0300
	Clock     *Clock  `json:"clock,omitempty"`
	Machine   string  `json:"machine,omitempty"`     // uname -m
	Cores     int     `json:"cores,omitempty"`       // 0 = not told
	Memory    float64 `json:"memoryBytes,omitempty"` // 0 = not told
}

// Clock is how far a node's clock is ahead of the caller's, in seconds. The
// truth lies within Offset ± Error: the way there and back is not symmetric.
type Clock struct {
	Offset float64 `json:"offset"`
	Error  float64 `json:"error"`
}

// Shared picks out what the rules across nodes need.
func (f Facts) Shared() Shared {
	out := Shared{Clock: f.clock(), Machine: f.Machine}
	// What can't be read stays empty, which JudgeTogether reports.
	out.Hostname, _ = f.line("hostname")
	out.MachineID, _ = f.line("machine-id")
	out.Cores, _ = f.cores()
	out.Memory, _ = f.memory()
	if zone, err := f.words("timezone"); err == nil && len(zone) > 0 {
		out.UTCOffset = zone[0][0]
		if len(zone) > 1 {
			out.Zone = zoneName(zone[1][0])
		}
	}
	return out
}

// zoneName is the zone that /etc/localtime links to, under one name for UTC.
func zoneName(link string) string {
	_, name, ok := strings.Cut(link, "/zoneinfo/")
	switch {
	case !ok: // a plain file
		return ""
	case slices.Contains([]string{"UTC", "UCT", "Universal", "Zulu", "Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu"}, name):
		return "UTC"
	}
	return name
}

// clock compares the node's clock with the caller's as NTP does: from two times
// of each, the time the script itself took on the node falls out.
func (f Facts) clock() *Clock {
	start, err1 := f.seconds("time-start")
	end, err2 := f.seconds("time-end")
	if err1 != nil || err2 != nil || f.Sent.IsZero() || f.Received.Before(f.Sent) {
		return nil
	}
	sent, received := unixSeconds(f.Sent), unixSeconds(f.Received)
	return &Clock{
		Offset: ((start - sent) + (end - received)) / 2,
		Error:  math.Abs((received-sent)-(end-start)) / 2,
	}
}

func (f Facts) seconds(name string) (float64, error) {
	line, err := f.line(name)
	if err != nil {
		return 0, err
	}
	seconds, err := strconv.ParseFloat(line, 64)
	if err != nil || !(seconds > 0 && seconds < 1e11) { // not NaN either, which no limit would stop
		return 0, fmt.Errorf("%s: no time: %s", name, clip(line))
	}
	return seconds, nil
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// TogetherInput is what all nodes of a cluster told, and what was seen between them.
type TogetherInput struct {
	Site     site.Site
	Cluster  string
	Nodes    map[string]Shared // by name in the site document
	Mesh     *Mesh             // nil: not probed
	Balancer *BalancerView     // nil: not probed
	Unprobed string            // why probing was not wanted; "" = it was, and a missing view is an error
	Package  *PackageView      // nil: not inspected
	Now      time.Time         // for waivers
}

// JudgeTogether judges the nodes of a cluster together, one finding per rule.
// Nodes without facts hide no failure of the others, but nothing passes
// without them.
func JudgeTogether(in TogetherInput) []Finding {
	f, missing, err := in.fleet()
	var out []Finding
	for _, r := range Rules() {
		if r.across == nil || !r.In(profileOf(in.Site)) {
			continue
		}
		var v verdict
		if err != nil {
			v = unknown(err)
		} else {
			v = f.apply(r, missing)
		}
		out = append(out, accept(in.Site, r, "", v, in.Now))
	}
	return out
}

// apply judges one rule; nothing about all nodes passes without the missing ones.
func (f fleet) apply(r Rule, missing []string) verdict {
	v := r.across(f)
	if len(missing) > 0 && r.Subject == AllNodes && v.outcome != Fail && v.outcome != Skipped {
		return unknown(errors.New("no facts of " + several(missing)))
	}
	return v
}

// fleet gathers what is known; missing are the nodes that gave nothing.
func (in TogetherInput) fleet() (f fleet, missing []string, err error) {
	edition, err := editionOf(profileOf(in.Site))
	if err != nil {
		return fleet{}, nil, err
	}
	cluster, ok := in.Site.Cluster(in.Cluster)
	if !ok {
		return fleet{}, nil, fmt.Errorf("the site document has no cluster %s", clip(in.Cluster))
	}
	f = fleet{site: &in.Site, cluster: cluster, edition: edition, shared: in.Nodes,
		mesh: in.Mesh, balancer: in.Balancer, unprobed: in.Unprobed, pkg: in.Package}
	for _, n := range cluster.Nodes {
		if _, ok := in.Nodes[n.Name]; ok {
			f.names = append(f.names, n.Name)
		} else {
			missing = append(missing, n.Name)
		}
	}
	return f, missing, nil
}
