package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

const (
	deadServer   = "198.18.0.3:53"
	deadResolver = "198.18.0.5:53"
)

// mute makes name servers give no answer, and keeps which ones the move of the name
// and the page were told to spare.
type mute struct {
	*takeoverWorld
	servers, garbled []string
	half             bool // one server leads to east before the others
	moved, seen      []string
}

func newMute(w *takeoverWorld, servers ...string) *mute {
	m := &mute{takeoverWorld: w, servers: servers}
	instead(w.world, "LookUpPlatform", func(activities.ClusterInput) any {
		out := activities.PlatformAddress{Cluster: w.name, Agreed: len(m.servers) == 0, TTL: 30, Answers: map[string][]string{"192.0.2.2:53": {"192.0.2.10"}}, Silent: map[string]string{}, Garbled: m.garbled}
		for _, s := range m.servers {
			out.Silent[s] = "i/o timeout"
		}
		if m.half {
			out.Cluster, out.Answers["192.0.2.4:53"] = "", []string{"192.0.2.20"}
		}
		return out
	})
	instead(w.world, "PointPlatform", func(in activities.PointInput) any {
		w.invariants()
		m.moved = in.Spared
		for _, s := range m.servers {
			if !slices.Contains(in.Spared, s) {
				return permanent("the name, because "+s+" gives no answer,", fault.Stalled)
			}
		}
		w.name, m.half = in.To, false
		return activities.Evidence{Summary: "points"}
	})
	instead(w.world, "CheckPage", func(in activities.PageInput) any {
		m.seen = in.Spared
		return activities.Evidence{Summary: "the page is east's"}
	})
	return m
}

// updatedByTheDead makes the server that dies the one that takes the updates.
func (m *mute) updatedByTheDead() {
	m.doc.DR.DNS = &site.DNS{Driver: site.DNSRFC2136, TTL: 30, Zone: "example.com", Authoritative: []string{"192.0.2.2", "198.18.0.3"}, RFC2136: &site.RFC2136{Server: "198.18.0.3"}}
}

// owedServers are those in a record.
func owedServers(owed []activities.Owed) (out []string) {
	for _, o := range owed {
		if o.Action == activities.OwedNameServer {
			out = append(out, o.Server)
		}
	}
	return out
}

// A name server that has died with its side holds up nobody, and nobody forgets it.
func TestFailoverGoesOnWithoutSilentServers(t *testing.T) {
	m := newMute(newTakeoverWorld(t).isDead(), deadServer, deadResolver)
	require.NoError(t, m.take(failover))
	both := []string{deadServer, deadResolver}
	assert.Equal(t, "east", m.name)
	assert.Equal(t, both, m.moved, "the move may not wait for them")
	assert.Equal(t, both, m.seen)
	r := m.status().Recovery
	assert.Equal(t, both, owedServers(r.Owed))
	assert.Equal(t, r.Owed, m.records["east"].Owed, "what is owed outlives the run")
	assert.Contains(t, r.Owed[0].Why, "i/o timeout")
	assert.Contains(t, strings.Join(r.Lines(), "\n"), "owed: name-server "+deadServer+", since ")
	const told = "NO ANSWER comes from 198.18.0.3:53, 198.18.0.5:53: who asks there may still be led to west"
	assert.Contains(t, m.step("failover.01-identify").Evidence.Summary, told)
	assert.Contains(t, m.asked("failover.02-unreachable"), told)
	assert.Contains(t, m.asked("failover.13-point-dns"), "name-server 198.18.0.3:53, name-server 198.18.0.5:53")
	assert.Contains(t, m.step("failover.22-commit").Evidence.Summary, "name-server "+deadServer)
	for _, g := range m.gates {
		assert.NotEmpty(t, g.Question, "nobody had to mend anything: %s", g.Error)
	}
}

// What keeps a takeover from going on without a server.
func TestSilentServersThatStopATakeover(t *testing.T) {
	for name, c := range map[string]struct {
		book  string
		spoil func(*mute)
		says  string
	}{
		"a switchover waits for all": {switchover, func(*mute) {}, "take out of dr.dns"},
		"nonsense is no silence":     {failover, func(m *mute) { m.garbled = []string{deadServer} }, "not every name server and resolver answers"},
		"nobody takes the update":    {failover, (*mute).updatedByTheDead, "198.18.0.3:53, which takes the updates of the zone, gives no answer"},
		"none answers":               {failover, func(m *mute) { m.fail["LookUpPlatform"] = unreachable("every name server") }, "no authoritative server answers"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTakeoverWorld(t)
			if c.book == failover {
				w.isDead()
			}
			m := newMute(w, deadServer)
			c.spoil(m)
			step, text := m.aborted(c.book)
			assert.Equal(t, strings.ToLower(c.book)+".01-identify", step)
			assert.Contains(t, text, c.says)
			assert.Empty(t, m.changes())
			assert.Empty(t, m.status().Recovery.Owed)
		})
	}
}

