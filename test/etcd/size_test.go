package etcd

import (
	"fmt"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/acpflow/acpflow/internal/etcd"
)

// heap is the live heap and the garbage not yet collected, in MB.
func heap() float64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return float64(s[0].Value.Uint64()) / 1e6
}

// TestMemoryIsFlat: 160 MB of large values on each side pass through, in some
// tens of MB.
func TestMemoryIsFlat(t *testing.T) {
	primary, standby := start(t, "primary"), start(t, "standby")
	const objects, size = 8000, 20_000
	for _, s := range []*server{primary, standby} {
		for i := 0; i < objects; i += 50 {
			var ops []clientv3.Op
			for j := i; j < i+50; j++ {
				ops = append(ops, clientv3.OpPut(fmt.Sprintf("/registry/configmaps/team-%d/object-%05d", j%7, j), strings.Repeat(fmt.Sprint(j, " "), size/5)))
			}
			_, err := s.admin.Txn(t.Context()).Then(ops...).Commit()
			require.NoError(t, err)
		}
	}
	standby.put(t, map[string]string{"/registry/configmaps/team-3/object-00003": "other"})
	before, most := heap(), atomic.Int64{}
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				most.Store(max(most.Load(), int64(heap()-before)))
			}
		}
	}()
	p := prove(t, primary, standby, etcd.Request{Owners: true})
	close(stop)
	<-done
	assert.Equal(t, objects, p.Compared)
	assert.Equal(t, 1, p.Different)
	assert.Less(t, most.Load(), int64(80), "MB")
	t.Logf("%d MB for %d MB of values on each side", most.Load(), objects*size/1_000_000)
}

// TestAnEmptyStandby: everything is missing, more than can be looked at twice;
// the counts are right, the names are bounded and nothing goes on from it.
func TestAnEmptyStandby(t *testing.T) {
	primary, standby := start(t, "primary"), start(t, "standby")
	const objects = 45_000
	all := map[string]string{}
	for i := range objects {
		all[fmt.Sprintf("/registry/%s/team-%d/object-%05d", []string{"configmaps", "secrets", "roles"}[i%3], i%7, i)] = "x"
	}
	primary.put(t, all)
	p := prove(t, primary, standby, etcd.Request{})
	assert.Equal(t, []int{objects, objects, 0, 0}, []int{p.Compared, p.Missed, p.Surplus, p.Different})
	assert.Equal(t, objects-20_000, p.Once)
	require.Len(t, p.Resources, 3)
	for _, r := range p.Resources {
		assert.Equal(t, objects/3, r.Missed, r.Resource)
		assert.LessOrEqual(t, len(r.Samples), 5)
	}
	assert.False(t, p.Mark.Usable())
	reverse := prove(t, standby, primary, etcd.Request{})
	assert.Equal(t, []int{objects, 0, objects}, []int{reverse.Compared, reverse.Missed, reverse.Surplus})
}
