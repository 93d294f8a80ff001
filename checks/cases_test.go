package checks

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
)

// table holds the cases of every rule about one node. Rules across nodes have
// theirs in acrossCases and betweenCases.
var table = map[string][]ruleCase{}

// ruleCase is one node and what a rule says about it.
type ruleCase struct {
	name   string
	change said
	input  func(*Input)
	want   Outcome
	seen   string // part of Seen or Reason; all of Seen after a "="
}

// cases adds to the table.
func cases(rule string, list []ruleCase) struct{} {
	table[rule] = append(table[rule], list...)
	return struct{}{}
}

func TestCases(t *testing.T) {
	for _, r := range Rules() {
		for _, c := range table[r.ID] {
			t.Run(r.ID+"/"+c.name, func(t *testing.T) { c.check(t, r.ID) })
		}
	}
}

func (c ruleCase) check(t *testing.T, rule string) {
	t.Helper()
	if c.input == nil {
		c.input = func(*Input) {}
	}
	f := judged(t, rule, rhel86().with(c.change), c.input)
	require.Equal(t, c.want, f.Outcome, "%+v", f)
	require.True(t, says(f, c.seen), "%q in %+v", c.seen, f)
	require.NotEmpty(t, f.Title)
	require.NotEmpty(t, f.Source)
	require.NotEmpty(t, f.Want)
	if f.Blocking() {
		require.NotEmpty(t, f.Fix)
	}
}

func says(f Finding, seen string) bool {
	if whole, ok := strings.CutPrefix(seen, "="); ok {
		return f.Seen == whole
	}
	return strings.Contains(f.Seen+" "+f.Reason, seen)
}

func runRule(t *testing.T, rule string, list []ruleCase) {
	t.Helper()
	for _, c := range list {
		t.Run(c.name, func(t *testing.T) { c.check(t, rule) })
	}
}

// across are the cases of all rules across nodes.
func across() []betweenCase { return slices.Concat(acrossCases, betweenCases) }

func TestAcross(t *testing.T) {
	for _, c := range acrossCases {
		t.Run(c.rule+"/"+c.name, func(t *testing.T) {
			f := c.finding()
			require.Equal(t, c.want, f.Outcome, "%+v", f)
			require.Contains(t, f.Seen+" "+f.Reason, c.seen)
		})
	}
}

// Rules that never fail: what is wrong there may be wanted, or can't be proven.
var onlyWarn = []string{"CHK-14", "CAP-05", "CAP-06", "CAP-10", "LB-06"}

// Rules that never pass: no machine can tell all of what they want.
var neverPass = []string{"HW-04"}

// Every rule that is judged has a failing and a passing case and one where it
// can't tell, and a skipped one where there is a condition.
func TestEveryRuleHasCases(t *testing.T) {
	outcomes := map[string][]Outcome{}
	for id, list := range table {
		for _, c := range list {
			outcomes[id] = append(outcomes[id], c.want)
		}
	}
	for _, c := range across() {
		outcomes[c.rule] = append(outcomes[c.rule], c.want)
	}
	for _, r := range Rules() {
		if !r.Judged() {
			assert.Empty(t, outcomes[r.ID], r.ID)
			continue
		}
		has := outcomes[r.ID]
		if slices.Contains(onlyWarn, r.ID) {
			assert.Contains(t, has, Warn, r.ID)
			assert.NotContains(t, has, Fail, r.ID)
		} else {
			assert.Contains(t, has, Fail, r.ID)
		}
		if slices.Contains(neverPass, r.ID) {
			assert.NotContains(t, has, Pass, r.ID)
		} else {
			assert.Contains(t, has, Pass, r.ID)
		}
		if r.Category == Conditional || len(r.Roles) > 0 {
			if r.ID != "CHK-14" { // it also says when there is nothing to judge
				assert.Contains(t, has, Skipped, r.ID)
			}
		}
		if r.Subject != Document {
			assert.Contains(t, has, Error, r.ID)
		}
		delete(outcomes, r.ID)
	}
	assert.Empty(t, outcomes, "cases of rules that are not judged")
}

// What a person reads about a rule is complete in every profile that has it.
func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Rules() {
		assert.False(t, seen[r.ID], "two rules %s", r.ID)
		seen[r.ID] = true
		assert.NotEmpty(t, r.Title, r.ID)
		assert.NotEmpty(t, r.Source, r.ID)
		assert.Contains(t, []Category{Must, Conditional}, r.Category, r.ID)
		assert.Contains(t, []Subject{OneNode, AllNodes, Balancer, Package, Document, Person}, r.Subject, r.ID)
		assert.Equal(t, r.Category == Conditional, r.Condition != "", "%s: a condition", r.ID)
		assert.False(t, r.judge != nil && r.across != nil, r.ID)
		assert.NotEqual(t, r.Judged(), r.JudgedBy != "", "%s: judged here or elsewhere", r.ID)
		assert.Equal(t, r.judge != nil, r.Judged() && r.Subject == OneNode, "%s: subject", r.ID)
		if r.Judged() {
			assert.NotEmpty(t, r.Fix, r.ID)
		}
		for _, p := range site.Profiles() {
			assert.Equal(t, r.In(p), r.Demand(p) != "", "%s in %s", r.ID, p)
		}
		for _, p := range r.Profiles {
			assert.Contains(t, site.Profiles(), p, r.ID)
		}
		// What can be waived: judged here, and no guard against the loss of data.
		assert.Equal(t, r.Judged() && !r.Strict, slices.Contains(site.Waivable(), r.ID), "%s: waivable", r.ID)
	}
	for _, id := range site.Waivable() {
		assert.True(t, seen[id] || id == "DR-31", id) // which package pair judges
	}
}

// The ids of the document's chapters on preparing.
func TestCatalogueIsComplete(t *testing.T) {
	count := func(prefix string, first, last int) []string {
		var out []string
		for n := first; n <= last; n++ {
			out = append(out, prefix+string([]byte{byte('0' + n/10), byte('0' + n%10)}))
		}
		return out
	}
	for _, id := range slices.Concat(count("CHK-", 1, 28), count("HW-", 0, 4), count("ARM-", 1, 3), count("OS-", 1, 14), count("NET-", 1, 10),
		count("LB-", 1, 6), count("PKG-", 1, 4), count("RM-", 0, 5), count("DNS-", 1, 5), count("CAP-", 1, 20), count("PRE-", 1, 4),
		[]string{"GEN-03", "GEN-04", "GEN-05", "EXE-04", "DANGER-01"}) {
		_, known := RuleByID(id)
		assert.True(t, known, id)
	}
}
