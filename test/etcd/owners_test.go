package etcd

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/acpflow/acpflow/internal/etcd"
)

func owned(kind, name, uid string) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: "x/v1", Kind: kind, Name: name, UID: types.UID(uid)}
}

// deployment is stored as the API server does it.
func deployment(t *testing.T, name, uid string, status int32, owners ...metav1.OwnerReference) string {
	t.Helper()
	var out bytes.Buffer
	encoder := scheme.Codecs.EncoderForVersion(protobuf.NewSerializer(scheme.Scheme, scheme.Scheme), appsv1.SchemeGroupVersion)
	require.NoError(t, encoder.Encode(&appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(uid), OwnerReferences: owners},
		Status:     appsv1.DeploymentStatus{Replicas: status},
	}, &out))
	return out.String()
}

func custom(name, uid, ownerKind, ownerUID string) string {
	return fmt.Sprintf(`{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":%q,"uid":%q,"ownerReferences":[{"apiVersion":"x/v1","kind":%q,"name":"boss","uid":%q}]},"spec":{}}`,
		name, uid, ownerKind, ownerUID)
}

func TestDanglingOwners(t *testing.T) {
	primary, standby := pair(t, map[string]string{
		"/registry/deployments/team/fine":                 deployment(t, "fine", "d1", 0, owned("Widget", "boss", "w0")),
		"/registry/example.com/widgets/team/boss":         `{"metadata":{"name":"boss","uid":"w0"}}`,
		"/registry/example.com/widgets/team/of-a-module":  custom("of-a-module", "w1", "ModuleInfo", "m1"),
		"/registry/example.com/widgets/team/of-system":    custom("of-system", "w2", "Widget", "s1"),
		"/registry/example.com/widgets/team/of-pod":       custom("of-pod", "w3", "Pod", "p1"),
		"/registry/example.com/widgets/team/dangles":      custom("dangles", "w4", "Widget", "gone-1"),
		"/registry/deployments/team/dangles":              deployment(t, "dangles", "d2", 0, owned("Widget", "boss", "w0"), owned("Cluster", "biz", "gone-2")),
		"/registry/secrets/team/sealed":                   "k8s:enc:aescbc:v1:key:xxxxxxxx",
		"/registry/pods/team/dangles-but-is-not-compared": custom("x", "p9", "ReplicaSet", "gone-3"),
	})
	standby.put(t, map[string]string{ // owners that the synchronizer never copies
		"/registry/cluster.alauda.io/moduleinfoes/global-a": `{"metadata":{"name":"global-a","uid":"m1"}}`,
		"/registry/example.com/widgets/cpaas-system/boss":   `{"metadata":{"name":"boss","uid":"s1"}}`,
		"/registry/pods/team/p":                             `{"metadata":{"name":"p","uid":"p1"}}`,
	})
	began := time.Now()
	p := prove(t, primary, standby, etcd.Request{Owners: true, Patience: time.Second})
	assert.GreaterOrEqual(t, time.Since(began), time.Second, "what is missing is looked for twice")
	assert.Equal(t, []etcd.Dangling{
		{Key: "/registry/deployments/team/dangles", OwnerKind: "Cluster", OwnerName: "biz", OwnerUID: "gone-2"},
		{Key: "/registry/example.com/widgets/team/dangles", OwnerKind: "Widget", OwnerName: "boss", OwnerUID: "gone-1"},
	}, p.Dangling)
	assert.Equal(t, 2, p.Orphans)
	assert.Zero(t, p.Missed+p.Surplus+p.Different, "%+v", p.Resources)
	assert.False(t, p.Clean(), "the garbage collector would delete them")
	assert.EqualValues(t, 1, class(t, p, "owners of unreadable objects").Standby)

	assert.Positive(t, p.Mark.Primary.Term, "a real etcd tells its term")
	assert.Positive(t, p.Mark.Standby.Term)

	var once sync.Once
	arrive := func(p etcd.Progress) { // the owners come after the revision of the first look at them
		if !strings.HasPrefix(p.Text, "reading owner references") {
			return
		}
		once.Do(func() {
			for _, s := range []*server{primary, standby} {
				s.put(t, map[string]string{"/registry/example.com/clusters/biz": `{"metadata":{"name":"biz","uid":"gone-2"}}`, "/registry/example.com/widgets/team/again": `{"metadata":{"uid":"gone-1"}}`})
			}
		})
	}
	p = prove(t, primary, standby, etcd.Request{Owners: true, Report: arrive})
	assert.True(t, p.Clean(), "%+v", p)
	assert.True(t, p.Owners)

	standby.remove(t, "/registry/example.com/widgets/team/boss")
	standby.put(t, map[string]string{"/registry/example.com/widgets/team/boss": `{"metadata":{"name":"boss","uid":"w0"}}`})
	next := prove(t, primary, standby, etcd.Request{Owners: true, Since: &p.Mark})
	assert.Equal(t, etcd.Incremental, next.Mode, next.Why)
	assert.False(t, next.Owners, "an incremental one does not read the whole standby")
	p.Mark.Standby.ClusterID = "another"
	next = prove(t, primary, standby, etcd.Request{Owners: true, Since: &p.Mark})
	assert.Equal(t, etcd.Full, next.Mode)
	assert.NotEmpty(t, next.Why)
	assert.True(t, next.Owners, "it was to be incremental, and is a full one")
}

