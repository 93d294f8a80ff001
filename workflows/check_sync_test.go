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

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/checks/pair/pairtest"
	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

// checkWorld is a world with a healthy pair in it: west is the primary. Tests
// change what the activities say.
type checkWorld struct {
	*world
	doc     site.Site
	sides   map[string]*pair.Side
	vendor  []activities.CheckView // one for each time it is asked; the last one stays
	proofs  []etcd.Proof
	named   string          // where the platform's domain points at
	unread  map[string]bool // what can't be read: vendor, proof, name, contract
	asked   []activities.CompareInput
	looked  []activities.PairViewInput
	written []activities.LedgerInput
}

func newCheckWorld(t *testing.T) *checkWorld {
	w := &checkWorld{world: newWorld(t), doc: thePair(), named: "west", sides: map[string]*pair.Side{}, unread: map[string]bool{}}
	good := pairtest.Good()
	for i := range good.Sides {
		w.sides[good.Sides[i].Cluster] = &good.Sides[i]
	}
	w.vendor = []activities.CheckView{vendorSays(0, 0)}
	w.proofs = []etcd.Proof{proven(0, 0, 0)}
	w.answer["LoadSite"] = func() any { return site.Snapshot{Name: "lab", SHA256: "5111", Site: w.doc} }
	input(w, "ObservePair", func(in activities.PairViewInput) any {
		w.looked = append(w.looked, in)
		return w.view(in.Deep)
	})
	input(w, "CompareSides", func(in activities.CompareInput) any {
		w.asked = append(w.asked, in)
		return w.compare(in.Vendor)
	})
	input(w, "MeasureLag", func(activities.PairInput) any { return pair.Canary{Lag: time.Second, Arrived: true} })
	input(w, "WaitFirstSync", func(activities.SyncPodInput) any {
		return activities.SyncPod{Pod: kube.Pod{Name: "etcd-sync-1", UID: "u1"}, Seen: []string{"u1"}}
	})
	input(w, "RecreateSyncPod", func(in activities.RecreateInput) any { return activities.SyncPod{Pod: kube.Pod{Name: "etcd-sync-2"}} })
	input(w, "JudgePair", func(in activities.JudgePairInput) any {
		card, err := (&activities.Sides{}).JudgePair(context.Background(), in)
		require.NoError(w.t, err)
		return card
	})
	input(w, "RecordCheck", func(in activities.LedgerInput) any {
		w.written = append(w.written, in)
		return activities.Evidence{Summary: "written"}
	})
	w.answer["DescribeLease"] = func() any {
		return activities.LeaseHolder{Runbook: "Install", Cluster: "west", WorkflowID: "install/lab/west"}
	}
	return w
}

// fact is known unless the test says otherwise.
func fact[T any](w *checkWorld, name string, value T) pair.Known[T] {
	if w.unread[name] {
		return pair.Unknown[T](name + " is broken")
	}
	return pair.Of(value)
}

func (w *checkWorld) view(deep bool) activities.PairView {
	out := activities.PairView{Sides: []pair.Side{*w.sides["west"], *w.sides["east"]}}
	out.Address = fact(w, "name", pair.Address{Cluster: w.named, TTL: 30, Answers: []pair.Answer{{Server: "192.0.2.2", Addresses: []string{"192.0.2.10"}}}})
	if deep {
		out.Contract = fact(w, "contract", pair.Contract{Compared: 9})
	}
	return out
}

func (w *checkWorld) compare(vendor bool) activities.Comparison {
	out := activities.Comparison{Proof: fact(w, "proof", next(&w.proofs))}
	if vendor {
		out.Vendor = fact(w, "vendor", activities.VendorFact(next(&w.vendor)))
	}
	return out
}

// input gives an activity an answer that depends on its input.
func input[I any](w *checkWorld, name string, answer func(I) any) {
	w.given[name] = func(raw json.RawMessage) any {
		var in I
		require.NoError(w.t, json.Unmarshal(raw, &in))
		return answer(in)
	}
}

