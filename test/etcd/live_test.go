package etcd

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/acpflow/acpflow/internal/etcd"
)

// mirror copies what happens on the primary to the standby, some time later.
func mirror(t *testing.T, from, to *server, lag time.Duration) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	begin, err := from.admin.Get(ctx, "/")
	require.NoError(t, err)
	events := from.admin.Watch(ctx, "/registry/", clientv3.WithPrefix(), clientv3.WithRev(begin.Header.Revision+1))
	type late struct {
		at     time.Time
		answer clientv3.WatchResponse
	}
	queue := make(chan late, 100_000)
	group.Go(func() {
		defer close(queue)
		for answer := range events {
			queue <- late{time.Now().Add(lag), answer}
		}
	})
	group.Go(func() {
		for l := range queue {
			time.Sleep(time.Until(l.at))
			for _, e := range l.answer.Events {
				var err error
				if e.Type == clientv3.EventTypeDelete {
					_, err = to.admin.Delete(ctx, string(e.Kv.Key))
				} else {
					_, err = to.admin.Put(ctx, string(e.Kv.Key), string(e.Kv.Value))
				}
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		}
	})
	stop = func() { cancel(); group.Wait() }
	t.Cleanup(stop)
	return stop
}

// traffic writes, deletes and creates on a side until stopped.
func traffic(t *testing.T, s *server, every time.Duration, keys ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			for _, k := range keys {
				_, _ = s.admin.Put(ctx, k, fmt.Sprint("value ", i)) // ends with ctx
			}
			name := fmt.Sprintf("/registry/configmaps/team-3/passing-%d", i)
			_, _ = s.admin.Put(ctx, name, "here")
			if i > 3 {
				_, _ = s.admin.Delete(ctx, fmt.Sprintf("/registry/configmaps/team-3/passing-%d", i-3))
			}
			time.Sleep(every)
		}
	})
	t.Cleanup(func() { cancel(); group.Wait() })
}

// TestTrafficIsNoDrift: while the primary is written all the time and the
// standby follows, there is nothing to report but what really is drift.
func TestTrafficIsNoDrift(t *testing.T) {
	primary, standby := pair(t, content())
	mirror(t, primary, standby, 50*time.Millisecond)
	traffic(t, primary, 10*time.Millisecond, "/registry/configmaps/team-0/object-001", "/registry/secrets/team-0/object-002")
	time.Sleep(300 * time.Millisecond)
	for range 3 {
		p := prove(t, primary, standby, etcd.Request{Patience: 30 * time.Second})
		assert.True(t, p.Clean(), "%+v", p.Resources)
	}
	_, err := standby.admin.Put(t.Context(), "/registry/secrets/team-4/object-004", "drift")
	require.NoError(t, err)
	p := prove(t, primary, standby, etcd.Request{Patience: 10 * time.Second})
	assert.Equal(t, []int{0, 0, 1}, []int{p.Missed, p.Surplus, p.Different}, "%+v", p.Resources)
}

// TestAStaleBusyKeyIsDrift: a key that changes all the time on the primary and
// never on the standby must not pass for traffic.
func TestAStaleBusyKeyIsDrift(t *testing.T) {
	primary, standby := pair(t, content())
	const key = "/registry/configmaps/team-0/object-001"
	primary.put(t, map[string]string{key: "newer than the standby's"})
	traffic(t, primary, 20*time.Millisecond, key)
	p := prove(t, primary, standby, etcd.Request{Patience: 500 * time.Millisecond, Only: []string{"/registry/configmaps/team-0/"}})
	assert.Equal(t, 1, p.Different, "%+v", p)
	assert.Equal(t, 0, p.Moving)
	assert.False(t, p.Clean())
	assert.Less(t, p.Seconds, 60.0, "it is decided some time")
}

// TestABusyKeyThatFollowsStaysOpen: it cannot be settled, so the next proof
// looks at it again.
func TestABusyKeyThatFollowsStaysOpen(t *testing.T) {
	primary, standby := pair(t, content())
	const key = "/registry/configmaps/team-0/object-001"
	mirror(t, primary, standby, 1500*time.Millisecond) // so that no pause of a busy machine lets it catch up
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			_, _ = primary.admin.Put(ctx, key, fmt.Sprint("value ", i)) // ends with ctx
			time.Sleep(50 * time.Millisecond)
		}
	})
	time.Sleep(time.Second)
	p := prove(t, primary, standby, etcd.Request{Patience: 20 * time.Second})
	assert.True(t, p.Clean(), "%+v", p.Resources)
	assert.Equal(t, 1, p.Moving)
	assert.Equal(t, []string{key}, p.Mark.Open)
	cancel()
	group.Wait()
	next := prove(t, primary, standby, etcd.Request{Since: &p.Mark, Patience: 60 * time.Second})
	assert.True(t, next.Clean(), "%+v", next.Resources)
	assert.Empty(t, next.Mark.Open)
	assert.Equal(t, etcd.Incremental, next.Mode)
}

