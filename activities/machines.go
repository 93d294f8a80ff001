package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/internal/kube"
)

// MachinesInput names a side and, to tell what has happened since, what an earlier
// look found there.
type MachinesInput struct {
	Scope
	Before *MachinesView `json:"before,omitempty"` // nil = there was no earlier look
}

// MachinesView is how the Machine objects of a side are.
type MachinesView struct {
	Evidence
	Total      int               `json:"total"`
	Digest     string            `json:"digest"`               // SHA-256 of all names with their UIDs
	UIDs       map[string]string `json:"uids,omitempty"`       // by name; nil when there are more than maxMachines
	NotRunning []string          `json:"notRunning,omitempty"` // "NAME PHASE", a few; Bad counts all
	Deleting   []string          `json:"deleting,omitempty"`   // names, a few; Bad counts all
	Gone       []string          `json:"gone,omitempty"`       // of Before: names that are there no more, or are other objects; a few, or their number
	Bad        int               `json:"bad,omitempty"`        // how many of NotRunning, Deleting and Gone there are
}

// maxMachines bounds what a view remembers one by one. Beyond it Gone still tells
// that some have gone, by their number.
const maxMachines = 5000

// Clean reports whether every Machine runs, none is being deleted, and none of
// those seen before has gone. A look that was never made is not clean.
func (v MachinesView) Clean() bool { return v.Digest != "" && v.Bad == 0 }

// CheckMachines lists the Machine objects of one side through its API and tells
// which of them are not Running, which are being deleted, and which are gone since
// an earlier look (DR-41). That some are is a result, no error; an error says that
// it could not be told. The other side is not asked.
func (a *Sides) CheckMachines(ctx context.Context, in MachinesInput) (MachinesView, error) {
	client, err := (&Cluster{Hosts: a.Hosts}).open(ctx, in.Scope)
	if err != nil {
		return MachinesView{}, err
	}
	defer client.Close()
	all, err := client.Machines(ctx)
	if err != nil {
		return MachinesView{}, err
	}
	return viewMachines(in, all), nil
}

// viewMachines judges what was listed. Pure.
func viewMachines(in MachinesInput, all []kube.MachineState) MachinesView {
	now := map[string]string{}
	var notRunning, deleting []string
	for _, m := range all {
		now[m.Name] = m.UID
		switch {
		case m.Deleting:
			deleting = append(deleting, m.Name)
		case m.Phase != "Running":
			notRunning = append(notRunning, strings.TrimSpace(m.Name+" "+m.Phase))
		}
	}
	gone, missing := in.gone(now)
	out := MachinesView{Total: len(all), Digest: digestOf(now), Bad: len(notRunning) + len(deleting) + missing}
	out.NotRunning, out.Deleting, out.Gone = few(notRunning), few(deleting), few(gone)
	if len(now) <= maxMachines {
		out.UIDs = now
	}
	out.Evidence = Evidence{Summary: fmt.Sprintf("all %d Machines of %s are Running", len(all), in.Cluster), Host: in.Cluster,
		Facts: map[string]string{"machines": fmt.Sprint(len(all)), "digest": out.Digest}}
	if out.Bad > 0 {
		out.Summary = fmt.Sprintf("%d Machines of %s: %s", len(all), in.Cluster, strings.Join(out.wrong(len(notRunning), len(deleting), missing), "; "))
	}
	return out
}

// gone compares with the earlier look: names for people, and how many there are.
// With too many to be remembered by name only a smaller number can be told from it;
// that some are other ones then shows as one.
func (in MachinesInput) gone(now map[string]string) (names []string, n int) {
	b := in.Before
	switch {
	case b == nil, b.Digest == digestOf(now):
		return nil, 0
	case b.UIDs == nil && b.Total > 0:
		n = max(b.Total-len(now), 1)
		return []string{fmt.Sprintf("at least %d of %d", n, b.Total)}, n
	}
	for _, name := range slices.Sorted(maps.Keys(b.UIDs)) {
		if now[name] != b.UIDs[name] {
			names = append(names, name)
		}
	}
	return names, len(names)
}

// wrong is what is to be said.
func (v MachinesView) wrong(notRunning, deleting, gone int) []string {
	var out []string
	for _, w := range []struct {
		n     int
		what  string
		names []string
	}{{notRunning, "not Running", v.NotRunning}, {deleting, "being deleted", v.Deleting}, {gone, "gone since the last look", v.Gone}} {
		if w.n > 0 {
			out = append(out, clip(fmt.Sprintf("%d %s: %s", w.n, w.what, strings.Join(w.names, ", ")), 500))
		}
	}
	return out
}

// few bounds what is named.
func few(names []string) []string {
	slices.Sort(names)
	return names[:min(len(names), maxNamed)]
}

func digestOf(uids map[string]string) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(uids)) {
		_, _ = fmt.Fprintf(h, "%s %s\n", name, uids[name]) // never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}
