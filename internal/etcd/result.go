package etcd

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/acpflow/acpflow/internal/fault"
)

// Bounds of what a result holds; counts are never cut.
const (
	maxSamples  = 5    // keys per resource
	maxDangling = 50   // references
	maxOpen     = 2000 // keys of a Mark; with more the next proof is a full one
)

// group counts the differences by resource and names a few of each.
func group(drift []suspect) []ResourceDiff {
	slices.SortFunc(drift, func(a, b suspect) int { return cmp.Compare(a.key, b.key) })
	byName := map[string]*ResourceDiff{}
	for _, d := range drift {
		name := parseKey(d.key).kind()
		r := byName[name]
		if r == nil {
			r = &ResourceDiff{Resource: name}
			byName[name] = r
		}
		n := max(1, d.times)
		switch d.kind {
		case Missed:
			r.Missed += n
		case Surplus:
			r.Surplus += n
		case Different:
			r.Different += n
		}
		if len(r.Samples) < maxSamples {
			r.Samples = append(r.Samples, Sample{Key: d.key, Kind: d.kind})
		}
	}
	var out []ResourceDiff
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, *byName[name])
	}
	return out
}

// ignored lists every class, also those without keys: a reader shall see what
// was not looked for.
func (r rules) ignored(t *tally, alike int) []IgnoredClass {
	var out []IgnoredClass
	for i, c := range r.classes {
		out = append(out, IgnoredClass{Name: c.name, Reason: c.reason, Primary: t.primary[i], Standby: t.standby[i]})
	}
	return append(out, IgnoredClass{Name: "status and managedFields", Reason: alikeReason, Primary: int64(alike), Standby: int64(alike)})
}

func sameCluster(primary, standby, id string) error {
	return fault.New(fault.BadInput, "compare the etcds of both sides", primary+" and "+standby,
		"check the addresses of both clusters' control planes in the site document", fmt.Errorf("both are the etcd with cluster id %s: %w", id, errSame))
}

var errSame = errors.New("an etcd was compared with itself")
