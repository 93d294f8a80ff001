package pair_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/checks/pair/pairtest"
)

func good() pair.Facts { return pairtest.Good() }

var now = pairtest.Now

// ruleCase breaks the good facts; the first finding that isn't fine must say so.
type ruleCase struct {
	rule string
	name string
	want checks.Outcome
	says string
	edit func(*pair.Facts)
}

const (
	fail   = checks.Fail
	warn   = checks.Warn
	untold = checks.Error
)

// east is the standby of the good facts.
func east(edit func(*pair.Side)) func(*pair.Facts) {
	return func(f *pair.Facts) { edit(&f.Sides[1]) }
}

func west(edit func(*pair.Side)) func(*pair.Facts) {
	return func(f *pair.Facts) { edit(&f.Sides[0]) }
}

func certificate(c pair.Certificate) func(*pair.Facts) {
	return east(func(s *pair.Side) {
		all := slices.Clone(*s.Certificates.Value)
		if c.Name == pair.PlatformCertificate {
			all = all[1:]
		}
		s.Certificates = pair.Of(append(all, c))
	})
}

func clock(least, most time.Duration) func(*pair.Facts) {
	return east(func(s *pair.Side) { s.Clocks = pair.Of([]pair.Clock{{Node: "east-m1", Least: least, Most: most}}) })
}

func key(edit func(*pair.KeyFile)) func(*pair.Facts) {
	return east(func(s *pair.Side) { edit(&(*s.Keys.Value)[1]) })
}

func forward(port int, edit func(*pair.Forward)) func(*pair.Facts) {
	return east(func(s *pair.Side) {
		all := slices.Clone(*s.Forwards.Value)
		edit(&all[slices.IndexFunc(all, func(f pair.Forward) bool { return f.Port == port })])
		s.Forwards = pair.Of(all)
	})
}

func plugin(west, east pair.Known[pair.Plugin]) func(*pair.Facts) {
	return func(f *pair.Facts) { f.Sides[0].Plugin, f.Sides[1].Plugin = west, east }
}

var (
	carried = pair.Of(pair.Plugin{Present: true, Version: "v4.1.0", Phase: "Running", Ready: 1, Pods: 1})
	none    = pair.Of(pair.Plugin{})
	unread  = pair.Unknown[pair.Plugin]("no route")
)

var ruleCases = slices.Concat(roleCases, syncCases, keyCases, trustCases, wayCases, contentCases)

var roleCases = []ruleCase{
	{"CARD-01", "dead", fail, "Unreachable: no route", west(func(s *pair.Side) { s.Fault = &pair.Fault{Class: "Unreachable", Message: "no route"} })},
	{"CARD-01", "not looked at", untold, "not looked at", west(func(s *pair.Side) { s.Taken = time.Time{} })},
	{"DR-01", "signs contradict", fail, "points at east, which carries the synchronizer", func(f *pair.Facts) { f.Address.Value.Cluster = "east" }},
	{"DR-01", "both carry it", fail, "opposite directions", plugin(carried, carried)},
	{"DR-01", "nothing tells", fail, "tells neither", func(f *pair.Facts) { plugin(none, none)(f); f.Address.Value.Cluster = "" }},
	{"DR-01", "one side unknown", untold, "whether west carries", plugin(unread, carried)},
	{"DR-01", "no name server", untold, "timed out", func(f *pair.Facts) { f.Address = pair.Unknown[pair.Address]("timed out") }},
	{"CARD-02", "one cluster twice", fail, "both sides are the cluster uid-west", east(func(s *pair.Side) { s.UID = pair.Of("uid-west") })},
	{"CARD-02", "no UID", untold, "is not known", east(func(s *pair.Side) { s.UID = pair.Of("") })},
	{"CARD-02", "unread", untold, "no route", east(func(s *pair.Side) { s.UID = pair.Unknown[string]("no route") })},
}