// A server that is back when the step is tried again is not owed.
func TestRetriedLookForgetsTheServersThatAnswer(t *testing.T) {
	m := newMute(newTakeoverWorld(t).isDead(), deadServer, deadResolver)
	m.garbled = []string{deadResolver}
	m.retries("failover.01-identify", func() { m.servers, m.garbled = []string{deadServer}, nil })
	require.NoError(t, m.take(failover))
	assert.Equal(t, []string{deadServer}, owedServers(m.records["east"].Owed))
	assert.Equal(t, []string{deadServer}, m.moved)
}

// A server that falls silent while the name moves: the step fails, and only with a new
// approval that names it does the run go on without it.
func TestServerThatFallsSilentLater(t *testing.T) {
	for name, approved := range map[string]bool{"approved": true, "aborted": false} {
		t.Run(name, func(t *testing.T) {
			m := newMute(newTakeoverWorld(t).isDead(), deadResolver)
			m.during["PointPlatform"] = func() {
				m.servers, m.half = []string{deadServer, deadResolver}, true
				delete(m.during, "PointPlatform")
			}
			m.answers = func(g workflows.Gate) *workflows.Decision {
				switch {
				case g.Step != "failover.13-point-dns":
				case g.Question == "":
					return &workflows.Decision{Step: g.Step, Action: workflows.Retry, By: "boss"}
				case strings.Contains(g.Question, "Go on without") && !approved:
					return &workflows.Decision{Step: g.Step, Action: workflows.Abort, By: "boss", Reason: "no"}
				}
				return nil
			}
			err := m.take(failover)
			assert.Contains(t, m.parked("failover.13-point-dns"), "retry asks whether to go on without it")
			last := m.gates[len(m.gates)-1]
			assert.Equal(t, "failover.13-point-dns", last.Step)
			assert.Contains(t, last.Question, "Go on without 198.18.0.3:53? The name has begun to move to east")
			if !approved {
				require.Error(t, err)
				assert.Equal(t, []string{deadResolver}, m.moved)
				assert.Equal(t, []string{deadResolver}, owedServers(m.records["east"].Owed))
				return
			}
			require.NoError(t, err)
			assert.Equal(t, []string{deadResolver, deadServer}, m.moved)
			assert.Equal(t, []string{deadResolver, deadServer}, owedServers(m.records["east"].Owed))
		})
	}
}

// A change that the server declined has moved nothing: whoever approves the next try
// reads in the very question which servers have fallen silent.
func TestDeclinedChangeIsAskedAgainWithTheSilentServers(t *testing.T) {
	m := newMute(newTakeoverWorld(t).isDead())
	m.breaks("PointPlatform", fault.Refused)
	m.retries("failover.13-point-dns", func() { m.mends("PointPlatform"); m.servers = []string{deadServer} })
	require.NoError(t, m.take(failover))
	last := m.gates[len(m.gates)-1].Question
	assert.Contains(t, last, "Make east (cluster uid-east) the primary")
	assert.Contains(t, last, "name-server 198.18.0.3:53")
	assert.Equal(t, []string{deadServer}, m.moved)
	assert.Equal(t, []string{deadServer}, owedServers(m.records["east"].Owed))
}

// The server that takes the updates dies before the name moves: nobody is asked to go
// on without it, as every try would fail, and it is told what helps. With the name
// moved everywhere else it is a server like any other.
func TestServerOfTheUpdatesFallsSilentLater(t *testing.T) {
	for name, c := range map[string]struct {
		to   string // where the other servers lead then
		half bool
		mend bool // it is started
	}{
		"it is lost":               {to: "west"},
		"lost with the name half":  {to: "west", half: true},
		"it is started":            {to: "west", mend: true},
		"lost with the name moved": {to: "east"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMute(newTakeoverWorld(t).isDead())
			m.updatedByTheDead()
			told := 0
			instead(m.world, "PointPlatform", func(in activities.PointInput) any {
				if told++; told == 1 {
					m.servers, m.name, m.half = []string{deadServer}, c.to, c.half
					return permanent(deadServer, fault.Unreachable)
				}
				m.name, m.half, m.moved = in.To, false, in.Spared
				return activities.Evidence{Summary: "points"}
			})
			tries := 0
			m.answers = func(g workflows.Gate) *workflows.Decision {
				if g.Step != "failover.13-point-dns" || g.Question != "" {
					return nil
				}
				if tries++; tries == 3 {
					return nil
				}
				if tries == 2 && c.mend {
					m.servers = nil
				}
				return &workflows.Decision{Step: g.Step, Action: workflows.Retry, By: "boss"}
			}
			err := m.take(failover)
			last := m.gates[len(m.gates)-1]
			if c.to == "east" {
				require.NoError(t, err)
				assert.Contains(t, last.Question, "Go on without "+deadServer)
				assert.Equal(t, []string{deadServer}, m.moved)
				assert.Equal(t, []string{deadServer}, owedServers(m.records["east"].Owed))
				return
			}
			assert.NotContains(t, last.Question, "Go on without")
			assert.Contains(t, last.Error, deadServer+", which takes the updates of the zone, gives no answer, and not every other server leads to east")
			assert.Contains(t, last.Error, "name that in dr.dns.rfc2136.server, abort, then acpflow failover --cluster east again")
			assert.Empty(t, m.moved)
			assert.Empty(t, owedServers(m.records["east"].Owed))
			if c.mend {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			assert.Equal(t, 3, tries)
			assert.Equal(t, 1, told, "the dead server is not told again")
		})
	}
}

