package pair_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/checks/pair"
)

// shallow are the good facts without what a monitor reads once an hour.
func shallow() pair.Facts {
	f := good()
	f.Judged = now.Add(time.Minute)
	f.Contract = pair.Known[pair.Contract]{}
	for i := range f.Sides {
		s := &f.Sides[i]
		s.Keys, s.Tokens, s.Certificates, s.Clocks = pair.Known[[]pair.KeyFile]{}, pair.Known[pair.Tokens]{}, pair.Known[[]pair.Certificate]{}, pair.Known[[]pair.Clock]{}
		s.Forwards, s.Inventory, s.Secrets, s.Components = pair.Known[[]pair.Forward]{}, pair.Known[[]pair.Kind]{}, pair.Known[pair.Secrets]{}, pair.Known[[]string]{}
	}
	return f
}

func TestCardOfGoodFacts(t *testing.T) {
	c := pair.Make(good(), nil)
	assert.False(t, c.Blocking)
	assert.Equal(t, len(c.Findings), c.Tally.Pass)
	require.NotNil(t, c.Good)
	assert.Equal(t, "west", c.Good.From)
	assert.Equal(t, "v4.1.0", c.Good.Plugin)
	assert.Equal(t, int64(77), c.Known.Primary.Revision)
	assert.True(t, c.Carries())
	assert.Equal(t, now, c.Deep)
	assert.Empty(t, c.Findings[0].Title)
	assert.NotEmpty(t, pair.Full(c.Findings[0]).Title)
}

// What was read lately stands; without it the same facts are not enough.
func TestShallowCheckCarriesWhatWasReadLately(t *testing.T) {
	deep := pair.Make(good(), nil)
	c := pair.Make(shallow(), &deep)
	assert.False(t, c.Blocking)
	assert.Equal(t, deep.Tally, c.Tally)
	assert.Equal(t, now, c.Deep)
	assert.True(t, c.Lately)
	again := pair.Make(shallow(), &c)
	assert.Equal(t, c.Findings, again.Findings)

	alone := pair.Make(shallow(), nil)
	assert.True(t, alone.Blocking)
	assert.False(t, alone.Carries(), "what was not read can't be carried")
}

// A later fault is never hidden by what was well before.
func TestNothingIsCarriedOverAFault(t *testing.T) {
	deep := pair.Make(good(), nil)
	for _, c := range ruleCases {
		f := good()
		c.edit(&f)
		card := pair.Make(f, nil)
		assert.Equal(t, slices.ContainsFunc(card.Findings, checks.Finding.Blocking), card.Blocking)
		if c.want == fail {
			assert.True(t, pair.Make(f, &deep).Blocking, "%s %s", c.rule, c.name)
		}
	}
	dead := shallow()
	dead.Sides[0] = pair.Side{Cluster: "west", Taken: now, Fault: &pair.Fault{Class: "Unreachable", Message: "no route"}}
	c := pair.Make(dead, &deep)
	assert.True(t, c.Blocking)
	assert.Nil(t, c.Good)
	assert.False(t, c.Lately)
	assert.Equal(t, "west", c.Known.From, "the ledger outlives the primary")
}

// Only what is proven and agreed on is remembered as good.
func TestGoodNeedsEverySign(t *testing.T) {
	for name, edit := range map[string]func(*pair.Facts){
		"missed":      func(f *pair.Facts) { f.Proof.Value.Missed = 1 },
		"vendor":      func(f *pair.Facts) { f.Vendor = pair.Of(pair.Vendor{Surplus: 1}) },
		"unclear":     func(f *pair.Facts) { f.Vendor = pair.Of(pair.Vendor{Unclear: "x"}) },
		"no proof":    func(f *pair.Facts) { f.Proof = pair.Unknown[pair.Proof]("x") },
		"no plugin":   plugin(none, none),
		"roles":       func(f *pair.Facts) { f.Address.Value.Cluster = "east" },
		"a dead side": func(f *pair.Facts) { f.Sides[0] = pair.Side{Cluster: "west", Fault: &pair.Fault{}} },
	} {
		f := good()
		edit(&f)
		assert.Nil(t, pair.Make(f, nil).Good, name)
	}
}
