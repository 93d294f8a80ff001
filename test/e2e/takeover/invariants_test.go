package takeover

import (
	"slices"
	"strings"

	"github.com/stretchr/testify/assert"
	historypb "go.temporal.io/api/history/v1"

	"github.com/acpflow/acpflow/test/harness/runs"
)

// holds checks what must be true after every test, whatever it broke: in the
// world as the chronicle saw it, and in the history of each run.
func (s *stage) holds() {
	s.Helper()
	s.oneDirection()
	s.portsBeforeName()
	for _, id := range s.runs {
		acts := activitiesOf(s.Events(s, id))
		s.gatesBeforeRemoval(id, acts)
		s.closedBeforeName(id, acts)
		s.capturedBeforeInstall(id, acts)
	}
}

// oneDirection: never two synchronizers, which would copy in opposite directions.
func (s *stage) oneDirection() {
	s.Helper()
	there := map[string]map[string]bool{}
	for _, e := range s.seen.events() {
		if e.what != "plugin" {
			continue
		}
		if there[e.side] == nil {
			there[e.side] = map[string]bool{}
		}
		if e.gone {
			delete(there[e.side], e.uid)
		} else {
			there[e.side][e.uid] = true
		}
		assert.False(s, len(there["west"]) > 0 && len(there["east"]) > 0, "two synchronizers at %s: %v", e.at.Format("15:04:05.000"), there)
	}
}

// portsBeforeName: while the name is moved, nothing takes connections for etcd.
func (s *stage) portsBeforeName() {
	s.Helper()
	looks := s.seen.samples()
	for i := 1; i < len(looks); i++ {
		before, now := looks[i-1], looks[i]
		if before.leads == now.leads {
			continue
		}
		assert.Empty(s, before.open, "the name was moved to %s at %s while 2379 was open", now.leads, now.at.Format("15:04:05.000"))
		assert.Empty(s, now.open, "2379 was open right after the name was moved to %s", now.leads)
	}
}

// act is one activity of a run: the events of its history at which it was
// ordered and at which it ended, 0 = it has not.
type act struct {
	step, kind     string
	ordered, ended int64
	good           bool
}

// activitiesOf lists a run's activities in the order in which they were ordered.
func activitiesOf(events []*historypb.HistoryEvent) []act {
	var out []act
	at := map[int64]int{}
	step := ""
	for _, e := range events {
		if next := runs.StepOf(e); next != "" {
			step = next
		}
		if a := e.GetActivityTaskScheduledEventAttributes(); a != nil {
			at[e.GetEventId()] = len(out)
			out = append(out, act{step: step, kind: a.GetActivityType().GetName(), ordered: e.GetEventId()})
		}
		end := func(scheduled int64, good bool) {
			if i, ok := at[scheduled]; ok {
				out[i].ended, out[i].good = e.GetEventId(), good
			}
		}
		if a := e.GetActivityTaskCompletedEventAttributes(); a != nil {
			end(a.GetScheduledEventId(), true)
		}
		if a := e.GetActivityTaskFailedEventAttributes(); a != nil {
			end(a.GetScheduledEventId(), false)
		}
	}
	return out
}

// gatesBeforeRemoval: the synchronizer goes only after the gate that demands equal
// sides, or that says what is not known, has let the run pass.
func (s *stage) gatesBeforeRemoval(id string, acts []act) {
	s.Helper()
	first := slices.IndexFunc(acts, func(a act) bool { return a.kind == "RemovePlugin" })
	if first < 0 || !takesOver(id) {
		return
	}
	gate := slices.ContainsFunc(acts[:first], func(a act) bool {
		return (strings.Contains(a.step, "06-consistent") || strings.Contains(a.step, "06-last-good")) && a.good
	})
	assert.True(s, gate, "%s: the synchronizer was removed before the gate", id)
}

// closedBeforeName: every order to close a port has ended before the name moves.
func (s *stage) closedBeforeName(id string, acts []act) {
	s.Helper()
	moved := slices.IndexFunc(acts, func(a act) bool { return a.kind == "PointPlatform" })
	if moved < 0 || !takesOver(id) {
		return
	}
	closed := 0
	for _, a := range acts[:moved] {
		if a.kind != "ClosePort" {
			continue
		}
		assert.True(s, a.ended > 0 && a.ended < acts[moved].ordered, "%s: %s was not over when the name moved", id, a.step)
		if a.good {
			closed++
		}
	}
	want := 2
	if strings.HasPrefix(id, "failover/") {
		want = 1 // the dead side's is owed
	}
	assert.GreaterOrEqual(s, closed, want, "%s: ports closed before the name moved", id)
}

// capturedBeforeInstall: what a reprotect overwrites was captured before.
func (s *stage) capturedBeforeInstall(id string, acts []act) {
	s.Helper()
	installed := slices.IndexFunc(acts, func(a act) bool { return a.kind == "InstallPlugin" })
	if installed < 0 || !strings.HasPrefix(id, "reprotect/") {
		return
	}
	captured := slices.ContainsFunc(acts[:installed], func(a act) bool {
		return a.kind == "CaptureDivergence" && a.good && a.ended < acts[installed].ordered
	})
	assert.True(s, captured, "%s: the synchronizer was installed before the divergence was captured", id)
}

// takesOver reports whether a run is a switchover or a failover.
func takesOver(id string) bool {
	return strings.HasPrefix(id, "switchover/") || strings.HasPrefix(id, "failover/")
}
