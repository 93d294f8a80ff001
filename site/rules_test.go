package site

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ruleCase breaks one rule of a document that is right, and shows the nearest
// document that keeps it.
type ruleCase struct {
	rule     string
	name     string
	pair     bool                    // start from the disaster recovery example
	bad      func(*Site)             // breaks the rule
	good     func(*Site)             // keeps it just so; nil = the example as it is
	material func(bad bool) Material // for the bad or the good document; nil = none
	severity Severity
	path     string // where the problem must be
	says     string // what its message must name
}

// ruleCases come from the test files beside the rules.
func ruleCases() []ruleCase {
	return slices.Concat(documentCases, sshCases, waiverCases, nodeCases, networkCases, familyCases, endpointCases, addressCases, platformCases, drCases, pairCases, takeoverCases, certificateCases)
}

func parsedExample(t *testing.T, pair bool) *Site {
	t.Helper()
	data := Example()
	if pair {
		data = ExampleDR()
	}
	s, err := Parse("moscow.yaml", data)
	require.NoError(t, err)
	return s
}

func TestRules(t *testing.T) {
	for _, c := range ruleCases() {
		t.Run(c.rule+"/"+c.name, func(t *testing.T) {
			bad := c.judge(t, true)
			i := slices.IndexFunc(bad, func(i Issue) bool { return i.Rule == c.rule && i.Path == c.path })
			require.GreaterOrEqual(t, i, 0, "no %s at %s in %+v", c.rule, c.path, bad)
			found := bad[i]
			assert.Equal(t, c.severity, found.Severity)
			assert.Contains(t, found.Message+" "+found.Fix, c.says)
			assert.Positive(t, found.Line, "a problem of a parsed document has a line")
			for _, i := range c.judge(t, false) {
				assert.False(t, i.Rule == c.rule && i.Path == c.path, "the good document is refused: %+v", i)
			}
		})
	}
}

func (c ruleCase) judge(t *testing.T, bad bool) []Issue {
	s, edit := parsedExample(t, c.pair), c.good
	if bad {
		edit = c.bad
	}
	if edit != nil {
		edit(s)
	}
	m := Material{}
	if c.material != nil {
		m = c.material(bad)
	}
	return Validate(s, m).Issues
}

func TestEveryRuleHasACase(t *testing.T) {
	tested := map[string]bool{}
	for _, c := range ruleCases() {
		tested[c.rule] = true
	}
	ids := map[string]bool{}
	for _, r := range Rules() {
		assert.False(t, ids[r.ID], "%s is there twice", r.ID)
		ids[r.ID] = true
		if !ofForm(Issue{Rule: r.ID}) { // those are Parse's, see parse_test.go
			assert.True(t, tested[r.ID], "%s has no case", r.ID)
		}
	}
	for id := range tested {
		assert.True(t, ids[id], "%s is no rule", id)
	}
}

func TestRulesReportAtOnce(t *testing.T) {
	s := parsedExample(t, true)
	s.Platform.Address = "192.0.2.10"
	s.Platform.HTTPPort = 0
	s.Registry = Registry{}
	s.Clusters[0].Endpoint.SelfBuilt = true
	s.Clusters[1].Other = nil
	p := Validate(s, Material{})
	for _, want := range []string{"DR-13", "DR-14", "DR-16", "DR-17", "DR-18"} {
		assert.True(t, slices.ContainsFunc(p.Issues, func(i Issue) bool { return i.Rule == want }), want)
		assert.ErrorContains(t, p.Err(), want)
	}
	assert.True(t, slices.IsSortedFunc(p.Issues, func(a, b Issue) int { return a.Line - b.Line }))
}

func TestWarningsAreNoError(t *testing.T) {
	s := parsedExample(t, false)
	s.Platform.Certificate = nil
	p := Validate(s, Material{})
	assert.Equal(t, 1, p.Warnings(), "%+v", p.Issues)
	assert.NoError(t, p.Err())
	assert.Contains(t, p.Error(), "NET-05")
}

func TestLongReportsEnd(t *testing.T) {
	p := Problems{File: "x.yaml"}
	for i := range 3 * maxFaults {
		p.Issues = append(p.Issues, Issue{Rule: "API-10", Severity: SeverityError, Message: fmt.Sprint(i)})
	}
	assert.Contains(t, p.Error(), fmt.Sprintf("and %d more", 2*maxFaults))
	assert.Contains(t, p.Error(), "300 errors, 0 warnings")
}
