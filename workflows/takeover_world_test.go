package workflows_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/checks/pair/pairtest"
	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

// takeoverWorld is a pair in which west is the primary and east its standby, as
// far as a takeover sees and changes it.
type takeoverWorld struct {
	*world
	doc      site.Site
	name     string                             // cluster that the platform's name leads to
	open     map[string]bool                    // "west 2379": forwarded
	dead     bool                               // nothing of west answers
	lame     bool                               // a machine of east's load balancer is down
	machines map[string]activities.MachinesView // by cluster
	owners   activities.Owners                  // of east
	records  map[string]activities.PairRecord   // by cluster
	pods     map[string][]kube.Pod              // by selector
	stale    int                                // wrong answers that Pods still get
	script   int                                // 401s that the script still gets
	restarts *[]activities.ServicesInput
	good     *pair.Good
	gates    []workflows.Gate // that were open, each once
	answers  func(workflows.Gate) *workflows.Decision
}

const (
	switchover = workflows.SwitchoverName
	failover   = workflows.FailoverName
)

var takeoverRequest = workflows.Request{Site: "lab", Cluster: "east", Change: "CHG-7", RequestedBy: "ops"}

func newTakeoverWorld(t *testing.T) *takeoverWorld {
	w := &takeoverWorld{world: newWorld(t).ofPair(), doc: thePair(), name: "west", machines: map[string]activities.MachinesView{}, records: map[string]activities.PairRecord{},
		open: map[string]bool{"west 2379": true, "east 2379": true, "west 443": true, "west 6443": true, "west 11443": true},
		pods: map[string][]kube.Pod{
			"service_name=cpaas-elasticsearch":                 {{Namespace: "cpaas-system", Name: "es-0", UID: "es-uid"}},
			"service_name in (alertmanager,vmselect,vminsert)": {{Namespace: "cpaas-system", Name: "vm-0", UID: "vm-uid"}},
			activities.CoreDNS.Selector:                        {{Namespace: "kube-system", Name: "coredns-0", UID: "dns-uid"}},
		}}
	for i := range w.doc.Clusters {
		w.doc.Clusters[i].Balancer = &site.Balancer{Driver: site.BalancerHAProxy, HAProxy: &site.HAProxy{Hosts: []site.Host{{Name: "lb", Address: "192.0.2.9"}}}}
	}
	at := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	w.env.SetStartTime(at)
	w.good = &pair.Good{At: at.Add(-time.Minute), From: "west", To: "east", Primary: pair.Position{Revision: 4711}, Compared: 4000}
	for _, c := range []string{"west", "east"} {
		w.machines[c] = activities.MachinesView{Evidence: activities.Evidence{Summary: "all 3 Machines of " + c + " are Running"}, Total: 3, Digest: "d16e57" + c}
	}
	w.owners = activities.Owners{Evidence: activities.Evidence{Summary: "every owner is there"}}
	w.sides.install("east", true)
	w.answer["LoadSite"] = func() any { return site.Snapshot{Name: "lab", SHA256: "5111", Site: w.doc} }
	w.answer["Prove"] = func() any { return w.proof(0, 0, 0) }
	w.cardAnswers()
	w.sideAnswers()
	w.nameAnswers()
	w.podAnswers()
	return w
}

// proof is one taken now.
func (w *takeoverWorld) proof(missed, surplus, different int) etcd.Proof {
	p := proven(missed, surplus, different)
	p.Taken = w.env.Now().UTC()
	return p
}

// replies gives an activity an answer that depends on its input.
func replies[I any](w *world, name string, answer func(I) any) {
	w.onInput(name, decoded(w, answer))
}

// instead is replies for an activity that has an answer already.
func instead[I any](w *world, name string, answer func(I) any) { w.given[name] = decoded(w, answer) }

// decoded also gives an answer that is an error.
func decoded[I any](w *world, answer func(I) any) func(json.RawMessage) any {
	return func(raw json.RawMessage) any {
		var in I
		require.NoError(w.t, json.Unmarshal(raw, &in))
		return answer(in)
	}
}

// cardAnswers are those of a good card.
func (w *takeoverWorld) cardAnswers() {
	good := pairtest.Good()
	instead(w.world, "ObservePair", func(activities.PairViewInput) any {
		return activities.PairView{Sides: good.Sides, Address: good.Address, Contract: good.Contract}
	})
	instead(w.world, "CompareSides", func(activities.CompareInput) any {
		return activities.Comparison{Proof: pair.Of(proven(0, 0, 0)), Vendor: pair.Of(pair.Vendor{})}
	})
	instead(w.world, "JudgePair", func(in activities.JudgePairInput) any {
		in.Facts.Judged = pairtest.Now
		card, err := (&activities.Sides{}).JudgePair(context.Background(), in)
		require.NoError(w.t, err)
		return card
	})
}