func TestIncremental(t *testing.T) {
	primary, standby := pair(t, content())
	standby.remove(t, "/registry/secrets/team-1/object-007")
	first := prove(t, primary, standby, etcd.Request{})
	require.Equal(t, []string{"/registry/secrets/team-1/object-007"}, first.Mark.Open)

	both := map[string]string{"/registry/configmaps/team-0/object-001": "new", "/registry/configmaps/team-0/made": "new", "/registry/pods/team-0/web": "ignored"}
	primary.put(t, both)
	standby.put(t, both)
	primary.remove(t, "/registry/deployments/team-2/object-001")
	standby.remove(t, "/registry/deployments/team-2/object-001")
	primary.put(t, map[string]string{"/registry/configmaps/team-1/object-001": "not copied"})
	standby.put(t, map[string]string{"/registry/configmaps/team-9/surplus": "x"})
	second := prove(t, primary, standby, etcd.Request{Since: &first.Mark})
	assert.Equal(t, etcd.Incremental, second.Mode, second.Why)
	assert.Equal(t, []int{1, 1, 1}, []int{second.Missed, second.Surplus, second.Different}, "%+v", second.Resources)
	assert.Equal(t, 6, second.Compared, "what changed and what was open")

	standby.put(t, map[string]string{"/registry/configmaps/team-1/object-001": "not copied", "/registry/secrets/team-1/object-007": content()["/registry/secrets/team-1/object-007"]})
	standby.remove(t, "/registry/configmaps/team-9/surplus")
	third := prove(t, primary, standby, etcd.Request{Since: &second.Mark})
	assert.Equal(t, etcd.Incremental, third.Mode, third.Why)
	assert.True(t, third.Clean(), "%+v", third.Resources)
	assert.Empty(t, third.Mark.Open)
	full := prove(t, primary, standby, etcd.Request{})
	assert.True(t, full.Clean(), "%+v", full.Resources)
	assert.Equal(t, full.Digest, third.Digest, "brought up to date and made anew are the same")
	assert.NotEqual(t, first.Digest, third.Digest)

	still := prove(t, primary, standby, etcd.Request{Since: &full.Mark})
	assert.Equal(t, etcd.Incremental, still.Mode)
	assert.Equal(t, 0, still.Compared, "nothing has changed")
	assert.True(t, still.Clean())
	assert.Equal(t, full.Digest, still.Digest)
}

// TestWhenTheMarkIsOfNoUse: the proof is full and says why.
func TestWhenTheMarkIsOfNoUse(t *testing.T) {
	primary, standby := pair(t, content())
	mark := prove(t, primary, standby, etcd.Request{}).Mark
	full := func(mark etcd.Mark, ignore ...etcd.Ignore) string {
		p := prove(t, primary, standby, etcd.Request{Since: &mark, Ignore: ignore})
		assert.Equal(t, etcd.Full, p.Mode)
		assert.Equal(t, len(content()), p.Compared)
		assert.True(t, p.Clean())
		assert.True(t, p.Mark.Usable())
		return p.Why
	}
	assert.Contains(t, full(etcd.Mark{}), "no mark")
	assert.Contains(t, full(mark, etcd.Ignore{Prefix: "/registry/example.com/caches/", Reason: "test"}), "other keys are ignored")
	other := mark
	other.Standby.ClusterID = "00000000000000ff"
	assert.Contains(t, full(other), "standby is another etcd")
	other = mark
	other.Primary.ClusterID = "00000000000000ff"
	assert.Contains(t, full(other), "primary is another etcd")
	other = mark
	other.Primary.Revision += 1000
	assert.Contains(t, full(other), "went back")
	other = mark
	other.Standby.Term++
	assert.Contains(t, full(other), "standby was restored")

	for side, s := range map[string]*server{"primary": primary, "standby": standby} {
		mark = prove(t, primary, standby, etcd.Request{}).Mark
		for range 3 {
			s.put(t, map[string]string{"/registry/leases/team/x": "x"})
		}
		now, err := s.admin.Get(t.Context(), "/")
		require.NoError(t, err)
		_, err = s.admin.Compact(t.Context(), now.Header.Revision)
		require.NoError(t, err)
		why := full(mark)
		assert.Contains(t, why, side)
		assert.Contains(t, why, "dropped what happened")
	}
}
