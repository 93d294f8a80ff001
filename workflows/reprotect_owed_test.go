package workflows_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
)

// Name servers that were silent during the takeover are looked at before anything is
// captured, and each is struck when it is right.
func TestReprotectPaysForSilentServers(t *testing.T) {
	w := newReprotectWorld(t)
	w.owesServers("192.0.2.3:53", "192.0.2.5:53")
	w.owes(2379)
	require.NoError(t, w.run())
	assert.Regexp(t, "^ClosePort east:2379, CheckServer 192.0.2.3:53, CheckServer 192.0.2.5:53, capture,", w.history())
	assert.Equal(t, []string{"west: 2 owed", "west: 1 owed", "west: 0 owed", "west: 0 owed", "east: 0 owed"}, w.written)
	assert.Equal(t, "192.0.2.3:53 leads to west; 192.0.2.5:53 leads to west", w.stepIn("reprotect.05-owed-names").Evidence.Summary)
	assert.Empty(t, w.status().Recovery.Owed)
}

// One that is not right stops the run before the capture; the others are paid.
func TestReprotectStopsAtAServerThatIsNotRight(t *testing.T) {
	w := newReprotectWorld(t)
	w.owesServers("192.0.2.3:53", "192.0.2.5:53")
	w.given["CheckServer"] = func(raw json.RawMessage) any {
		var in activities.ServerInput
		assert.NoError(t, json.Unmarshal(raw, &in))
		if in.Server == "192.0.2.3:53" {
			return permanent("192.0.2.3:53 answers 192.0.2.20, so it", fault.Gate)
		}
		return activities.Evidence{Summary: "right"}
	}
	w.refusedAt("reprotect.05-owed-names", "192.0.2.3:53 answers 192.0.2.20")
	assert.False(t, w.called("CaptureDivergence"))
	require.Len(t, w.sides["west"].Record.Owed, 1)
	assert.Equal(t, "192.0.2.3:53", w.sides["west"].Record.Owed[0].Server)
}

// The roles are judged before, by every server; what is said there of one that the
// takeover has gone over tells what to do about it.
func TestReprotectSaysWhatToDoAboutSilentServers(t *testing.T) {
	right, old := []string{"192.0.2.10"}, []string{"192.0.2.20"}
	const owed, other = "192.0.2.3:53", "192.0.2.4:53"
	for name, c := range map[string]struct {
		now     activities.PlatformAddress
		step    string
		says    string
		neither string // what must not be said
	}{
		"still at the old address": {activities.PlatformAddress{Answers: map[string][]string{"192.0.2.2:53": right, owed: old}}, "reprotect.01-roles",
			"The takeover went on without 192.0.2.3:53, which was silent: start it and let it copy the zone", ""},
		"a resolver that is": {activities.PlatformAddress{Cluster: "west", Contradicted: true, Answers: map[string][]string{"192.0.2.2:53": right, owed: old}}, "reprotect.01-roles",
			"The takeover went on without 192.0.2.3:53", ""},
		"gone for good": {activities.PlatformAddress{Cluster: "west", Answers: map[string][]string{"192.0.2.2:53": right}, Silent: map[string]string{owed: "timed out"}}, "reprotect.03-one-primary",
			"take it out of dr.dns in the site document and start again", ""},
		"another one is silent": {activities.PlatformAddress{Cluster: "west", Answers: map[string][]string{"192.0.2.2:53": right, owed: right}, Silent: map[string]string{other: "timed out"}}, "reprotect.03-one-primary",
			"one that is gone for good, take out of dr.dns", "The takeover went on"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newReprotectWorld(t)
			w.owesServers(owed)
			w.answer["LookUpPlatform"] = func() any { return c.now }
			w.refusedAt(c.step, c.says)
			d := w.status().Decisions
			if c.neither != "" {
				assert.NotContains(t, d[len(d)-1].Error, c.neither)
			}
			assert.Empty(t, w.acted, "nothing was changed")
		})
	}
}
