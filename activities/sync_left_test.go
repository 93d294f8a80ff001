package activities

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/syncplugin"
)

func TestPresentAndLeft(t *testing.T) {
	assert.False(t, PluginView{Published: []string{"v4.1.0"}}.Present())
	for _, v := range []PluginView{{Installed: true}, {Deployment: &kube.DeploymentState{}}, {Pods: []kube.Pod{{Name: "p"}}}, {Lease: &kube.LeaseState{}, Holder: "of Pod p"}} {
		assert.True(t, v.Present())
		assert.Len(t, v.Left(), 1)
	}
	old := PluginView{Lease: &kube.LeaseState{}, Bootstrap: &kube.JobState{}}
	assert.Len(t, old.Left(), 2, "a view of an older worker, which did not judge them, counts them")
	assert.Empty(t, old.Behind())
}

// What a removed plugin leaves behind is no synchronizer, unless somebody may have
// the Lease or the Job goes on.
func TestWhatARemovedPluginLeavesBehind(t *testing.T) {
	lease := func(holder string, renewed time.Duration) runtime.Object {
		return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: syncplugin.Namespace, Name: syncplugin.LeaseName},
			Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: new(int32(10)), RenewTime: &metav1.MicroTime{Time: time.Now().Add(-renewed)}}}
	}
	job := func(conditions ...batchv1.JobConditionType) runtime.Object {
		out := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: syncplugin.Namespace, Name: syncplugin.BootstrapJob}}
		for _, c := range conditions {
			out.Status.Conditions = append(out.Status.Conditions, batchv1.JobCondition{Type: c, Status: corev1.ConditionTrue})
		}
		return out
	}
	holder := of("ReplicaSet", "sync-1", "good") // without the plugin's label
	gone := of("ReplicaSet", "sync-1", "good", evicted)
	free, over := "lease etcd-sync-mirror, which nobody has", "job etcd-sync-bootstrap, which has ended"
	for name, c := range map[string]struct {
		objects []runtime.Object
		left    []string // parts of what counts
		behind  string
	}{
		"nothing":                             {},
		"a lease that was given back":         {[]runtime.Object{lease("", time.Second)}, nil, "; left behind: " + free},
		"a lease of a Pod that has gone":      {[]runtime.Object{lease("sync-1", time.Minute)}, nil, "; left behind: " + free},
		"a lease of a Pod that was evicted":   {[]runtime.Object{lease("sync-1", time.Minute), gone}, nil, "; left behind: " + free},
		"a lease of a Pod that is there":      {[]runtime.Object{lease("sync-1", time.Hour), holder}, []string{"Lease etcd-sync-mirror of Pod sync-1"}, ""},
		"with a suffix":                       {[]runtime.Object{lease("sync-1_5a0e", time.Hour), holder}, []string{"Lease etcd-sync-mirror of Pod sync-1"}, ""},
		"a lease that somebody renews":        {[]runtime.Object{lease("sync-9", 2*time.Second)}, []string{"of sync-9, which is no Pod there and renewed it at"}, ""},
		"a lease of no Pod's name, long ago":  {[]runtime.Object{lease("../secrets/x", time.Hour)}, nil, "; left behind: " + free},
		"a job that has ended":                {[]runtime.Object{job(batchv1.JobComplete)}, nil, "; left behind: " + over},
		"a job that has failed, and a lease":  {[]runtime.Object{job(batchv1.JobFailed), lease("sync-1", time.Hour)}, nil, "; left behind: " + free + ", " + over},
		"a job that goes on, and a lease":     {[]runtime.Object{job(), lease("sync-1", time.Hour)}, []string{"Job etcd-sync-bootstrap, which has not ended"}, ""},
		"a lease and a Pod of the plugin too": {[]runtime.Object{lease("", time.Hour), of("ReplicaSet", "sync-2", "good", labelled)}, []string{"Pod sync-2"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var view PluginView
			require.NoError(t, readWorkload(t.Context(), kube.NewFromClients(fake.NewClientset(c.objects...), nil, "place"), &view))
			left := view.Left()
			require.Len(t, left, len(c.left), "%v", left)
			for i, part := range c.left {
				assert.Contains(t, left[i], part)
			}
			assert.Equal(t, c.behind, view.Behind())
			assert.Equal(t, strings.TrimPrefix(strings.Join(left, ", ")+c.behind, "; "), view.Carries())
			if len(left) == 0 {
				assert.False(t, view.Present())
			}
		})
	}
}

func labelled(p *corev1.Pod) {
	key, value, _ := strings.Cut(syncplugin.PodSelector, "=")
	p.Labels = map[string]string{key: value}
}

// Who has the Lease can't be told: that is not "nobody".
func TestHolderThatCannotBeReadIsAnError(t *testing.T) {
	holder := "sync-1"
	typed := fake.NewClientset(&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: syncplugin.Namespace, Name: syncplugin.LeaseName}, Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder}})
	typed.PrependReactor("get", "pods", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewInternalError(fmt.Errorf("etcd"))
	})
	var view PluginView
	require.Error(t, readWorkload(t.Context(), kube.NewFromClients(typed, nil, "place"), &view))
	assert.False(t, view.LeaseFree)
	assert.NotEmpty(t, view.Left())
}