var syncCases = []ruleCase{
	{"DR-31", "vanished", fail, "vanished: the check of 2026-06-15 11:00 UTC still saw v4.1.0 on east", plugin(none, none)},
	{"DR-31", "never there", fail, "never installed", func(f *pair.Facts) { plugin(none, none)(f); f.Sides[1].Ledger = pair.Of(pair.Ledger{}) }},
	{"DR-31", "never well", fail, "on no side, and no good check is known", func(f *pair.Facts) { plugin(none, none)(f); f.Sides[1].Ledger.Value.Good = nil }},
	{"DR-31", "an empty ledger here, an unread one there", fail, "whether it ever was is not known", func(f *pair.Facts) {
		plugin(none, none)(f)
		f.Sides[0].Ledger, f.Sides[1].Ledger = pair.Unknown[pair.Ledger]("no route"), pair.Of(pair.Ledger{})
	}},
	{"DR-31", "no ledger", fail, "whether it ever was is not known", func(f *pair.Facts) { plugin(none, none)(f); f.Sides[1].Ledger = pair.Unknown[pair.Ledger]("no route") }},
	{"DR-31", "on both", fail, "on both sides", plugin(carried, carried)},
	{"DR-31", "absent here, unread there", untold, "whether west carries it", plugin(unread, none)},
	{"DR-32", "not running", fail, "is Failed chart broken", east(func(s *pair.Side) { s.Plugin.Value.Phase, s.Plugin.Value.Message = "Failed", "chart broken" })},
	{"DR-32", "no ready Pod", fail, "none of 2 Pods", east(func(s *pair.Side) { s.Plugin.Value.Ready = 0 })},
	{"DR-32", "no leader", fail, "no Pod leads", east(func(s *pair.Side) { s.Plugin.Value.Leads = true })},
	{"DR-32", "no phase", untold, "no phase", east(func(s *pair.Side) { s.Plugin.Value.Phase = "" })},
	{"DR-32", "nowhere", untold, "no side is known", plugin(none, none)},
	{"DR-33", "missed", fail, "1 missed, 0 surplus: /registry/a", func(f *pair.Facts) { f.Vendor = pair.Of(pair.Vendor{Missed: 1, Samples: []string{"/registry/a"}}) }},
	{"DR-33", "surplus", fail, "0 missed, 2 surplus", func(f *pair.Facts) { f.Vendor = pair.Of(pair.Vendor{Surplus: 2}) }},
	{"DR-33", "not understood", untold, "not understood: no count", func(f *pair.Facts) { f.Vendor = pair.Of(pair.Vendor{Unclear: "no count"}) }},
	{"DR-33", "no answer", untold, "refused", func(f *pair.Facts) { f.Vendor = pair.Unknown[pair.Vendor]("refused") }},
	{"DR-41-proof", "different", fail, "0 missed, 0 surplus, 3 different", func(f *pair.Facts) { f.Proof.Value.Different, f.Proof.Value.Clean = 3, false }},
	{"DR-41-proof", "dangling", fail, "1 without their owner", func(f *pair.Facts) { f.Proof.Value.Dangling = 1 }},
	{"DR-41-proof", "says unclean", fail, "0 missed", func(f *pair.Facts) { f.Proof.Value.Clean = false }},
	{"DR-41-proof", "nothing compared", untold, "no key was compared", func(f *pair.Facts) { f.Proof.Value.Compared = 0 }},
	{"DR-41-proof", "none", untold, "was not read", func(f *pair.Facts) { f.Proof = pair.Known[pair.Proof]{} }},
	{"CARD-10", "slow", fail, "31.0 s, more than 30s", func(f *pair.Facts) { f.Canary.Value.Lag = 31 * time.Second }},
	{"CARD-10", "never", fail, "nothing arrived", func(f *pair.Facts) { f.Canary.Value.Arrived = false }},
	{"CARD-10", "not measured", untold, "was not read", func(f *pair.Facts) { f.Canary = pair.Known[pair.Canary]{} }},
	{"CARD-11", "never equal", warn, "no check", func(f *pair.Facts) { f.Sides[1].Ledger = pair.Of(pair.Ledger{}) }},
	{"CARD-11", "no ledger", untold, "no route", func(f *pair.Facts) { f.Sides[1].Ledger = pair.Unknown[pair.Ledger]("no route") }},
}

