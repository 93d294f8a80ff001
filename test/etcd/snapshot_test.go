package etcd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/safecopy"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
	"github.com/acpflow/acpflow/test/harness/etcdfile"
)

// keysOf lists what is in a snapshot.
func keysOf(t *testing.T, path string) map[string]string {
	t.Helper()
	out, err := etcdfile.Pairs(path)
	require.NoError(t, err)
	return out
}

// TestASnapshotIsKept: of a real etcd, on a real node, with all keys in it.
func TestASnapshotIsKept(t *testing.T) {
	s := start(t, "one")
	s.put(t, content())
	conn := sshtest.Start(t).Dial(t)
	p := safecopy.Path{Root: t.TempDir(), Run: "run-1", Name: "one-etcd.db"}
	take := func() safecopy.Kept {
		c := s.open(t)
		snapshot, err := c.Snapshot(t.Context())
		require.NoError(t, err)
		defer snapshot.Close()
		assert.Positive(t, snapshot.Revision)
		assert.True(t, strings.HasPrefix(snapshot.Version, "3."), snapshot.Version)
		kept, err := safecopy.Keep(t.Context(), conn, p, safecopy.Content{From: snapshot, Seal: safecopy.EtcdSeal, Need: snapshot.Size})
		require.NoError(t, err)
		assert.Positive(t, snapshot.Size)
		return kept
	}
	first := take()
	s.put(t, map[string]string{"/registry/configmaps/team-0/late": "after the copy"})
	again := take()
	assert.True(t, again.Before)
	assert.Equal(t, first.SHA256, again.SHA256)
	assert.Equal(t, content(), keysOf(t, p.String()), "as it was when the first copy was made")
}

// cut is a connection that breaks when so many bytes have come.
type cut struct {
	net.Conn
	left *atomic.Int64
}

func (c cut) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.left.Add(int64(-n)) < 0 {
		_ = c.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

func TestASnapshotThatBreaksIsNone(t *testing.T) {
	s := start(t, "one")
	fill(t, s)
	conn := sshtest.Start(t).Dial(t)
	p := safecopy.Path{Root: t.TempDir(), Run: "run-1", Name: "one-etcd.db"}
	options := s.options()
	var left atomic.Int64
	left.Store(2 << 20) // of some ten
	options.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return cut{c, &left}, err
	}
	c, err := etcd.Open(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	snapshot, err := c.Snapshot(t.Context())
	require.NoError(t, err)
	_, err = safecopy.Keep(t.Context(), conn, p, safecopy.Content{From: snapshot, Seal: safecopy.EtcdSeal, Need: snapshot.Size})
	require.Equal(t, fault.Unreachable, fault.ClassOf(err), "%v", err)
	_, found, err := safecopy.Find(t.Context(), conn, p)
	require.NoError(t, err)
	assert.False(t, found)
	require.Eventually(t, func() bool {
		left, err := filepath.Glob(filepath.Join(filepath.Dir(p.String()), ".*part*"))
		return err == nil && len(left) == 0
	}, time.Minute, 50*time.Millisecond, "nothing is left behind")

	whole, err := s.open(t).Snapshot(t.Context())
	require.NoError(t, err)
	_, err = safecopy.Keep(t.Context(), conn, p, safecopy.Content{From: whole, Seal: safecopy.EtcdSeal, Need: whole.Size})
	require.NoError(t, err)
	assert.Len(t, keysOf(t, p.String()), 100)

	ctx, cancel := context.WithCancel(t.Context())
	gone, err := s.open(t).Snapshot(ctx)
	require.NoError(t, err)
	cancel()
	_, err = io.Copy(io.Discard, gone)
	require.ErrorIs(t, err, context.Canceled)
}

// fill makes a database of some ten megabytes.
func fill(t *testing.T, s *server) {
	t.Helper()
	for i := range 100 {
		b := make([]byte, 50_000)
		_, _ = rand.Read(b) // never fails
		_, err := s.admin.Put(t.Context(), "/registry/secrets/team/s-"+hex.EncodeToString([]byte{byte(i)}), hex.EncodeToString(b))
		require.NoError(t, err)
	}
}

// TestDifferNamesEveryKey that the sides don't hold alike, and no value.
func TestDifferNamesEveryKey(t *testing.T) {
	old, now := start(t, "old"), start(t, "new")
	all := content()
	old.put(t, all)
	now.put(t, all)
	then, err := old.open(t).Position(t.Context())
	require.NoError(t, err)
	for i := range 30 { // more than a proof names
		old.put(t, map[string]string{"/registry/secrets/team-9/only-old-" + string(rune('a'+i)): "secret"})
	}
	now.put(t, map[string]string{"/registry/aaa.example.com/things/only-new": "x", "/registry/zzz.example.com/things/only-new": "x"})
	now.put(t, map[string]string{"/registry/configmaps/team-0/object-001": "changed", "/registry/deployments/team-0/lives": deployment(t, "lives", "u", 3)})
	old.put(t, map[string]string{"/registry/deployments/team-0/lives": deployment(t, "lives", "u", 0)})
	now.put(t, map[string]string{"/registry/pods/team/a": "1", "/registry/leases/team/a": "1", "/registry/configmaps/kube-system/x": "1"})
	var found []etcd.Difference
	d, err := etcd.Differ(t.Context(), now.open(t), old.open(t), nil, func(d etcd.Difference) error { found = append(found, d); return nil })
	require.NoError(t, err)
	assert.Equal(t, []int{2, 30, 1, 1}, []int{d.Missed, d.Surplus, d.Different, d.Alike})
	assert.EqualValues(t, len(all)+33, d.Compared)
	assert.NotEqual(t, d.Primary.ClusterID, d.Standby.ClusterID)
	require.Len(t, found, 34)
	kinds := map[etcd.Kind]int{}
	for i, f := range found {
		kinds[f.Kind]++
		assert.True(t, i == 0 || found[i-1].Key < f.Key, "in order")
		assert.Equal(t, f.Kind == etcd.Surplus, f.Primary == "")
		assert.Equal(t, f.Kind == etcd.Missed, f.Standby == "")
		assert.NotEqual(t, f.Primary, f.Standby)
		assert.Equal(t, f.Kind == etcd.Missed, f.Created == 0)
		assert.Equal(t, f.Kind == etcd.Surplus || f.Kind == etcd.Alike, f.Created > then.Revision, "what was there and is changed was not created: %s", f.Key)
	}
	assert.Equal(t, map[etcd.Kind]int{etcd.Missed: 2, etcd.Surplus: 30, etcd.Different: 1, etcd.Alike: 1}, kinds)

	_, err = etcd.Differ(t.Context(), now.open(t), now.open(t), nil, func(etcd.Difference) error { return nil })
	require.ErrorContains(t, err, "compared with itself")
	_, err = etcd.Differ(t.Context(), now.open(t), old.open(t), nil, func(etcd.Difference) error { return os.ErrClosed })
	require.ErrorIs(t, err, os.ErrClosed)
}