// A debt that can't be written down is none, and nothing goes on without the server.
func TestSilentServerIsSparedOnlyWhenItIsRecorded(t *testing.T) {
	m := newMute(newTakeoverWorld(t).isDead())
	m.during["PointPlatform"] = func() {
		m.servers, m.half = []string{deadServer}, true
		m.fail["WritePairRecord"] = permanent("WritePairRecord", fault.Conflict)
		delete(m.during, "PointPlatform")
	}
	tries := 0
	m.answers = func(g workflows.Gate) *workflows.Decision {
		if g.Step == "failover.13-point-dns" && g.Question == "" {
			if tries++; tries < 3 {
				return &workflows.Decision{Step: g.Step, Action: workflows.Retry, By: "boss"}
			}
		}
		return nil
	}
	require.Error(t, m.take(failover))
	assert.Contains(t, m.gates[len(m.gates)-1].Error, "WritePairRecord is broken")
	assert.Empty(t, m.moved)
	assert.Equal(t, 1, strings.Count(strings.Join(m.meant(), "\n"), "PointPlatform east"))
}

// What was declined is undone, though a server that was silent before can't be asked;
// only what a person may have changed there keeps an abort from it.
func TestDeclinedChangeIsUndoneAlsoWithSilentServers(t *testing.T) {
	byHand := &site.DNS{Driver: site.DNSManual, TTL: 30, Zone: "example.com", Authoritative: []string{"192.0.2.2"}}
	for name, c := range map[string]struct {
		spoil func(*mute)
		dns   *site.DNS // nil = as it is
		back  bool
	}{
		"changed by hand?": {func(*mute) {}, byHand, false},
		"spared":           {func(*mute) {}, nil, true},
		"silent since":     {func(m *mute) { m.servers = append(m.servers, deadResolver) }, nil, false},
		"one has moved":    {func(m *mute) { m.half = true }, nil, false},
		"nonsense by now":  {func(m *mute) { m.garbled = []string{deadServer} }, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMute(newTakeoverWorld(t).isDead(), deadServer)
			m.open = map[string]bool{"west 2379": true, "east 2379": true}
			if c.dns != nil {
				m.doc.DR.DNS = c.dns
			}
			instead(m.world, "PointPlatform", func(activities.PointInput) any {
				c.spoil(m)
				return permanent("PointPlatform", fault.Gate)
			})
			require.Error(t, m.take(failover))
			assert.Equal(t, c.back, m.sides.plugins["east"].Installed)
			assert.Equal(t, c.back, m.open["east 2379"])
		})
	}
}

// A switchover that finishes a failover goes on without what that one has owed, and
// without nothing else.
func TestFinishedFailoverKeepsItsSilentServers(t *testing.T) {
	for name, servers := range map[string][]string{"owed": {deadServer}, "another one, too": {deadServer, deadResolver}, "back": {}} {
		t.Run(name, func(t *testing.T) {
			w := terminated(t, "failover")
			r := w.records["east"]
			r.Owed = append(r.Owed, activities.Owed{Action: activities.OwedNameServer, Server: deadServer, Why: "it gave no answer", Since: time.Date(2026, 6, 14, 0, 0, 0, 0, time.UTC)})
			w.records["east"] = r
			m := newMute(w, servers...)
			if len(servers) > 1 {
				step, text := m.aborted(switchover)
				assert.Equal(t, "switchover.01-identify", step)
				assert.Contains(t, text, deadResolver+" gives no answer")
				return
			}
			require.NoError(t, m.take(switchover))
			assert.ElementsMatch(t, servers, m.moved)
			for c, record := range m.records {
				assert.ElementsMatch(t, servers, owedServers(record.Owed), "a server that was seen to lead to east is paid: %s", c)
			}
			if len(servers) > 0 {
				assert.Contains(t, m.asked("switchover.13-point-dns"), "NO ANSWER comes from "+deadServer)
			}
		})
	}
}

// A failover that finishes a failover, with the name half moved.
func TestSecondFailoverWithSilentServers(t *testing.T) {
	w := terminated(t, "failover").isDead()
	m := newMute(w, deadServer)
	m.half = true
	require.NoError(t, m.take(failover))
	assert.Equal(t, "east", m.name)
	assert.Equal(t, []string{deadServer}, owedServers(m.records["east"].Owed))
}