var keyCases = []ruleCase{
	{"DR-22", "differs", fail, "registry: a, not b", func(f *pair.Facts) {
		f.Contract = pair.Of(pair.Contract{Compared: 9, Differences: []string{"registry: a, not b"}})
	}},
	{"DR-22", "nothing compared", untold, "nothing was compared", func(f *pair.Facts) { f.Contract = pair.Of(pair.Contract{}) }},
	{"DR-22", "unread", untold, "no route", func(f *pair.Facts) { f.Contract = pair.Unknown[pair.Contract]("no route") }},
	{"DR-24", "another key", fail, "east-m2 has the keys aescbc/key2/99", key(func(k *pair.KeyFile) { k.SHA256, k.Keys = "x", []string{"aescbc/key2/99"} })},
	{"DR-24", "another text", fail, "differ in more than their keys", key(func(k *pair.KeyFile) { k.SHA256 = "x" })},
	{"DR-24", "absent", fail, "east-m2 has no file", key(func(k *pair.KeyFile) { *k = pair.KeyFile{Node: k.Node, Absent: true} })},
	{"DR-24", "readable", fail, "root:root 0644", key(func(k *pair.KeyFile) { k.Mode = "0644" })},
	{"DR-24", "owned", fail, "ops:root 0600", key(func(k *pair.KeyFile) { k.Owner = "ops:root" })},
	{"DR-24", "unread node", untold, "east-m2: no route", key(func(k *pair.KeyFile) { *k = pair.KeyFile{Node: k.Node, Fault: "no route"} })},
	{"DR-24", "no node", untold, "no control plane", east(func(s *pair.Side) { s.Keys = pair.Of([]pair.KeyFile{}) })},
	{"CARD-09", "not decryptable", fail, "ns1: invalid padding", east(func(s *pair.Side) { s.Secrets = pair.Of(pair.Secrets{Failed: []string{"ns1: invalid padding"}}) })},
	{"CARD-09", "unread", untold, "was not read", east(func(s *pair.Side) { s.Secrets = pair.Known[pair.Secrets]{} })},
}

var trustCases = []ruleCase{
	{"CARD-03", "another platform", fail, "east: platform v4.2.0", east(func(s *pair.Side) { s.Platform = pair.Of(pair.Module{Version: "v4.2.0"}) })},
	{"CARD-03", "another Kubernetes", fail, "Kubernetes v1.33.0", east(func(s *pair.Side) { s.Kubernetes = pair.Of("v1.33.0") })},
	{"CARD-03", "untold", untold, "does not tell", east(func(s *pair.Side) { s.Platform = pair.Of(pair.Module{}) })},
	{"CARD-04", "another key", warn, "signing keys", east(func(s *pair.Side) { s.Tokens.Value.JWKS = "bb" })},
	{"CARD-04", "another issuer", warn, "issuers", east(func(s *pair.Side) { s.Tokens.Value.Issuer = "bb" })},
	{"CARD-04", "empty", untold, "does not tell", east(func(s *pair.Side) { s.Tokens = pair.Of(pair.Tokens{}) })},
	{"DR-15", "another", fail, "east shows bb", certificate(pair.Certificate{Name: pair.PlatformCertificate, SHA256: "bb", NotAfter: now.AddDate(1, 0, 0)})},
	{"DR-15", "unread", untold, "no route", certificate(pair.Certificate{Name: pair.PlatformCertificate, Fault: "no route"})},
	{"DR-15", "not among them", untold, "was not read", east(func(s *pair.Side) { s.Certificates = pair.Of((*s.Certificates.Value)[1:]) })},
	{"CARD-07", "ended", fail, "remote-etcd-client ended on 2026-06-15", certificate(pair.Certificate{Name: "remote-etcd-client", NotAfter: now})},
	{"CARD-07", "soon", warn, "x ends on 2026-07-15", certificate(pair.Certificate{Name: "x", NotAfter: now.Add(30*24*time.Hour - time.Second)})},
	{"CARD-07", "unread", untold, "x: no route", certificate(pair.Certificate{Name: "x", Fault: "no route"})},
	{"CARD-07", "none", untold, "no certificate", east(func(s *pair.Side) { s.Certificates = pair.Of([]pair.Certificate{}) })},
	{"CARD-05", "fast", fail, "east-m1 by 2001 ms", clock(2001*time.Millisecond, 2100*time.Millisecond)},
	{"CARD-05", "slow", fail, "east-m1 by 2001 ms", clock(-2100*time.Millisecond, -2001*time.Millisecond)},
	{"CARD-05", "a bit", warn, "east-m1 by 501 ms", clock(501*time.Millisecond, 600*time.Millisecond)},
	{"CARD-05", "a slow answer", untold, "took 2001 ms", clock(-time.Second, 1001*time.Millisecond)},
	{"CARD-05", "none", untold, "no clock", east(func(s *pair.Side) { s.Clocks = pair.Of([]pair.Clock{}) })},
	{"CARD-05", "unread", untold, "no route", east(func(s *pair.Side) { s.Clocks = pair.Of([]pair.Clock{{Node: "m", Fault: "no route"}}) })},
}

