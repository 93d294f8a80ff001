package etcd

import (
	"context"
	"time"
)

// OwnersRequest says how one side's owner references are looked at.
type OwnersRequest struct {
	Patience time.Duration  // what dangles is looked for again so much later; default 10 s
	Ignore   []Ignore       // further keys whose owners don't count
	Report   func(Progress) // nil allowed; called from several goroutines, one at a time
}

// OwnersLook is what one look at one side's owner references found.
type OwnersLook struct {
	At       Position   `json:"at"`                 // just behind the last read
	Dangling []Dangling `json:"dangling,omitempty"` // at most maxDangling, in the order of their keys
	Orphans  int        `json:"orphans,omitempty"`  // all of them; Dangling may be cut
	Read     int64      `json:"read"`               // keys that were looked at
	Sealed   int64      `json:"sealed,omitempty"`   // of the objects that count: encrypted or unreadable, so their owners are not known
}

// Clean reports whether every owner is there. A look that was never made is not clean.
func (o OwnersLook) Clean() bool { return o.At.Revision > 0 && o.Orphans == 0 }

// LookAtOwners finds references of the objects that a proof compares to objects
// that are nowhere on this side (DR-41). The other side need not be there: so it
// tells, after the synchronizer has gone and the primary is lost, what the garbage
// collector is about to delete. What is missing is looked for twice, as in a proof.
// Errors: as Prove's.
func LookAtOwners(ctx context.Context, c *Client, r OwnersRequest) (OwnersLook, error) {
	if r.Patience <= 0 {
		r.Patience = defaultPatience
	}
	var out OwnersLook
	say := r.Report
	report := func(p Progress) {
		out.Read = max(out.Read, p.Done)
		if say != nil {
			say(p)
		}
	}
	p := &prover{Request: Request{Patience: r.Patience, Report: report}, rules: newRules(r.Ignore), standby: c}
	if err := p.owners(ctx); err != nil {
		return OwnersLook{}, err
	}
	out.Dangling, out.Orphans = p.proof.Dangling, p.proof.Orphans
	for _, i := range p.proof.Ignored {
		out.Sealed += i.Standby
	}
	at, err := c.Position(ctx)
	out.At = at
	return out, err
}