func next[T any](list *[]T) T {
	out := (*list)[0]
	if len(*list) > 1 {
		*list = (*list)[1:]
	}
	return out
}

func vendorSays(missed, surplus int) activities.CheckView {
	return activities.CheckView{CheckResult: syncplugin.CheckResult{Understood: true, Missed: missed, Surplus: surplus}}
}

func proven(missed, surplus, different int) etcd.Proof {
	at := func(revision int64) etcd.Position { return etcd.Position{ClusterID: "c", Revision: revision} }
	return etcd.Proof{Mode: etcd.Full, Owners: true, Taken: time.Now().UTC(), Primary: at(70), Standby: at(80), Compared: 4000, Missed: missed, Surplus: surplus, Different: different,
		Digest: "d16e57", Mark: etcd.Mark{Primary: at(70), Standby: at(80), Digest: "d16e57"}}
}

var checkRequest = workflows.Request{Site: "lab", OnFailure: workflows.OnFailureAbort}

func (w *checkWorld) check() *workflows.SyncVerdict {
	require.NoError(w.t, w.runBook(workflows.CheckSyncName, checkRequest))
	v := w.status().Sync
	require.NotNil(w.t, v)
	return v
}

func (w *checkWorld) count(name string) int {
	return len(slices.DeleteFunc(w.done(), func(n string) bool { return n != name }))
}

// said is what the card says of a rule, about the side or the pair.
func said(t *testing.T, v *workflows.SyncVerdict, rule, node string) checks.Finding {
	t.Helper()
	i := slices.IndexFunc(v.Findings, func(f checks.Finding) bool { return f.Rule == rule && f.Node == node })
	require.GreaterOrEqual(t, i, 0, "%s %s", rule, node)
	return v.Findings[i]
}

func (w *checkWorld) step(id string) workflows.StepProgress {
	for _, s := range w.status().Steps {
		if s.ID == id {
			return s
		}
	}
	w.t.Fatalf("no step %s", id)
	return workflows.StepProgress{}
}

func TestCheckOfAGoodPair(t *testing.T) {
	w := newCheckWorld(t)
	v := w.check()
	p := w.status()
	assert.Equal(t, workflows.Succeeded, p.Outcome)
	assert.False(t, v.Blocking, "%+v", v.Tally)
	assert.Equal(t, pair.Roles{Primary: "west", Standby: "east", By: pair.SyncSign}, v.Roles)
	assert.Equal(t, "consistent: east is the standby of west", v.Summary)
	assert.Equal(t, "d16e57", v.Good.Digest)
	assert.Empty(t, p.Cluster)
	assert.Equal(t, "not needed: no key is known to be missed", w.step("check.05-repair").Evidence.Summary)
	assert.False(t, w.called("MeasureLag"), "the site has no canary")
	require.Len(t, w.written, 1)
	in := w.written[0]
	assert.Equal(t, "east", in.Cluster, "the standby remembers")
	assert.Equal(t, v.Good, in.Good)
	assert.NotEmpty(t, in.Mark)
	assert.False(t, in.Full.IsZero())
	assert.True(t, w.asked[0].Owners)
	assert.Nil(t, w.asked[0].Since)
	assert.LessOrEqual(t, len(w.done()), 5, "activities cost: %v", w.done())
}

func TestCanaryIsMeasuredWhereTheSiteAllowsIt(t *testing.T) {
	w := newCheckWorld(t)
	w.doc.DR.Sync.Canary = &site.Canary{Namespace: "acpflow-canary"}
	assert.False(t, w.check().Blocking)
	assert.Equal(t, "it took 1s", w.step("check.04-canary").Evidence.Summary)
}

