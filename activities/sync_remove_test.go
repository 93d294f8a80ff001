package activities

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/site"
)

// The plugin's own check sees keys only: what it calls clean may still hold
// owners that are not there, or other values.
func TestMayRemoveDemandsAProof(t *testing.T) {
	clean := CheckView{CheckResult: syncplugin.ParseCheck([]byte("LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus keys: 0\n"))}
	proof := func(change func(*etcd.Proof)) etcd.Proof {
		p := etcd.Proof{Mode: etcd.Full, Primary: etcd.Position{Revision: 7}, Standby: etcd.Position{Revision: 9}, Compared: 12}
		change(&p)
		return p
	}
	alike := proof(func(*etcd.Proof) {})
	copied := PluginView{Installed: true, Pods: []kube.Pod{{Phase: "Running"}}}
	waits := PluginView{Installed: true, Pods: []kube.Pod{{Phase: "Pending"}}}
	for name, c := range map[string]struct {
		in     RemoveSyncInput
		view   PluginView
		check  CheckView
		proof  etcd.Proof
		cannot error  // of the proof
		says   string // "" = it may be removed
		proved bool   // the proof was asked for
	}{
		"alike":                   {view: copied, check: clean, proof: alike, proved: true},
		"an owner is missing":     {view: copied, check: clean, proof: proof(func(p *etcd.Proof) { p.Orphans = 1 }), says: "1 owners that are not there", proved: true},
		"other values":            {view: copied, check: clean, proof: proof(func(p *etcd.Proof) { p.Different = 2 }), says: "2 different", proved: true},
		"surplus":                 {view: copied, check: clean, proof: proof(func(p *etcd.Proof) { p.Surplus = 3 }), says: "3 surplus", proved: true},
		"a proof of nothing":      {view: copied, check: clean, says: "0 keys compared", proved: true},
		"no proof can be made":    {view: copied, check: clean, proof: alike, cannot: errors.New("west is away"), says: "could not be compared: west is away", proved: true},
		"the check says missed":   {view: copied, check: CheckView{CheckResult: syncplugin.ParseCheck([]byte("LOCAL ETCD missed keys: 1\n/registry/a\nLOCAL ETCD surplus keys: 0\n"))}, says: "1 missed keys"},
		"proven a moment ago":     {in: RemoveSyncInput{Proven: true}, view: copied},
		"it only waits":           {in: RemoveSyncInput{Fresh: true}, view: waits},
		"it waits, but has run":   {view: waits, check: clean, cannot: errors.New("west is away"), says: "west is away", proved: true},
		"drained while it copied": {in: RemoveSyncInput{Fresh: true}, view: PluginView{Installed: true}, check: clean, cannot: errors.New("west is away"), says: "west is away", proved: true},
		"on its way":              {view: PluginView{Installed: true, Plugin: kube.PluginState{Deleting: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			proved := false
			err := c.in.mayRemove(c.view, func() (CheckView, error) { return c.check, nil }, func() (etcd.Proof, error) {
				proved = true
				return c.proof, c.cannot
			})
			assert.Equal(t, c.proved, proved)
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "can delete Machine objects")
			require.Equal(t, fault.Gate, fault.ClassOf(err))
		})
	}
	err := RemoveSyncInput{}.mayRemove(copied, func() (CheckView, error) { return CheckView{}, errors.New("no answer") }, nil)
	require.ErrorContains(t, err, "no answer")
}

// While the primary is away nothing can be compared: nothing of it may answer, and
// every owner must be on this side.
func TestMayRemoveAlone(t *testing.T) {
	installed := PluginView{Installed: true, Pods: []kube.Pod{{Phase: "Running"}}}
	down, whole := Reachability{Probes: 12}, Owners{Evidence: Evidence{Summary: "every owner is there"}}
	for name, c := range map[string]struct {
		view   PluginView
		seen   Reachability
		owners Owners
		cannot error // ask who answers
		says   string
	}{
		"down":              {view: installed, seen: down, owners: whole},
		"gone already":      {seen: Reachability{Answers: []string{"west-m1:22"}}},
		"the primary lives": {view: installed, seen: Reachability{Probes: 12, Answers: []string{"west-m1 192.0.2.11:22"}}, says: "west is back: west-m1 192.0.2.11:22"},
		"too few probes":    {view: installed, seen: Reachability{Probes: 1}, says: "1 probes don't show"},
		"nobody could ask":  {view: installed, cannot: errors.New("no control plane of east can ask"), says: "no control plane of east"},
		"an owner is gone":  {view: installed, seen: down, owners: Owners{Count: 1, Evidence: Evidence{Summary: "1 refer to owners that are not there", Tail: "m2"}}, says: "not there: m2"},
		"prevented":         {view: PluginView{Installed: true, Plugin: kube.PluginState{Prevented: true}}, seen: down, says: "prevents its removal"},
	} {
		t.Run(name, func(t *testing.T) {
			in := RemoveSyncInput{Primary: "west", Unreachable: true}
			err := in.mayRemoveAlone(c.view, func() (Reachability, error) { return c.seen, c.cannot }, func() (Owners, error) { return c.owners, nil })
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
			if c.cannot == nil {
				require.Equal(t, fault.Gate, fault.ClassOf(err))
			}
		})
	}
}

func TestUnpublishedNamesTheCommand(t *testing.T) {
	in := InstallSyncInput{PairInput: PairInput{Site: site.Site{Name: "moscow"}, Primary: "west", Standby: "east"}, Version: "v4.1.0"}
	require.ErrorContains(t, in.unpublished(), "acpflow push --site moscow --cluster east --package FILE")
}