func (w *takeoverWorld) sideAnswers() {
	replies(w.world, "IdentifySides", func(in activities.IdentifyInput) any {
		out := activities.Identity{Evidence: activities.Evidence{Summary: "identified"}, Sides: map[string]activities.SideIdentity{}}
		for _, c := range []string{"west", "east"} {
			side := activities.SideIdentity{UID: "uid-" + c, Reachable: true, Synchronizer: w.sides.plugins[c].Installed}
			if r, ok := w.records[c]; ok {
				side.Record = &r
			}
			if c == "west" && w.dead {
				assert.True(w.t, in.Alone, "a dead primary is allowed in a failover only")
				side = activities.SideIdentity{Why: "no route"}
			}
			out.Sides[c] = side
		}
		return out
	})
	replies(w.world, "ObserveSide", func(activities.SideInput) any {
		return pair.Side{Cluster: "east", Ledger: pair.Of(pair.Ledger{Good: w.good})}
	})
	replies(w.world, "ProveUnreachable", func(activities.UnreachableInput) any {
		if !w.dead {
			return permanent("west answers", fault.Gate)
		}
		return activities.Evidence{Summary: "24 probes in 1m0s, none was answered"}
	})
	replies(w.world, "WhoAnswers", func(activities.PairInput) any {
		if w.dead {
			return activities.Reachability{Probes: 12}
		}
		return activities.Reachability{Probes: 12, Answers: []string{"m1:22"}}
	})
	replies(w.world, "CheckMachines", func(in activities.MachinesInput) any { return w.machines[in.Cluster] })
	replies(w.world, "LookAtOwners", func(activities.Scope) any { return w.owners })
	replies(w.world, "WritePairRecord", func(in activities.WriteRecordInput) any {
		w.records[in.Cluster] = in.Record
		return activities.Evidence{Summary: "recorded"}
	})
	replies(w.world, "ForgetPairRecord", func(in activities.ForgetRecordInput) any {
		delete(w.records, in.Cluster)
		return activities.Evidence{Summary: "forgotten"}
	})
	for _, name := range []string{"SnapshotEtcd", "ExportObjects"} {
		replies(w.world, name, func(in activities.SafetyInput) any {
			assert.Equal(w.t, "east", in.Cluster)
			return activities.Evidence{Summary: name + " done"}
		})
	}
	key := func(in activities.PortInput) string { return fmt.Sprintf("%s %d", in.Cluster, in.Port) }
	instead(w.world, "LookAtPort", func(in activities.PortInput) any {
		return activities.PortState{Port: in.Port, Configured: w.open[key(in)], Reachable: w.open[key(in)]}
	})
	instead(w.world, "OpenPort", func(in activities.PortInput) any { w.open[key(in)] = true; return activities.Evidence{Summary: "open"} })
	instead(w.world, "ClosePort", func(in activities.PortInput) any {
		w.open[key(in)] = false
		return activities.Evidence{Summary: "closed"}
	})
}

func (w *takeoverWorld) nameAnswers() {
	instead(w.world, "PointPlatform", func(in activities.PointInput) any {
		w.invariants()
		w.name = in.To
		return activities.Evidence{Summary: "points"}
	})
	instead(w.world, "LookUpPlatform", func(activities.ClusterInput) any {
		return activities.PlatformAddress{Cluster: w.name, Agreed: true, TTL: 30, Answers: map[string][]string{"192.0.2.2": {"192.0.2.10"}}}
	})
	replies(w.world, "AskResolvers", func(activities.ClusterInput) any { return activities.PlatformAddress{} })
	replies(w.world, "LookUpOnNodes", func(activities.NodeLookupInput) any { return activities.Evidence{Summary: "right on every node"} })
	replies(w.world, "LookUpInPod", func(activities.PodLookupInput) any {
		if w.stale > 0 {
			w.stale--
			return activities.PodLookup{Answers: []string{"192.0.2.10"}, Why: "they answer 192.0.2.10", Evidence: activities.Evidence{Summary: "old"}}
		}
		return activities.PodLookup{Right: true, Evidence: activities.Evidence{Summary: "right"}}
	})
	replies(w.world, "CheckPage", func(in activities.PageInput) any {
		assert.Equal(w.t, "uid-east", in.UID)
		return activities.Evidence{Summary: "the page is east's"}
	})
}

