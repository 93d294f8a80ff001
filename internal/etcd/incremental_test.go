package etcd

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestWhereAMarkEnds: the proof is a full one when an etcd is not the one of the
// mark, or its history is another.
func TestWhereAMarkEnds(t *testing.T) {
	then := func(id string) Position { return Position{ClusterID: id, Revision: 70, Term: 5} }
	r := newRules(nil)
	usable := func(change func(primary, standby *Position)) string {
		m := &Mark{Primary: then("a"), Standby: then("b"), Digest: digest{}.String(), Rules: r.print()}
		p := &prover{Request: Request{Since: m}, rules: r, ours: snapshot{at: then("a")}, theirs: snapshot{at: then("b")}}
		change(&p.ours.at, &p.theirs.at)
		_, why := p.usable()
		return why
	}
	for _, c := range []struct {
		why    string
		change func(primary, standby *Position)
	}{
		{"", func(_, _ *Position) {}},
		{"", func(p, s *Position) { p.Revision, p.Term, s.Revision, s.Term = 71, 6, 71, 9 }},
		{"the primary is another etcd than then", func(p, _ *Position) { p.ClusterID = "c" }},
		{"the standby is another etcd than then", func(_, s *Position) { s.ClusterID = "c" }},
		{"the primary was restored: its term went back", func(p, _ *Position) { p.Revision, p.Term = 71, 2 }},
		{"the standby was restored: its term went back", func(_, s *Position) { s.Revision, s.Term = 71, 2 }},
		{"the primary's revision went back", func(p, _ *Position) { p.Revision = 69 }},
		{"the standby's revision went back", func(_, s *Position) { s.Revision = 69 }},
	} {
		got := usable(c.change)
		assert.Contains(t, got, c.why)
		assert.Equal(t, c.why == "", got == "", got)
	}
}