var wayCases = []ruleCase{
	{"DR-10", "closed", fail, "6443 is not forwarded", forward(6443, func(f *pair.Forward) { f.Configured, f.Reachable = false, false })},
	{"DR-10", "layer 7", fail, "443 is forwarded in mode http", forward(443, func(f *pair.Forward) { f.Mode = "http" })},
	{"DR-10", "nowhere", fail, "nothing answers behind 80: refused", forward(80, func(f *pair.Forward) { f.Reachable, f.Error = false, "refused" })},
	{"DR-10", "not looked at", untold, "443 was not looked at", east(func(s *pair.Side) {
		s.Forwards = pair.Of([]pair.Forward{pairtest.Open(80), pairtest.Open(6443), pairtest.Open(11443)})
	})},
	{"DR-10", "unread", untold, "no route", east(func(s *pair.Side) { s.Forwards = pair.Unknown[[]pair.Forward]("no route") })},
	{"DR-30", "closed", fail, "2379 is not forwarded", forward(2379, func(f *pair.Forward) { f.Configured, f.Reachable = false, false })},
	{"DR-30", "layer 7", fail, "2379 is forwarded in mode http", forward(2379, func(f *pair.Forward) { f.Mode = "http" })},
	{"DR-30", "changed bytes", fail, "does not pass bytes unchanged: another certificate", forward(2379, func(f *pair.Forward) { *f.Plain, f.Error = false, "another certificate" })},
	{"DR-30", "untold bytes", untold, "whether 2379 passes", forward(2379, func(f *pair.Forward) { f.Plain = nil })},
	{"DR-30", "unread", untold, "no route", east(func(s *pair.Side) { s.Forwards = pair.Unknown[[]pair.Forward]("no route") })},
	{"DR-42", "a stale resolver", fail, "not one side everywhere", func(f *pair.Facts) { f.Address.Value.Stale = true }},
	{"DR-42", "a silent server", untold, "no answer from 198.18.0.3: timed out", func(f *pair.Facts) { f.Address.Value.Silent = []string{"198.18.0.3: timed out"} }},
	{"DR-42", "not everywhere", fail, "198.18.0.2: 192.0.2.10", func(f *pair.Facts) { f.Address.Value.Cluster = "" }},
	{"DR-42", "nobody asked", untold, "no server", func(f *pair.Facts) { f.Address.Value.Answers = nil }},
	{"CARD-06", "long", warn, "31 s, more than 30 s", func(f *pair.Facts) { f.Address.Value.TTL = 31 }},
	{"CARD-06", "unread", untold, "timed out", func(f *pair.Facts) { f.Address = pair.Unknown[pair.Address]("timed out") }},
}