// The primary is gone: the check ends, and says how far both were equal.
func TestDeadPrimary(t *testing.T) {
	w := newCheckWorld(t)
	*w.sides["west"] = pair.Side{Cluster: "west", Taken: time.Now(), Fault: &pair.Fault{Class: "Unreachable", Message: "no route to host"}}
	at := time.Now().Add(-5 * time.Minute).UTC()
	w.sides["east"].Ledger = pair.Of(pair.Ledger{Good: &pair.Good{At: at, From: "west", To: "east", Primary: pair.Position{Revision: 4711}}, Last: []pair.Past{{At: at}}})
	v := w.check()
	assert.Equal(t, workflows.ChecksFailed, w.status().Outcome)
	assert.Equal(t, "west", v.Roles.Primary, "the standby is known by its synchronizer")
	assert.Equal(t, checks.Fail, said(t, v, "CARD-01", "west").Outcome)
	assert.Contains(t, v.Summary, "both sides were last equal at "+at.Format("2006-01-02 15:04:05 UTC"))
	assert.Contains(t, v.Summary, "primary at revision 4711")
	assert.False(t, w.called("CompareSides"))
	assert.False(t, w.called("RecreateSyncPod"))
	require.Len(t, w.written, 1, "the standby remembers that, too")
	assert.Nil(t, w.written[0].Good)
}

func TestDeadStandby(t *testing.T) {
	w := newCheckWorld(t)
	*w.sides["east"] = pair.Side{Cluster: "east", Taken: time.Now(), Fault: &pair.Fault{Class: "Unreachable", Message: "no route to host"}}
	v := w.check()
	assert.True(t, v.Blocking)
	assert.False(t, w.called("CompareSides"))
	assert.Empty(t, w.written)
	assert.Equal(t, "not needed: east can't be reached", w.step("check.07-ledger").Evidence.Summary)
}

// A text that nobody understands is not "consistent", and no reason to act.
func TestUnknownCheckText(t *testing.T) {
	w := newCheckWorld(t)
	w.vendor = []activities.CheckView{{CheckResult: syncplugin.CheckResult{Reason: "it lacks a section", Excerpt: "ALL FINE"}}}
	v := w.check()
	assert.Equal(t, checks.Error, said(t, v, pair.VendorSay, "").Outcome)
	assert.Contains(t, said(t, v, pair.VendorSay, "").Reason, "ALL FINE")
	assert.Nil(t, v.Good)
	assert.False(t, w.called("RecreateSyncPod"))
}

// What can't be read is a finding, not the end of the check.
func TestReadsThatFail(t *testing.T) {
	for name, rule := range map[string]string{"vendor": pair.VendorSay, "proof": pair.Equal, "name": "DR-42", "contract": "DR-22"} {
		w := newCheckWorld(t)
		w.unread[name] = true
		v := w.check()
		assert.Equal(t, checks.Error, said(t, v, rule, "").Outcome, name)
		assert.Contains(t, said(t, v, rule, "").Reason, name+" is broken")
		assert.True(t, v.Blocking)
	}
	w := newCheckWorld(t)
	w.breaks("RecordCheck", "Unreachable")
	assert.False(t, w.check().Blocking)
	assert.Contains(t, w.step("check.07-ledger").Evidence.Summary, "not written: RecordCheck is broken")
}

// A worker that can't look at all has no verdict, and nobody is asked about it.
func TestCheckThatCannotLookFails(t *testing.T) {
	w := newCheckWorld(t)
	w.breaks("ObservePair", "BadInput")
	assert.ErrorContains(t, w.runBook(workflows.CheckSyncName, checkRequest), "ObservePair is broken")
	assert.Equal(t, workflows.Aborted, w.status().Outcome)
	assert.Nil(t, w.status().Sync)
}

