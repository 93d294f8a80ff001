package etcd

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// Request says what to prove. The zero value compares every key at once, with
// the default patience.
type Request struct {
	Since    *Mark          // of an earlier proof: look only at what changed; nil = at everything
	Only     []string       // resources as kubectl names them, or prefixes of keys; the proof then has no Mark
	Ignore   []Ignore       // beside what is always ignored
	Patience time.Duration  // how long a key may stay behind before it counts, default 10 s
	Owners   bool           // a full proof also looks for dangling owner references; reads the whole standby
	Report   func(Progress) // may be nil; called from several goroutines, one at a time
}

const defaultPatience = 10 * time.Second

// Prove compares the standby with the primary. It never writes.
//
// Both are read at pinned revisions. What differs is looked at again until it is
// equal, or has differed for the patience while the primary's value stood still.
// With Since only keys that changed on either side since then are looked at, and
// those open then, and no owners; when that is impossible the proof is a full one
// and says why.
//
// Errors: fault.BadInput, Unreachable, HostKey, Auth, Protocol, Failed.
func Prove(ctx context.Context, primary, standby *Client, r Request) (Proof, error) {
	began := time.Now()
	if r.Patience <= 0 {
		r.Patience = defaultPatience
	}
	if r.Report == nil {
		r.Report = func(Progress) {}
	}
	p := &prover{Request: r, rules: newRules(r.Ignore), primary: primary, standby: standby, proof: Proof{Mode: Full}}
	if err := p.pin(ctx); err != nil {
		return Proof{}, err
	}
	if err := p.compare(ctx); err != nil {
		return Proof{}, err
	}
	if err := p.settle(ctx); err != nil {
		return Proof{}, err
	}
	if r.Owners && p.proof.Mode == Full {
		if err := p.owners(ctx); err != nil {
			return Proof{}, err
		}
	}
	p.proof.Seconds = time.Since(began).Seconds()
	return p.proof, nil
}

// prover makes one proof.
type prover struct {
	Request
	rules            rules
	primary, standby *Client
	ours, theirs     snapshot
	found            *tally
	proof            Proof
}

// pin fixes the revisions: the standby's first, since it is behind.
func (p *prover) pin(ctx context.Context) (err error) {
	if p.theirs, err = p.standby.now(ctx); err != nil {
		return err
	}
	if p.ours, err = p.primary.now(ctx); err != nil {
		return err
	}
	p.proof.Taken, p.proof.Primary, p.proof.Standby = time.Now(), p.ours.at, p.theirs.at
	if p.ours.at.ClusterID == p.theirs.at.ClusterID {
		return sameCluster(p.primary.place, p.standby.place, p.ours.at.ClusterID)
	}
	return nil
}

// compare reads what is to be read, all of it or what changed.
func (p *prover) compare(ctx context.Context) error {
	if p.Since != nil && len(p.Only) == 0 {
		done, err := p.incremental(ctx)
		if done || err != nil {
			return err
		}
	}
	c := newComparison(p.ours, p.theirs, p.rules, p.Report)
	group, within := errgroup.WithContext(ctx)
	group.Go(func() error { return c.all(within, p.rules.areas(p.Only)) })
	skipped := newTally(len(p.rules.classes))
	if len(p.Only) == 0 {
		group.Go(func() error { return p.countSkipped(within, skipped) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	p.found = c.total
	p.found.add(skipped)
	return nil
}

// countSkipped counts the keys of whole classes that are never read.
func (p *prover) countSkipped(ctx context.Context, into *tally) error {
	for i, c := range p.rules.classes {
		for _, prefix := range c.prefixes {
			for _, side := range []struct {
				s snapshot
				n *int64
			}{{p.ours, &into.primary[i]}, {p.theirs, &into.standby[i]}} {
				n, err := side.s.count(ctx, prefix, after(prefix))
				if err != nil {
					return err
				}
				*side.n += n
			}
		}
	}
	return nil
}

// settle decides about what differs and writes the result down.
func (p *prover) settle(ctx context.Context) error {
	s := &settling{primary: p.primary, standby: p.standby, patience: p.Patience, report: p.Report, began: p.proof.Taken, rev: p.ours.at.Revision}
	if err := s.settle(ctx, p.found.suspects); err != nil {
		return err
	}
	out := &p.proof
	out.Compared, out.Alike, out.Moving = p.found.compared, p.found.alike+s.alike, len(s.moving)
	drift := slices.Clone(s.drift)
	for _, b := range p.found.beyond {
		out.Once += b.times
		drift = append(drift, *b)
	}
	out.Resources = group(drift)
	for _, r := range out.Resources {
		out.Missed, out.Surplus, out.Different = out.Missed+r.Missed, out.Surplus+r.Surplus, out.Different+r.Different
	}
	out.Ignored = p.rules.ignored(p.found, out.Alike)
	if len(p.Only) > 0 {
		return nil // a part: no digest, and nothing to go on from
	}
	out.Digest = p.found.digest.String()
	if open := s.keysOf(); len(open) <= maxOpen && out.Once == 0 {
		out.Mark = Mark{Primary: p.ours.at, Standby: p.theirs.at, Open: open, Digest: out.Digest, Rules: p.rules.print()}
	}
	return nil
}
