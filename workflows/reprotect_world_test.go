package workflows_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/workflows"
)

// reprotectEast is after a takeover by west: east was the primary.
var reprotectEast = workflows.Request{Site: "lab", Cluster: "east", Change: "CHG-3", RequestedBy: "ops"}

var takenOver = time.Date(2026, 6, 1, 10, 0, 0, 0, time.UTC)

// reprotectWorld is a pair after a failover: west is the primary, east came back.
type reprotectWorld struct {
	*world
	sides    map[string]*activities.SideIdentity
	open     map[string]bool // "east:443"
	captures []activities.Divergence
	taken    []string                // the captures' runs
	since    []int64                 // what they were compared with
	written  []string                // "east: 1 owed"
	fenced   bool                    // the API at the old side's VIP is closed
	away     int                     // rounds until the old side is back
	acted    []string                // what changed anything, in order
	asked    []string                // the questions
	answers  []workflows.Action      // to them; the last one stays
	waits    []activities.AwaitInput // of the looks for the old side
}

func newReprotectWorld(t *testing.T) *reprotectWorld {
	w := &reprotectWorld{world: syncWorld(t, "v4.1.0"), open: map[string]bool{}, answers: []workflows.Action{workflows.Approve}}
	record := activities.PairRecord{Primary: "west", PrimaryUID: "uid-west", Standby: "east", StandbyUID: "uid-east", Since: takenOver, Run: "failover", Mode: workflows.ModeFailover}
	w.sides = map[string]*activities.SideIdentity{
		"west": {UID: "uid-west", Reachable: true, Record: &record}, "east": {UID: "uid-east", Reachable: true}}
	for _, port := range []int{80, 443, 6443, 11443} {
		w.open[fmt.Sprintf("east:%d", port)] = true
	}
	w.captures = []activities.Divergence{{Evidence: activities.Evidence{Summary: "captured", Host: "e1", Facts: map[string]string{"snapshotHost": "e2"}}, OnlyOld: 12, OnlyNew: 40, Different: 3,
		Samples: []string{"/registry/configmaps/team/a"}, File: "/var/lib/acpflow/safety/x/divergence.tsv", SHA256: "c4f7", Snapshot: "/var/lib/acpflow/safety/x/etcd.db", Digest: "5a9c"}}
	w.answerRoles()
	w.answerPorts()
	w.answerCopy()
	return w
}

func (w *reprotectWorld) answerRoles() {
	w.on("IdentifySides", func() any {
		out := activities.Identity{Evidence: activities.Evidence{Summary: "identified"}, Sides: map[string]activities.SideIdentity{}}
		for name, side := range w.sides {
			seen := *side
			seen.Synchronizer = w.world.sides.plugins[name].Present()
			if !seen.Reachable || name == "east" && w.fenced {
				seen = activities.SideIdentity{Why: "no route to host"}
			}
			out.Sides[name] = seen
		}
		return out
	})
	w.onInput("ReadPairRecord", func(raw json.RawMessage) any {
		var in activities.Scope
		assert.NoError(w.t, json.Unmarshal(raw, &in))
		if r := w.sides[in.Cluster].Record; r != nil {
			return *r
		}
		return activities.PairRecord{}
	})
	w.on("ListWarlock", func() any {
		return activities.Warlock{Evidence: activities.Evidence{Summary: "2 Pods"}, Installed: true, Pods: []kube.Pod{{Name: "warlock-0", UID: "warlock-uid"}}}
	})
	w.onInput("RestartWarlock", func(raw json.RawMessage) any {
		var in activities.WorkloadInput
		assert.NoError(w.t, json.Unmarshal(raw, &in))
		assert.Equal(w.t, "warlock-uid", in.Pods[0].UID)
		w.acted = append(w.acted, "RestartWarlock "+in.Name)
		return activities.Evidence{Summary: "warlock of " + in.Name + " restarted"}
	})
	w.onInput("CheckServer", func(raw json.RawMessage) any {
		var in activities.ServerInput
		assert.NoError(w.t, json.Unmarshal(raw, &in))
		assert.Equal(w.t, "west", in.Cluster, "where the name must lead to")
		w.acted = append(w.acted, "CheckServer "+in.Server)
		return activities.Evidence{Summary: in.Server + " leads to west"}
	})
	w.on("LookUpOnNodes", func() any { return activities.Evidence{Summary: "3 nodes are right"} })
	w.onInput("AwaitSide", func(raw json.RawMessage) any {
		var in activities.AwaitInput
		assert.NoError(w.t, json.Unmarshal(raw, &in))
		w.waits = append(w.waits, in)
		if w.away--; w.away >= 0 {
			return activities.Arrival{Why: "no route to host"}
		}
		w.sides["east"].Reachable = true
		return activities.Arrival{Back: true, Evidence: activities.Evidence{Summary: "east is back"}}
	})
	w.onInput("WritePairRecord", func(raw json.RawMessage) any {
		var in activities.WriteRecordInput
		assert.NoError(w.t, json.Unmarshal(raw, &in))
		w.written = append(w.written, fmt.Sprintf("%s: %d owed", in.Cluster, len(in.Record.Owed)))
		w.sides[in.Cluster].Record = &in.Record
		return activities.Evidence{Summary: "written"}
	})
}

