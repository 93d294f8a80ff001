package etcd

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/etcd"
)

// TestOwnersOfOneSideAlone: there is no primary any more.
func TestOwnersOfOneSideAlone(t *testing.T) {
	s := start(t, "standby")
	s.put(t, content())
	look := func(r etcd.OwnersRequest) etcd.OwnersLook {
		if r.Patience == 0 {
			r.Patience = 300 * time.Millisecond
		}
		out, err := etcd.LookAtOwners(t.Context(), s.open(t), r)
		require.NoError(t, err)
		return out
	}
	assert.False(t, etcd.OwnersLook{}.Clean(), "never looked")
	clean := look(etcd.OwnersRequest{Patience: time.Hour})
	assert.True(t, clean.Clean(), "%+v", clean)
	assert.EqualValues(t, len(content()), clean.Read)

	s.put(t, map[string]string{
		"/registry/example.com/widgets/team/dangles": custom("dangles", "w4", "Widget", "gone-1"),
		"/registry/deployments/team/dangles":         deployment(t, "dangles", "d2", 0, owned("Cluster", "biz", "gone-2")),
		"/registry/example.com/caches/dangles":       custom("x", "c1", "Widget", "gone-3"),
		"/registry/pods/team/of-its-own":             custom("x", "p9", "ReplicaSet", "gone-4"),
		"/registry/secrets/team/sealed":              "k8s:enc:aescbc:v1:key:xxxxxxxx",
	})
	ignore := []etcd.Ignore{{Prefix: "/registry/example.com/caches/", Reason: "rebuilt"}}
	var told atomic.Int64
	found := look(etcd.OwnersRequest{Ignore: ignore, Report: func(etcd.Progress) { told.Add(1) }})
	assert.False(t, found.Clean())
	assert.Equal(t, 2, found.Orphans)
	assert.Equal(t, []etcd.Dangling{
		{Key: "/registry/deployments/team/dangles", OwnerKind: "Cluster", OwnerName: "biz", OwnerUID: "gone-2"},
		{Key: "/registry/example.com/widgets/team/dangles", OwnerKind: "Widget", OwnerName: "boss", OwnerUID: "gone-1"},
	}, found.Dangling)
	assert.EqualValues(t, 1, found.Sealed)
	assert.Positive(t, told.Load())

	var once sync.Once // they were on their way only: they come after the revision of the first look, and before the second one
	arrive := func(etcd.Progress) {
		once.Do(func() {
			s.put(t, map[string]string{"/registry/example.com/clusters/biz": `{"metadata":{"uid":"gone-2"}}`, "/registry/example.com/widgets/team/again": `{"metadata":{"uid":"gone-1"}}`})
		})
	}
	assert.True(t, look(etcd.OwnersRequest{Ignore: ignore, Report: arrive}).Clean())

	c := s.open(t)
	c.Close()
	_, err := etcd.LookAtOwners(t.Context(), c, etcd.OwnersRequest{})
	require.Error(t, err, "what cannot be read is not clean")
}
