package takeover

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

func namespaceUID(t *testing.T, s *labtest.Side) string {
	t.Helper()
	ns, err := s.API.CoreV1().Namespaces().Get(t.Context(), "kube-system", metav1.GetOptions{})
	require.NoError(t, err)
	return string(ns.UID)
}

func swapVIPs(s *site.Site) {
	a, b := &s.Clusters[0].Endpoint.VIP, &s.Clusters[1].Endpoint.VIP
	*a, *b = *b, *a
}

func (r *rig) identity() {
	sides := &activities.Sides{Hosts: r.hosts}
	out, err := sides.IdentifySides(r.within(time.Minute), activities.IdentifyInput{PairInput: r.pair()})
	require.NoError(r, err)
	assert.Equal(r, activities.SideIdentity{UID: r.uid(r.West), Reachable: true}, out.Sides["west"])
	assert.Equal(r, activities.SideIdentity{UID: r.uid(r.East), Reachable: true}, out.Sides["east"])

	_, err = sides.IdentifySides(r.within(time.Minute), activities.IdentifyInput{PairInput: r.pair(swapVIPs)})
	text := r.refused(err)
	assert.Contains(r, text, "swapped")
	assert.Contains(r, text, r.uid(r.East))

	_, err = sides.IdentifySides(r.within(time.Minute), activities.IdentifyInput{PairInput: r.pair(func(s *site.Site) {
		s.Clusters[1].Nodes, s.Clusters[1].Endpoint = s.Clusters[0].Nodes, s.Clusters[0].Endpoint
	})})
	assert.Contains(r, r.refused(err), "same cluster")

	off := r.pair(func(s *site.Site) { s.Clusters[0].Endpoint.VIP = "192.0.2.77" })
	_, err = sides.IdentifySides(r.within(2*time.Minute), activities.IdentifyInput{PairInput: off})
	assert.Contains(r, r.refused(err), "west", "a VIP that leads nowhere identifies nobody")
}

// identityAlone is asked while the west is away.
func (r *rig) identityAlone() {
	sides := &activities.Sides{Hosts: r.hosts}
	_, err := sides.IdentifySides(r.within(3*time.Minute), activities.IdentifyInput{PairInput: r.pair()})
	assert.Contains(r, r.refused(err), "failover")
	start := time.Now()
	out, err := sides.IdentifySides(r.within(time.Minute), activities.IdentifyInput{PairInput: r.pair(), Alone: true})
	require.NoError(r, err)
	r.Logf("identified alone in %s", time.Since(start).Round(100*time.Millisecond))
	assert.False(r, out.Sides["west"].Reachable)
	assert.NotEmpty(r, out.Sides["west"].Why)
	assert.Empty(r, out.Sides["west"].UID)
	assert.Equal(r, r.uid(r.East), out.Sides["east"].UID)

	_, err = sides.IdentifySides(r.within(time.Minute), activities.IdentifyInput{PairInput: r.pair(swapVIPs), Alone: true})
	assert.Contains(r, r.refused(err), "swapped", "the VIP of the dead side leads to the living one")

	turned := activities.PairInput{Site: r.document(), Primary: "east", Standby: "west"}
	_, err = sides.IdentifySides(r.within(3*time.Minute), activities.IdentifyInput{PairInput: turned, Alone: true})
	assert.Contains(r, r.refused(err), "can't become the primary")
}

func (r *rig) record() {
	sides := &activities.Sides{Hosts: r.hosts}
	none, err := sides.ReadPairRecord(r.Context(), r.east())
	require.NoError(r, err)
	assert.Zero(r, none)

	since := time.Now().UTC().Truncate(time.Second)
	want := activities.PairRecord{Primary: "east", PrimaryUID: r.uid(r.East), Standby: "west", StandbyUID: r.uid(r.West), Since: since, Run: "failover/1", Mode: "failover",
		Owed: []activities.Owed{{Cluster: "west", Action: activities.OwedClosePort, Port: 2379, Why: "away", Since: since}}}
	write := func(record activities.PairRecord) error {
		_, err := sides.WritePairRecord(r.Context(), activities.WriteRecordInput{Scope: r.east(), Record: record})
		return err
	}
	version := func() string {
		m, err := r.East.API.CoreV1().ConfigMaps("cpaas-system").Get(r.Context(), "acpflow-pair", metav1.GetOptions{})
		require.NoError(r, err)
		return m.ResourceVersion
	}
	require.NoError(r, write(want))
	first := version()
	require.NoError(r, write(want))
	assert.Equal(r, first, version(), "twice is once")
	got, err := sides.ReadPairRecord(r.Context(), r.east())
	require.NoError(r, err)
	assert.Equal(r, want, got)

	older := want
	older.Since, older.Run = since.Add(-time.Hour), "switchover/0"
	assert.Contains(r, r.refused(write(older)), "failover/1")
	mistaken := want
	mistaken.PrimaryUID, mistaken.StandbyUID = want.StandbyUID, want.PrimaryUID
	assert.Contains(r, r.refused(write(mistaken)), "UID")
	assert.Equal(r, first, version())

	out, err := sides.IdentifySides(r.within(time.Minute), activities.IdentifyInput{PairInput: r.pair()})
	require.NoError(r, err)
	require.NotNil(r, out.Sides["east"].Record)
	assert.Equal(r, want, *out.Sides["east"].Record)
	_, err = sides.IdentifySides(r.within(time.Minute), activities.IdentifyInput{PairInput: r.pair(func(s *site.Site) {
		s.Clusters[0].Name, s.Clusters[1].Name = "east", "west"
	})})
	assert.Contains(r, r.refused(err), "mixed up", "a document with everything swapped is consistent in itself; what a side remembers is not")

	paid := want
	paid.Owed, paid.Run, paid.Mode = nil, "reprotect/2", "reprotect"
	require.NoError(r, write(paid))
	got, err = sides.ReadPairRecord(r.Context(), r.east())
	require.NoError(r, err)
	assert.Empty(r, got.Owed)

	forget := func(run string) activities.PairRecord {
		_, err := sides.ForgetPairRecord(r.Context(), activities.ForgetRecordInput{Scope: r.east(), Run: run})
		require.NoError(r, err)
		left, err := sides.ReadPairRecord(r.Context(), r.east())
		require.NoError(r, err)
		return left
	}
	assert.Equal(r, got, forget("switchover/0"), "what another run has recorded stays")
	assert.Zero(r, forget("reprotect/2"))
	assert.Zero(r, forget("reprotect/2"), "twice is once")
}