func (w *reprotectWorld) answerPorts() {
	port := func(raw json.RawMessage) string {
		var in activities.PortInput
		assert.NoError(w.t, json.Unmarshal(raw, &in))
		return fmt.Sprintf("%s:%d", in.Cluster, in.Port)
	}
	w.given["LookAtPort"] = func(raw json.RawMessage) any {
		return activities.PortState{Configured: w.open[port(raw)], Reachable: w.open[port(raw)]}
	}
	for name, open := range map[string]bool{"OpenPort": true, "ClosePort": false} {
		w.given[name] = func(raw json.RawMessage) any {
			w.open[port(raw)] = open
			w.acted = append(w.acted, name+" "+port(raw))
			return activities.Evidence{Summary: name + " " + port(raw)}
		}
	}
}

func (w *reprotectWorld) answerCopy() {
	w.onInput("CaptureDivergence", func(raw json.RawMessage) any {
		var in activities.DivergenceInput
		assert.NoError(w.t, json.Unmarshal(raw, &in))
		assert.Equal(w.t, []string{"west", "east"}, []string{in.Primary, in.Standby}, "the old side is the one that is captured")
		w.taken, w.since = append(w.taken, in.Run), append(w.since, in.Since)
		w.acted = append(w.acted, "capture")
		return next(&w.captures)
	})
	for _, name := range []string{"InstallPlugin", "RemovePlugin"} {
		w.during[name] = func() { w.acted = append(w.acted, name) }
	}
}

// run does a reprotect and answers every question as the test says.
func (w *reprotectWorld) run() error {
	var poll func()
	poll = func() {
		if p := w.status(); p.Gate != nil && p.Gate.Question != "" && !slices.Contains(w.asked, p.Gate.Question) {
			w.asked = append(w.asked, p.Gate.Question)
			w.decide(workflows.Decision{Step: p.Gate.Step, Action: next(&w.answers), By: "boss", Reason: "seen"})
		}
		if !w.env.IsWorkflowCompleted() {
			w.after(time.Minute, poll)
		}
	}
	w.after(time.Minute, poll)
	return w.runBook(workflows.ReprotectName, reprotectEast)
}

// refusedAt runs until a gate of a failed step and ends the run there.
func (w *reprotectWorld) refusedAt(step string, says ...string) {
	w.t.Helper()
	w.after(30*time.Minute, func() {
		p := w.status()
		require.NotNil(w.t, p.Gate)
		assert.Equal(w.t, step, p.Gate.Step)
		for _, text := range says {
			assert.Contains(w.t, p.Gate.Error, text)
		}
		w.decide(workflows.Decision{Step: step, Action: workflows.Abort, By: "ops", Reason: "test"})
	})
	require.Error(w.t, w.run())
	require.Equal(w.t, workflows.Aborted, w.status().Outcome)
}

// stepIn finds a step of the run.
func (w *reprotectWorld) stepIn(id string) workflows.StepProgress {
	w.t.Helper()
	p := w.status()
	i := slices.IndexFunc(p.Steps, func(s workflows.StepProgress) bool { return s.ID == id })
	require.GreaterOrEqual(w.t, i, 0, id)
	return p.Steps[i]
}

// owes puts debts into the new primary's record.
func (w *reprotectWorld) owes(ports ...int) {
	for _, port := range ports {
		w.open[fmt.Sprintf("east:%d", port)] = true
		w.sides["west"].Record.Owed = append(w.sides["west"].Record.Owed,
			activities.Owed{Cluster: "east", Action: activities.OwedClosePort, Port: port, Why: "it was away", Since: takenOver})
	}
}

// owesServers puts name servers that were silent into it.
func (w *reprotectWorld) owesServers(servers ...string) {
	for _, server := range servers {
		w.sides["west"].Record.Owed = append(w.sides["west"].Record.Owed, activities.Owed{Server: server, Action: activities.OwedNameServer, Why: "it gave no answer", Since: takenOver})
	}
}

func (w *reprotectWorld) history() string { return strings.Join(w.acted, ", ") }
