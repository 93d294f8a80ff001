package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/site"
)

// Owners are the owner references of one side that lead nowhere.
type Owners struct {
	Evidence
	Dangling []etcd.Dangling `json:"dangling,omitempty"` // a few of them
	Count    int             `json:"count"`              // of all of them
}

// LookAtOwners reads one side's etcd whole and finds the objects whose owners are
// not there, those that the garbage collector deletes as soon as no synchronizer
// puts them back (DR-41). The other side is not asked and may be dead. Findings are
// a result, no error; an error says that it could not be told. Encrypted objects,
// Secrets above all, say nothing of their owners: their number is in the evidence.
func (a *Consistency) LookAtOwners(ctx context.Context, in Scope) (Owners, error) {
	client, err := a.open(ctx, in)
	if err != nil {
		return Owners{}, err
	}
	defer client.Close()
	look, err := etcd.LookAtOwners(ctx, client, etcd.OwnersRequest{
		Patience: in.Site.DR.Sync.Lag(), Ignore: ignored(&in.Site),
		Report: func(p etcd.Progress) { report(ctx, Progress{Text: p.Text, Done: p.Done, Unit: "keys"}) },
	})
	if err != nil {
		return Owners{}, err
	}
	out := Owners{Dangling: look.Dangling, Count: look.Orphans}
	out.Evidence = Evidence{
		Summary: fmt.Sprintf("%d keys of %s: every owner is there", look.Read, in.Cluster), Host: in.Cluster,
		Facts: map[string]string{"keys": fmt.Sprint(look.Read), "dangling": fmt.Sprint(look.Orphans), "sealed": fmt.Sprint(look.Sealed), "revision": fmt.Sprint(look.At.Revision)},
	}
	if look.Orphans > 0 {
		out.Summary = fmt.Sprintf("%d keys of %s: %d refer to owners that are not there", look.Read, in.Cluster, look.Orphans)
		var lines []string
		for _, d := range look.Dangling[:min(len(look.Dangling), maxNamed)] {
			lines = append(lines, fmt.Sprintf("%s without its owner %s %s", d.Key, d.OwnerKind, d.OwnerName))
		}
		out.Tail = clip(strings.Join(lines, "\n"), 2000)
	}
	return out, nil
}

// ignored are the keys that a site leaves out of comparisons.
func ignored(s *site.Site) []etcd.Ignore {
	var out []etcd.Ignore
	for _, i := range s.DR.Sync.Ignore {
		out = append(out, etcd.Ignore{Prefix: i.Prefix, Reason: i.Reason})
	}
	return slices.Clip(out)
}