func class(t *testing.T, p etcd.Proof, name string) etcd.IgnoredClass {
	t.Helper()
	for _, c := range p.Ignored {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("the proof does not name the class %q", name)
	return etcd.IgnoredClass{}
}

// TestWhatIsIgnored: it differs on both sides, is not held against the standby,
// and every proof says how much of it there is.
func TestWhatIsIgnored(t *testing.T) {
	primary, standby := pair(t, content())
	primary.put(t, map[string]string{
		"/registry/pods/team/a": "1", "/registry/pods/team/b": "1", "/registry/events/team/a": "1",
		"/registry/configmaps/kube-system/x": "1", "/registry/configmaps/team-0/kube-root-ca.crt": "1",
		"/registry/deployments/team-0/lives": deployment(t, "lives", "u", 3), "/registry/example.com/caches/a": "1",
	})
	standby.put(t, map[string]string{
		"/registry/pods/team/c": "2", "/registry/namespaces/kube-system": "2", "/registry/configmaps/kube-system/x": "2",
		"/registry/configmaps/team-0/kube-root-ca.crt": "2", "/registry/deployments/team-0/lives": deployment(t, "lives", "u", 0),
	})
	p := prove(t, primary, standby, etcd.Request{Ignore: []etcd.Ignore{{Prefix: "/registry/example.com/caches/", Reason: "rebuilt on each side"}}})
	assert.True(t, p.Clean(), "%+v", p.Resources)
	assert.Equal(t, 1, p.Alike)
	for name, want := range map[string][2]int64{
		"made by controllers": {2, 1}, "events": {1, 0}, "excluded namespaces": {1, 2}, "cluster's own authority": {1, 1},
		"status and managedFields": {1, 1}, "/registry/example.com/caches/": {1, 0}, "leases": {0, 0},
	} {
		c := class(t, p, name)
		assert.Equal(t, want, [2]int64{c.Primary, c.Standby}, name)
		assert.NotEmpty(t, c.Reason)
	}
}

func TestOnly(t *testing.T) {
	primary, standby := pair(t, content())
	standby.remove(t, "/registry/secrets/team-1/object-007")
	standby.remove(t, "/registry/example.com/widgets/team-1/object-007")
	p := prove(t, primary, standby, etcd.Request{Only: []string{"widgets.example.com", "/registry/configmaps/team-1/"}})
	assert.Equal(t, 1, p.Missed)
	assert.Equal(t, 240, p.Compared)
	assert.Empty(t, p.Digest, "a part has no digest")
	assert.False(t, p.Mark.Usable(), "a part is nothing to go on from")
}

func TestMachines(t *testing.T) {
	s := start(t, "one")
	all, err := s.open(t).Machines(t.Context())
	require.NoError(t, err)
	assert.Empty(t, all)
	s.put(t, map[string]string{
		"/registry/platform.tkestack.io/machines/b":     `{"metadata":{"name":"b","uid":"2","deletionTimestamp":"2026-01-02T03:04:05Z"},"status":{"phase":"Terminating"}}`,
		"/registry/platform.tkestack.io/machines/a":     `{"metadata":{"name":"a","uid":"1"},"status":{"phase":"Running"}}`,
		"/registry/platform.tkestack.io/machinessets/x": `{}`,
	})
	all, err = s.open(t).Machines(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []etcd.Machine{{Name: "a", UID: "1", Phase: "Running"},
		{Name: "b", UID: "2", Phase: "Terminating", Deleting: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}}, all)
	s.put(t, map[string]string{"/registry/platform.tkestack.io/machines/c": `{"metadata":{}}`})
	_, err = s.open(t).Machines(t.Context())
	require.Error(t, err, "what cannot be read is not left out")
}