// invariants hold whenever the name is moved.
func (w *takeoverWorld) invariants() {
	assert.False(w.t, w.sides.plugins["east"].Installed, "the name moves only when nothing copies")
	assert.True(w.t, w.lame && w.dead || !w.open["east 2379"], "the name moves only after every reachable 2379 is closed")
	assert.True(w.t, w.dead || !w.open["west 2379"], "the name moves only after every reachable 2379 is closed")
	assert.NotNil(w.t, w.records["east"].Moved, "the name moves only when the record says so")
}

func (w *takeoverWorld) podAnswers() {
	replies(w.world, "RunTemplateScript", func(in activities.TemplateScriptInput) any {
		w.script--
		return activities.TemplateScript{Evidence: activities.Evidence{Summary: "script ran"}, Unauthorized: w.script >= 0}
	})
	instead(w.world, "ListServices", func(in activities.ServicesInput) any {
		for i := range in.Groups {
			in.Groups[i].Pods = w.pods[in.Groups[i].Selector]
		}
		return activities.ServicesView{Groups: in.Groups}
	})
	replies(w.world, "ListWarlock", func(in activities.WorkloadInput) any {
		return activities.Warlock{Installed: true, Pods: []kube.Pod{{Namespace: "cpaas-system", Name: "warlock-0", UID: in.Name + "-uid"}}}
	})
	replies(w.world, "RestartWarlock", func(activities.WorkloadInput) any { return activities.Evidence{Summary: "restarted"} })
}

// take runs a takeover. Questions are approved; a step that failed is answered by
// answers, and where that says nothing the run is aborted.
func (w *takeoverWorld) take(book string) error {
	for minute := 1; minute < 600; minute++ {
		w.after(time.Duration(minute)*time.Minute, w.answerGate)
	}
	return w.runBook(book, takeoverRequest)
}

func (w *takeoverWorld) answerGate() {
	gate := w.status().Gate
	if gate == nil {
		return
	}
	w.gates = append(w.gates, *gate)
	d := workflows.Decision{Step: gate.Step, Action: workflows.Abort, By: "boss", Reason: "test"}
	var told *workflows.Decision
	if w.answers != nil {
		told = w.answers(*gate)
	}
	switch {
	case told != nil:
		d = *told
	case gate.Question != "":
		d.Action = workflows.Approve
	case gate.Undo:
		d.Action = workflows.Skip
	}
	w.decide(d)
}

// asked are the questions, by step.
func (w *takeoverWorld) asked(step string) string {
	for _, g := range w.gates {
		if g.Step == step && g.Question != "" {
			return g.Question
		}
	}
	return ""
}

// parked is the text of the first failure of a step.
func (w *takeoverWorld) parked(step string) string {
	for _, g := range w.gates {
		if g.Step == step && g.Question == "" {
			return g.Error
		}
	}
	return ""
}

func (w *takeoverWorld) step(id string) workflows.StepProgress {
	p := w.status()
	i := slices.IndexFunc(p.Steps, func(s workflows.StepProgress) bool { return s.ID == id })
	require.GreaterOrEqual(w.t, i, 0, id)
	return p.Steps[i]
}

// changes are the calls that change the world, with the cluster.
func (w *takeoverWorld) changes() []string {
	var out []string
	for _, call := range w.meant() {
		name, _, _ := strings.Cut(call, " ")
		if slices.Contains([]string{"RunTemplateScript", "SnapshotEtcd", "ExportObjects", "RemovePlugin", "InstallPlugin", "ClosePort", "OpenPort", "WritePairRecord", "ForgetPairRecord", "PointPlatform", "RestartServices", "RestartWarlock", "RecreateSyncPod"}, name) {
			out = append(out, call)
		}
	}
	return out
}

// untouched demands that everything is as it was.
func (w *takeoverWorld) untouched() {
	w.t.Helper()
	assert.Equal(w.t, "west", w.name)
	assert.True(w.t, w.sides.plugins["east"].Installed, "the synchronizer is back")
	for port, open := range w.open {
		assert.True(w.t, open, "%s is open again", port)
	}
	if r, ok := w.records["east"]; ok {
		assert.Equal(w.t, "west", r.Primary, "the record says again who is primary")
	}
}

func (w *takeoverWorld) isDead() *takeoverWorld {
	w.dead = true
	delete(w.open, "west 443") // whatever its load balancer forwards, nobody can tell
	return w
}

func (w *takeoverWorld) withWorkloads(names ...string) {
	for _, n := range names {
		w.doc.DR.Takeover.WorkloadClusters = append(w.doc.DR.Takeover.WorkloadClusters, site.WorkloadCluster{Name: n, Kubeconfig: "env:KUBECONFIG"})
	}
}

func unreachable(what string) error {
	return temporal.NewNonRetryableApplicationError(what+": no route to host", string(fault.Unreachable), nil)
}
