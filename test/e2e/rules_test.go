package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab"
)

// Every rule about one node that a container can break is broken on a real
// node, one at a time: that rule fails, no other finding changes, and mending
// the node brings the first verdict back. What a container can't break stands
// in unbreakable, with the reason.
func TestRulesOnABrokenNode(t *testing.T) {
	world.pristine(t)
	node := world.node(t, "solo-1")
	doc := world.document(t, "solo")
	before := verdicts(t, node, doc)
	for id, f := range before {
		t.Logf("%s %s %s%s", id, f.Outcome, f.Seen, f.Reason)
	}
	for _, d := range damages {
		t.Run(d.rule+" "+d.what, func(t *testing.T) {
			here, was := doc, before
			t.Cleanup(func() { assert.NoError(t, script(t, node, d.undo)) })
			if d.first != "" {
				require.NoError(t, script(t, node, d.first))
				was = verdicts(t, node, doc)
			}
			if d.site != nil {
				here = world.document(t, "solo")
				d.site(&here)
			}
			require.NotEqual(t, checks.Fail, was[d.rule].Outcome, "the rule must not fail before the damage: %+v", was[d.rule])
			require.NoError(t, script(t, node, d.do))
			now := verdicts(t, node, here)
			assert.Equal(t, checks.Fail, now[d.rule].Outcome, "%+v", now[d.rule])
			assert.NotEmpty(t, now[d.rule].Fix)
			for id, f := range now {
				if id != d.rule && !slices.Contains(d.also, id) {
					assert.Equal(t, was[id].Outcome, f.Outcome, "%s changed too: %+v", id, f)
				}
			}
		})
	}
	after := verdicts(t, node, doc)
	for id, f := range before {
		assert.Equal(t, f.Outcome, after[id].Outcome, "%s after mending: %+v", id, after[id])
	}
}

// No judged rule about one node is left out without a reason.
func TestEveryRuleIsBrokenOrSaysWhyNot(t *testing.T) {
	for _, r := range checks.Rules() {
		if !r.Judged() || r.Subject != checks.OneNode {
			continue
		}
		broken := slices.ContainsFunc(damages, func(d damage) bool { return d.rule == r.ID })
		why, excused := unbreakable[r.ID]
		assert.NotEqual(t, broken, excused, "%s must be broken by a test, or unbreakable with a reason", r.ID)
		assert.Equal(t, excused, why != "", r.ID)
	}
	for id := range unbreakable {
		_, ok := checks.RuleByID(id)
		assert.True(t, ok, "unbreakable names %s, which is no rule", id)
	}
}

func script(t *testing.T, n *lab.Node, text string) error {
	t.Helper()
	if text == "" {
		return nil
	}
	_, err := n.Script(context.WithoutCancel(t.Context()), "set -e\n"+text)
	return err
}

// verdicts reads the node with the collector and judges what it says, waivers
// left out: they would hide what breaks.
func verdicts(t *testing.T, n *lab.Node, doc site.Site) map[string]checks.Finding {
	t.Helper()
	doc.Waivers = nil
	sent := time.Now()
	var out bytes.Buffer
	code, err := n.Run(t.Context(), lab.Command{Argv: []string{"bash", "-s"}, Stdin: strings.NewReader(checks.Collector()), Stdout: &out})
	require.NoError(t, err)
	require.Zero(t, code)
	record := checks.NodeRecord{Node: n.Name, Sent: sent, Received: time.Now(), Output: out.String()}
	findings, shared := checks.JudgeNode(doc, doc.Clusters[0].Name, record, record.Received)
	require.NotNil(t, shared, out.String())
	byRule := map[string]checks.Finding{}
	for _, f := range findings {
		byRule[f.Rule] = f
	}
	return byRule
}

// document is the site document of one of the lab's clusters.
func (r *rig) document(t *testing.T, cluster string) site.Site {
	t.Helper()
	var copied site.Site
	r.site(t, "document", cluster, func(s *site.Site) {
		body, err := json.Marshal(s)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(body, &copied))
	})
	site.Default(&copied)
	return copied
}
