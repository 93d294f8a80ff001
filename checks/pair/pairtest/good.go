// Package pairtest has facts of a pair on which all is well, for tests that
// break one of them.
package pairtest

import (
	"time"

	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/site"
)

// Now is when the facts are judged.
var Now = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

// Good are facts of a pair on which every rule passes.
func Good() pair.Facts {
	f := pair.Facts{
		Judged:   Now,
		Site:     site.Site{Name: "moscow", Clusters: []site.Cluster{{Name: "west"}, {Name: "east"}}, DR: site.DR{Planned: true, DNS: &site.DNS{TTL: 30}}},
		Address:  pair.Of(pair.Address{Cluster: "west", TTL: 30, Answers: []pair.Answer{{Server: "198.18.0.2", Addresses: []string{"192.0.2.10"}}}}),
		Contract: pair.Of(pair.Contract{Compared: 9}),
		Vendor:   pair.Of(pair.Vendor{}),
		Proof:    pair.Of(pair.Proof{Mode: "full", Taken: Now, Compared: 4000, Owners: true, Clean: true, Primary: pair.Position{Revision: 77}, Standby: pair.Position{Revision: 88}}),
		Canary:   pair.Of(pair.Canary{Lag: time.Second, Arrived: true}),
		Sides:    []pair.Side{side("west"), side("east")},
	}
	f.Site.DR.Sync.Canary = &site.Canary{Namespace: "acpflow-canary"}
	f.Sides[0].Plugin = pair.Of(pair.Plugin{})
	f.Sides[1].Ledger = pair.Of(pair.Ledger{
		Good: &pair.Good{At: Now.Add(-time.Hour), Plugin: "v4.1.0", From: "west", To: "east"},
		Last: []pair.Past{{At: Now.Add(-time.Hour), Run: "1", Outcome: "succeeded"}},
	})
	return f
}

func side(name string) pair.Side {
	key := func(node string) pair.KeyFile {
		return pair.KeyFile{Node: name + node, Owner: "root:root", Mode: "0600", SHA256: "5111aa", Keys: []string{"aescbc/key1/77aa"}}
	}
	return pair.Side{
		Cluster: name, Taken: Now,
		UID:        pair.Of("uid-" + name),
		Kubernetes: pair.Of("v1.32.1"),
		Platform:   pair.Of(pair.Module{Version: "v4.1.0", Phase: "Running"}),
		Plugin:     pair.Of(pair.Plugin{Present: true, Version: "v4.1.0", Phase: "Running", Ready: 2, Pods: 2}),
		Keys:       pair.Of([]pair.KeyFile{key("-m1"), key("-m2")}),
		Tokens:     pair.Of(pair.Tokens{Issuer: "https://kubernetes.default.svc", JWKS: "aa77"}),
		Certificates: pair.Of([]pair.Certificate{
			{Name: pair.PlatformCertificate, SHA256: "ce47", NotAfter: Now.AddDate(50, 0, 0)}, {Name: "etcd m1", SHA256: name, NotAfter: Now.AddDate(40, 0, 0)}}),
		Clocks:     pair.Of([]pair.Clock{{Node: name + "-m1", Least: -20 * time.Millisecond, Most: 30 * time.Millisecond}}),
		Forwards:   pair.Of([]pair.Forward{Open(80), Open(443), Open(6443), Open(11443), Open(2379)}),
		Inventory:  pair.Of([]pair.Kind{{Namespace: "default", Kind: "configmaps", Count: 1, Hash: "h", Names: []string{"a"}}}),
		Secrets:    pair.Of(pair.Secrets{Read: 40}),
		Machines:   pair.Of(pair.Machines{Total: 3}),
		Ledger:     pair.Of(pair.Ledger{}),
		Components: pair.Of([]string{"elasticsearch"}),
	}
}

// Open is a port as it shall be.
func Open(port int) pair.Forward {
	plain := true
	return pair.Forward{Port: port, Configured: true, Mode: "tcp", Reachable: true, Plain: &plain}
}