func (r *rig) reach() {
	sides := &activities.Sides{Hosts: r.hosts}
	prove := func(d time.Duration) (activities.Evidence, error) {
		return sides.ProveUnreachable(r.within(d+time.Minute), activities.UnreachableInput{PairInput: r.pair(), For: d})
	}
	_, err := prove(5 * time.Second)
	text := r.refused(err)
	assert.Contains(r, text, "seen from the worker")
	assert.Contains(r, text, "seen from "+r.East.First.Name)

	r.Run("only the worker is cut off", func(t *testing.T) {
		r := r.with(t)
		c := r.West.Cluster
		all := append([]site.Node{{Address: c.Endpoint.VIP}}, c.Nodes...)
		var cut func(int)
		cut = func(i int) {
			if i < len(all) {
				r.withoutRoute(all[i].Address, func() { cut(i + 1) })
				return
			}
			_, err := prove(5 * time.Second)
			text := r.refused(err)
			assert.NotContains(r, text, "seen from the worker")
			assert.Contains(r, text, c.Nodes[0].Address+":6443 takes connections, seen from "+r.East.First.Name)
		}
		cut(0)
	})
	r.Run("one machine answers", func(t *testing.T) {
		r := r.with(t)
		require.NoError(r, r.West.First.PowerOff(r.Context()))
		_, err := prove(5 * time.Second)
		text := r.refused(err)
		worker := r.West.Cluster.Nodes[1]
		assert.Contains(r, text, worker.Address+":22 takes connections")
		assert.NotContains(r, text, "VIP", "a balancer with nobody behind it is no answer")
		require.NoError(r, r.node(worker.Name).PowerOff(r.Context()))
		evidence, err := prove(5 * time.Second)
		require.NoError(r, err, "the balancer alone is no answer")
		r.Log(evidence.Summary)
		require.NoError(r, r.West.First.PowerOn(r.Context()))
		require.NoError(r, r.node(worker.Name).PowerOn(r.Context()))
	})
	r.Run("the site is cut off", func(t *testing.T) {
		r := r.with(t)
		require.NoError(r, r.Lab.Cut(r.Context(), "west"))
		defer func() { require.NoError(r, r.Lab.Rejoin(r.Context(), "west")) }()
		start := time.Now()
		evidence, err := prove(10 * time.Second)
		require.NoError(r, err)
		assert.GreaterOrEqual(r, time.Since(start), 10*time.Second)
		assert.Contains(r, evidence.Summary, "the worker")
		assert.Equal(r, r.East.First.Name+", the worker", evidence.Facts["from"])
		assert.Equal(r, "api, etcd, page, ssh", evidence.Facts["kinds"])
		r.Log(evidence.Summary, evidence.Facts)
		seen, err := sides.WhoAnswers(r.within(time.Minute), r.pair())
		require.NoError(r, err)
		assert.Empty(r, seen.Answers)
		assert.Equal(r, 2*7, seen.Probes)
		r.identityAlone()
	})
	labtest.Await(r, 4*time.Minute, "the west answers again", func() error {
		seen, err := sides.WhoAnswers(r.within(time.Minute), r.pair())
		if err == nil && !strings.Contains(strings.Join(seen.Answers, ";"), "VIP") {
			err = fault.New(fault.Unreachable, "look", strings.Join(seen.Answers, ";"), "", nil)
		}
		return err
	})
}

func (r *rig) arrival() {
	sides := &activities.Sides{Hosts: r.hosts}
	west := activities.Scope{Site: r.document(), Cluster: "west"}
	there, err := sides.AwaitSide(r.within(5*time.Minute), activities.AwaitInput{Scope: west, For: 4 * time.Minute})
	require.NoError(r, err)
	assert.True(r, there.Back, there.Why)

	require.NoError(r, r.Lab.PowerOffCluster(r.Context(), "west"))
	away, err := sides.AwaitSide(r.within(time.Minute), activities.AwaitInput{Scope: west, For: 2 * time.Second})
	require.NoError(r, err)
	assert.False(r, away.Back)
	assert.Contains(r, away.Why, r.West.First.Name)

	back := make(chan activities.Arrival, 1)
	go func() {
		out, err := sides.AwaitSide(r.within(11*time.Minute), activities.AwaitInput{Scope: west, For: 10 * time.Minute})
		if err != nil {
			out.Why = err.Error()
		}
		back <- out
	}()
	require.NoError(r, r.Lab.PowerOnCluster(r.Context(), "west"))
	out := <-back
	assert.True(r, out.Back, out.Why)
}