// The proof begins at the ledger's mark while a full one is less than an hour old.
func TestIncrementalProof(t *testing.T) {
	mark, err := json.Marshal(proven(0, 0, 0).Mark)
	require.NoError(t, err)
	ledger := func(w *checkWorld, full time.Time) {
		w.sides["east"].Ledger = pair.Of(pair.Ledger{Mark: mark, Full: full, Last: []pair.Past{{At: time.Now()}}})
	}
	young := time.Now().Add(-time.Minute)

	w := newCheckWorld(t)
	ledger(w, young)
	w.proofs[0].Mode, w.proofs[0].Owners = etcd.Incremental, false
	v := w.check()
	assert.Contains(t, said(t, v, pair.Equal, "").Seen, "owners last looked for at "+young.UTC().Format("2006-01-02 15:04 UTC"))
	assert.Contains(t, w.step("check.03-proof").Evidence.Summary, "owners not looked for")
	require.NotNil(t, w.asked[0].Since)
	assert.Equal(t, int64(70), w.asked[0].Since.Primary.Revision)
	assert.True(t, w.written[0].Full.IsZero())
	assert.NotEmpty(t, w.written[0].Mark)

	w = newCheckWorld(t)
	ledger(w, time.Now().Add(-2*time.Hour))
	w.check()
	assert.Nil(t, w.asked[0].Since, "the full one is too old")

	w = newCheckWorld(t)
	ledger(w, young)
	full := checkRequest
	full.Full = true
	require.NoError(t, w.runBook(workflows.CheckSyncName, full))
	assert.Nil(t, w.asked[0].Since, "asked for")

	w = newCheckWorld(t)
	ledger(w, young)
	w.proofs[0].Why = "primary: etcd has dropped what happened since then"
	w.check()
	assert.NotNil(t, w.asked[0].Since)
	assert.True(t, w.asked[0].Owners, "it turns out to be a full one")
	assert.False(t, w.written[0].Full.IsZero())

	w = newCheckWorld(t)
	w.proofs[0].Owners = false
	w.check()
	assert.True(t, w.written[0].Full.IsZero(), "owners were not looked for: the next one is full again")

	w = newCheckWorld(t)
	w.proofs[0].Orphans = 1
	w.check()
	assert.True(t, w.written[0].Forget, "an incremental proof would not see it")
	assert.Empty(t, w.written[0].Mark)
}

// A monitor's check reads what rarely changes once an hour, and at once again
// when something about it is wrong.
func TestMonitorReadsSlowFactsOnceAnHour(t *testing.T) {
	first := newCheckWorld(t)
	first.check()
	last := first.status()
	for name, c := range map[string]struct {
		change func(*workflows.Progress)
		deep   bool
	}{
		"a minute later": {func(*workflows.Progress) {}, false},
		"an hour later":  {func(p *workflows.Progress) { p.Sync.Deep = p.Sync.Deep.Add(-time.Hour) }, true},
		"another site":   {func(p *workflows.Progress) { p.SiteSHA256 = "other" }, true},
		"no verdict":     {func(p *workflows.Progress) { p.Sync = nil }, true},
		"a slow fact fails": {func(p *workflows.Progress) {
			i := slices.IndexFunc(p.Sync.Findings, func(f checks.Finding) bool { return f.Rule == "DR-24" })
			p.Sync.Findings[i].Outcome = checks.Fail
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var p workflows.Progress
			copied, err := json.Marshal(last)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(copied, &p))
			c.change(&p)
			w := newCheckWorld(t)
			w.env.SetLastCompletionResult(&p)
			if !c.deep {
				for _, s := range w.sides { // what is not asked for is not there
					s.Keys, s.Forwards = pair.Known[[]pair.KeyFile]{}, pair.Known[[]pair.Forward]{}
				}
			}
			v := w.check()
			for _, in := range w.looked {
				assert.Equal(t, c.deep, in.Deep)
			}
			assert.False(t, v.Blocking, "%+v", v.Tally)
			assert.Equal(t, !c.deep, v.Lately)
			if !c.deep {
				assert.True(t, last.Sync.Deep.Equal(v.Deep))
				assert.LessOrEqual(t, len(w.done()), 5, fmt.Sprint(w.done()))
			}
		})
	}
}

// The whole board is readable, and nothing in it is a secret or endless.
func TestCheckResultIsSmall(t *testing.T) {
	w := newCheckWorld(t)
	w.check()
	text, err := json.Marshal(w.status())
	require.NoError(t, err)
	assert.Less(t, len(text), 16<<10)
	assert.False(t, strings.Contains(string(text), "aescbc/key1"))
}
