package workflows_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/workflows"
)

// isLame is a world in which a machine of east's load balancer is down, while
// another one still has the VIP: no port of it can be looked at or changed.
func (w *takeoverWorld) isLame() *takeoverWorld {
	w.lame = true
	for _, name := range []string{"LookAtPort", "ClosePort", "OpenPort"} {
		answer := w.given[name]
		w.given[name] = func(raw json.RawMessage) any {
			var in activities.PortInput
			require.NoError(w.t, json.Unmarshal(raw, &in))
			if w.lame && in.Cluster == "east" {
				return unreachable("the second load balancer of east")
			}
			return answer(raw)
		}
	}
	return w
}

func owedPorts(owed []activities.Owed) (out []string) {
	for _, o := range owed {
		out = append(out, o.String())
	}
	return out
}

// A failover does not wait for a machine of the new side's load balancer: no
// synchronizer is left that could use the port.
func TestFailoverOwesThePortOfItsOwnLameBalancer(t *testing.T) {
	w := newTakeoverWorld(t).isDead().isLame()
	require.NoError(t, w.take(failover))
	assert.Equal(t, "east", w.name)
	r := w.status().Recovery
	assert.Equal(t, []string{"close-port 2379 of east"}, owedPorts(r.Owed))
	assert.Contains(t, r.Owed[0].Why, "second load balancer of east: no route to host")
	assert.Equal(t, r.Owed, w.records["east"].Owed, "what is owed outlives the run")
	assert.Contains(t, w.step("failover.10-close-new").Evidence.Summary, "port 2379 of east is NOT closed, but owed")
	assert.Contains(t, w.step("failover.12-last-look").Evidence.Summary, "port 2379 of east is owed, and no synchronizer is left that could use it")
	assert.Contains(t, w.asked("failover.13-point-dns"), "close-port 2379 of east. Port 2379 of east stays as it is, because a machine of its load balancer can't be reached; no synchronizer is left")
	for _, g := range w.gates {
		assert.NotEmpty(t, g.Question, "nothing parks: %s %s", g.Step, g.Error)
	}
}

// One that goes down after the port was closed is not waited for, either.
func TestFailoverGoesOnWhenItsBalancerGoesLame(t *testing.T) {
	for _, during := range []string{"ClosePort", "WritePairRecord"} {
		t.Run(during, func(t *testing.T) {
			w := newTakeoverWorld(t).isDead().isLame()
			w.lame = false
			w.during["WritePairRecord"] = func() { w.lame = true }
			if closing := w.given["ClosePort"]; during == "ClosePort" {
				w.given["ClosePort"] = func(raw json.RawMessage) any {
					out := closing(raw)
					w.lame = w.lame || !w.open["east 2379"]
					return out
				}
			}
			require.NoError(t, w.take(failover))
			require.True(t, w.lame)
			assert.Empty(t, w.status().Recovery.Owed)
			assert.False(t, w.open["east 2379"])
			for _, g := range w.gates {
				assert.NotEmpty(t, g.Question, "nothing parks: %s %s", g.Step, g.Error)
			}
		})
	}
}

// What stands open for another reason, or with an old side that is alive, is a refusal.
func TestAnOpenPortIsOwedInNoOtherCase(t *testing.T) {
	t.Run("switchover", func(t *testing.T) {
		w := newTakeoverWorld(t).isLame()
		w.answers = func(g workflows.Gate) *workflows.Decision {
			if g.Question == "" {
				w.lame = false
			}
			return nil
		}
		step, text := w.aborted(switchover)
		assert.Equal(t, "switchover.10-close-new", step)
		assert.Contains(t, text, "no route to host")
		assert.NotContains(t, w.meant(), "PointPlatform east")
		w.untouched()
	})
	t.Run("the balancer answers and does not close it", func(t *testing.T) {
		w := newTakeoverWorld(t).isDead()
		w.breaks("ClosePort", fault.Gate)
		w.open["west 2379"] = false
		w.answers = func(g workflows.Gate) *workflows.Decision {
			if g.Question == "" {
				w.mends("ClosePort")
			}
			return nil
		}
		step, _ := w.aborted(failover)
		assert.Equal(t, "failover.10-close-new", step)
		assert.NotContains(t, w.meant(), "PointPlatform east")
	})
	t.Run("a person must close it", func(t *testing.T) {
		w := newTakeoverWorld(t).isDead()
		w.doc.Clusters[1].Balancer = nil
		require.NoError(t, w.take(failover))
		assert.Contains(t, w.asked("failover.10-close-new"), "2379")
		assert.Empty(t, w.status().Recovery.Owed)
	})
	t.Run("it was opened again", func(t *testing.T) {
		w := newTakeoverWorld(t).isDead()
		w.during["WritePairRecord"] = func() { w.open["east 2379"] = true }
		step, text := w.aborted(failover)
		assert.Equal(t, "failover.13-point-dns", step)
		assert.Contains(t, text, "port 2379 of 192.0.2.20 (east) is open")
	})
	t.Run("a synchronizer comes back", func(t *testing.T) {
		w := newTakeoverWorld(t).isDead().isLame()
		w.during["WritePairRecord"] = func() { w.sides.install("east", true) }
		step, text := w.aborted(failover)
		assert.Equal(t, "failover.13-point-dns", step)
		assert.Contains(t, text, "a synchronizer is on east")
		assert.NotContains(t, w.meant(), "PointPlatform east")
	})
}

// An abort has nothing to open where nothing was closed, and needs no machine for it.
func TestAbortLeavesAnOwedPortAlone(t *testing.T) {
	w := newTakeoverWorld(t).isDead().isLame()
	w.open = map[string]bool{"east 2379": true}
	w.breaks("WritePairRecord", fault.Conflict)
	w.answers = func(g workflows.Gate) *workflows.Decision {
		assert.False(t, g.Undo && g.Step == "failover.10-close-new", "the undo waits for nobody: %s", g.Error)
		return nil
	}
	w.aborted(failover)
	assert.NotContains(t, w.meant(), "OpenPort east")
	assert.Contains(t, w.step("failover.10-close-new").Evidence.Summary, "untouched")
}