var contentCases = []ruleCase{
	{"DR-41-machine", "failed", fail, "m2 Failed", east(func(s *pair.Side) {
		s.Machines = pair.Of(pair.Machines{Total: 3, Bad: []pair.Machine{{Name: "m2", Phase: "Failed"}}})
	})},
	{"DR-41-machine", "being deleted", fail, "m2 Running (being deleted)", west(func(s *pair.Side) {
		s.Machines = pair.Of(pair.Machines{Total: 3, Bad: []pair.Machine{{Name: "m2", Phase: "Running", Deleting: true}}})
	})},
	{"DR-41-machine", "none at all", untold, "no Machine", east(func(s *pair.Side) { s.Machines = pair.Of(pair.Machines{}) })},
	{"DR-07", "one more", warn, "default/configmaps: 1 on west, 2 on east (b only on east)", east(func(s *pair.Side) {
		s.Inventory = pair.Of([]pair.Kind{{Namespace: "default", Kind: "configmaps", Count: 2, Hash: "g", Names: []string{"a", "b"}}})
	})},
	{"DR-07", "a kind more", warn, "default/secrets: 0 on west, 1 on east (s only on east)", east(func(s *pair.Side) {
		s.Inventory = pair.Of(append(*s.Inventory.Value, pair.Kind{Namespace: "default", Kind: "secrets", Count: 1, Hash: "g", Names: []string{"s"}}))
	})},
	{"DR-07", "unread", untold, "no route", east(func(s *pair.Side) { s.Inventory = pair.Unknown[[]pair.Kind]("no route") })},
	{"DR-34", "one more", warn, "east: none", east(func(s *pair.Side) { s.Components = pair.Of([]string{}) })},
	{"DR-34", "unread", untold, "no route", east(func(s *pair.Side) { s.Components = pair.Unknown[[]string]("no route") })},
}

func findings(f pair.Facts, rule string) []checks.Finding {
	return slices.DeleteFunc(pair.Judge(f), func(g checks.Finding) bool { return g.Rule != rule })
}

func TestRules(t *testing.T) {
	for _, c := range ruleCases {
		t.Run(c.rule+" "+c.name, func(t *testing.T) {
			f := good()
			c.edit(&f)
			all := findings(f, c.rule)
			require.NotEmpty(t, all)
			i := slices.IndexFunc(all, func(g checks.Finding) bool { return g.Outcome != checks.Pass })
			require.GreaterOrEqual(t, i, 0, "%+v", all)
			assert.Equal(t, c.want, all[i].Outcome, "%+v", all[i])
			assert.Contains(t, all[i].Said(), c.says)
			assert.NotEmpty(t, all[i].Fix)
		})
	}
}

// Every rule passes on the good facts, and has a case in which it does not and
// one in which it can't tell.
func TestEveryRuleHasItsCases(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range pair.Rules() {
		assert.False(t, seen[r.ID], "%s stands twice", r.ID)
		seen[r.ID] = true
		for _, text := range []string{r.Title, r.Want, r.Fix, r.Source} {
			assert.NotEmpty(t, text, r.ID)
		}
		has := func(outcomes ...checks.Outcome) bool {
			return slices.ContainsFunc(ruleCases, func(c ruleCase) bool { return c.rule == r.ID && slices.Contains(outcomes, c.want) })
		}
		assert.True(t, has(fail, warn), "%s has no case that fails", r.ID)
		assert.True(t, has(untold), "%s has no case that can't be told", r.ID)
		for _, g := range findings(good(), r.ID) {
			assert.Equal(t, checks.Pass, g.Outcome, "%+v", g)
			assert.NotEmpty(t, g.Seen, r.ID)
		}
		assert.NotEmpty(t, findings(good(), r.ID), r.ID)
	}
}
