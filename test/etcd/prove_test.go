package etcd

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/etcd"
)

// content is a small cluster's: some resources, built-in and custom ones.
func content() map[string]string {
	out := map[string]string{}
	for ns := range 5 {
		for i := range 40 {
			for _, folder := range []string{"configmaps", "secrets", "deployments", "example.com/widgets"} {
				out[fmt.Sprintf("/registry/%s/team-%d/object-%03d", folder, ns, i)] = fmt.Sprintf(`{"kind":"X","metadata":{"name":"object-%03d","uid":"%s-%d-%d"},"data":"v"}`, i, folder, ns, i)
			}
		}
	}
	return out
}

func TestEqualSidesAreClean(t *testing.T) {
	primary, standby := pair(t, content())
	p := prove(t, primary, standby, etcd.Request{Patience: 60 * time.Second})
	assert.True(t, p.Clean(), "%+v", p)
	assert.Equal(t, etcd.Full, p.Mode)
	assert.Equal(t, len(content()), p.Compared)
	assert.Empty(t, p.Resources)
	assert.Len(t, p.Digest, 64)
	assert.True(t, p.Mark.Usable())
	assert.NotEqual(t, p.Primary.ClusterID, p.Standby.ClusterID)
	assert.Less(t, p.Seconds, 50.0, "nothing to wait for")
}

// TestEveryKindOfDifferenceIsFound plants each kind in several resources.
func TestEveryKindOfDifferenceIsFound(t *testing.T) {
	primary, standby := pair(t, content())
	standby.remove(t, "/registry/secrets/team-1/object-007")
	standby.remove(t, "/registry/configmaps/team-0/object-000")
	primary.remove(t, "/registry/example.com/widgets/team-4/object-039")
	standby.put(t, map[string]string{
		"/registry/configmaps/team-9/only-here":           "x",
		"/registry/zzz.example.com/things/behind-all":     "x",
		"/registry/deployments/team-2/object-011":         `{"kind":"X","metadata":{"name":"object-011","uid":"deployments-2-11"},"data":"w"}`,
		"/registry/example.com/widgets/team-3/object-020": `{"kind":"X","metadata":{"name":"object-020"}}`,
	})
	p := prove(t, primary, standby, etcd.Request{})
	assert.False(t, p.Clean())
	assert.Equal(t, []int{2, 3, 2}, []int{p.Missed, p.Surplus, p.Different}, "%+v", p.Resources)
	found := map[string]etcd.Kind{}
	for _, r := range p.Resources {
		for _, s := range r.Samples {
			found[s.Key] = s.Kind
		}
	}
	assert.Equal(t, map[string]etcd.Kind{
		"/registry/secrets/team-1/object-007":             etcd.Missed,
		"/registry/configmaps/team-0/object-000":          etcd.Missed,
		"/registry/example.com/widgets/team-4/object-039": etcd.Surplus,
		"/registry/configmaps/team-9/only-here":           etcd.Surplus,
		"/registry/zzz.example.com/things/behind-all":     etcd.Surplus,
		"/registry/deployments/team-2/object-011":         etcd.Different,
		"/registry/example.com/widgets/team-3/object-020": etcd.Different,
	}, found)
	require.Len(t, p.Mark.Open, 7)
	assert.Equal(t, 2+1, p.Resources[0].Missed+p.Resources[0].Surplus+p.Resources[1].Different+p.Resources[0].Different, "%+v", p.Resources)
}

// TestLateCopyIsNoDrift: what arrives within the patience does not count, what
// comes later does.
func TestLateCopyIsNoDrift(t *testing.T) {
	primary, standby := pair(t, content())
	primary.put(t, map[string]string{"/registry/configmaps/team-0/late": "x", "/registry/configmaps/team-0/object-001": "new"})
	var once sync.Once
	copied := make(chan struct{})
	late := func(etcd.Progress) { // the proof has begun: connecting may take a while, too
		once.Do(func() {
			go func() {
				defer close(copied)
				time.Sleep(time.Second)
				standby.put(t, map[string]string{"/registry/configmaps/team-0/late": "x", "/registry/configmaps/team-0/object-001": "new"})
			}()
		})
	}
	p := prove(t, primary, standby, etcd.Request{Patience: 60 * time.Second, Report: late})
	<-copied
	assert.True(t, p.Clean(), "%+v", p)
	assert.Less(t, p.Seconds, 50.0)
	assert.Greater(t, p.Seconds, 0.9)
}
