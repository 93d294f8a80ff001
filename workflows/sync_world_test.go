package workflows_test

import (
	"encoding/json"

	"github.com/stretchr/testify/assert"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/site"
)

// twoSides is what a run does to the two clusters of a pair.
type twoSides struct {
	version   string                           // of the synchronizer that is published
	plugins   map[string]activities.PluginView // by cluster
	forwarded map[string]bool                  // by cluster: port 2379
	copier    string                           // UID of the Pod that copies
	inputs    map[string]json.RawMessage       // of the last call, by activity
}

// newTwoSides answers for two clusters; the name leads to west.
func newTwoSides(version string) *twoSides {
	p := &twoSides{version: version, plugins: map[string]activities.PluginView{}, forwarded: map[string]bool{}, copier: "pod-1", inputs: map[string]json.RawMessage{}}
	for cluster, uid := range map[string]string{"west": "uid-west", "east": "uid-east"} {
		p.plugins[cluster] = p.view(cluster, uid, false)
	}
	return p
}

func (p *twoSides) view(cluster, uid string, installed bool) activities.PluginView {
	v := activities.PluginView{Cluster: cluster, UID: uid, Published: []string{p.version}, Version: p.version, Installed: installed}
	way, err := syncplugin.WayOf(p.version)
	if v.Way = way; err != nil {
		v.Unknown = err.Error()
	}
	if installed {
		v.Plugin = kube.PluginState{Name: syncplugin.Name, Version: p.version, Phase: "Running"}
		v.Pods = []kube.Pod{{Name: "etcd-sync-1", UID: p.copier, Ready: true}}
	}
	return v
}

func (p *twoSides) install(cluster string, installed bool) {
	record := p.plugins[cluster].Record
	p.plugins[cluster] = p.view(cluster, p.plugins[cluster].UID, installed)
	p.remember(cluster, record)
}

// remember gives a side a record of the pair.
func (p *twoSides) remember(cluster string, r *activities.PairRecord) {
	view := p.plugins[cluster]
	view.Record = r
	p.plugins[cluster] = view
}

// pairAnswers gives every activity of a pair its good answer.
func (w *world) pairAnswers() {
	w.sides = newTwoSides("v4.1.0")
	scoped := func(name string, answer func(cluster string) any) {
		w.onInput(name, func(input json.RawMessage) any {
			var in struct{ Cluster, Standby string }
			assert.NoError(w.t, json.Unmarshal(input, &in))
			w.sides.inputs[name] = input
			return answer(in.Cluster + in.Standby)
		})
	}
	scoped("ReadPlugin", func(cluster string) any {
		var in activities.ReadPluginInput
		assert.NoError(w.t, json.Unmarshal(w.sides.inputs["ReadPlugin"], &in))
		view := w.sides.plugins[cluster]
		if !in.Record {
			view.Record = nil
		}
		return view
	})
	scoped("InstallPlugin", func(cluster string) any {
		w.sides.install(cluster, true)
		return activities.Evidence{Summary: "installed"}
	})
	scoped("RemovePlugin", func(cluster string) any {
		w.sides.install(cluster, false)
		return activities.Evidence{Summary: "removed"}
	})
	scoped("LookAtPort", func(cluster string) any {
		return activities.PortState{Port: activities.EtcdPort, Configured: w.sides.forwarded[cluster], Reachable: w.sides.forwarded[cluster]}
	})
	for name, open := range map[string]bool{"OpenPort": true, "ClosePort": false} {
		scoped(name, func(cluster string) any {
			w.sides.forwarded[cluster] = open
			return activities.Evidence{Summary: name + " done"}
		})
	}
	scoped("WaitFirstSync", func(string) any { return w.sides.synced() })
	scoped("RecreateSyncPod", func(string) any {
		w.sides.copier += "+"
		return w.sides.synced()
	})
	scoped("FetchCheck", func(string) any { return checkView("LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus keys: 0\n") })
	w.on("Prove", func() any { return proof(func(*etcd.Proof) {}) })
	w.on("LookUpPlatform", func() any {
		return activities.PlatformAddress{Cluster: "west", Agreed: true, Answers: map[string][]string{"192.0.2.2": {"192.0.2.10"}}, TTL: 30}
	})
	scoped("ListServices", func(string) any {
		return activities.ServicesView{Groups: []activities.ServiceGroup{{Name: "Elasticsearch", Pods: []kube.Pod{{Name: "es-0", UID: "es-uid"}}}, {Name: "VictoriaMetrics"}}}
	})
	for _, name := range []string{"CompareKeys", "CopyToken", "RemoveToken", "WaitBootstrap", "RestartServices"} {
		scoped(name, func(string) any { return activities.Evidence{Summary: name + " done"} })
	}
}

func (p *twoSides) synced() activities.SyncPod {
	return activities.SyncPod{Evidence: activities.Evidence{Summary: "copied"}, Pod: kube.Pod{Name: "etcd-sync-1", UID: p.copier}, Seen: []string{p.copier}}
}

func checkView(text string) activities.CheckView {
	return activities.CheckView{CheckResult: syncplugin.ParseCheck([]byte(text)), URL: "http://10.4.7.7/check", Node: "e1"}
}

// proof is a clean one, changed.
func proof(change func(*etcd.Proof)) etcd.Proof {
	p := etcd.Proof{Mode: etcd.Full, Primary: etcd.Position{ClusterID: "a", Revision: 70}, Standby: etcd.Position{ClusterID: "b", Revision: 40}, Compared: 1234, Digest: "d19e57"}
	change(&p)
	return p
}

// ofPair makes the run one of a site with two clusters.
func (w *world) ofPair() *world {
	doc := thePair()
	for i := range doc.Clusters {
		doc.Clusters[i].Balancer = &site.Balancer{Driver: site.BalancerHAProxy, HAProxy: &site.HAProxy{Hosts: []site.Host{{Name: "lb", Address: "192.0.2.9"}}}}
	}
	w.answer["LoadSite"] = func() any { return site.Snapshot{Name: "lab", SHA256: "5111", Site: doc} }
	return w
}
