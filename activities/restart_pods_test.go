package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
)

var podsResource = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// podWorld is an API server with the controllers that make Pods anew: at once and
// under another name those of a ReplicaSet, and when the old one has gone under
// its name those of a StatefulSet. On a node that is away no Pod goes.
type podWorld struct {
	*testing.T
	typed   *fake.Clientset
	client  *kube.Client
	made    int
	down    []string // nodes that are away
	barren  bool     // nothing comes in place of what goes
	deleted []string
}

func newPodWorld(t *testing.T, pods ...*corev1.Pod) *podWorld {
	w := &podWorld{T: t, typed: fake.NewClientset(node("good", corev1.ConditionTrue), node("dead", corev1.ConditionUnknown)), down: []string{"dead", "removed"}}
	for _, p := range pods {
		require.NoError(t, w.typed.Tracker().Add(p))
	}
	w.typed.PrependReactor("delete", "pods", w.deletes)
	w.client = kube.NewFromClients(w.typed, nil, "place")
	return w
}

func node(name string, ready corev1.ConditionStatus) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready, Reason: "NodeStatusUnknown"}}}}
}

// of makes a Pod of one of the kinds of controllers; its UID is its name's.
func of(maker, name, on string, edits ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: platformNamespace, Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{"app": "x"},
			OwnerReferences: []metav1.OwnerReference{{Kind: maker, Name: "maker", UID: "maker", Controller: new(true)}}},
		Spec:   corev1.PodSpec{NodeName: on},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
	for _, e := range edits {
		e(p)
	}
	return p
}

func evicted(p *corev1.Pod) {
	p.Status = corev1.PodStatus{Phase: corev1.PodFailed, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "Evicted"}}}
}

func going(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Now()} }

func (w *podWorld) deletes(action k8stesting.Action) (bool, runtime.Object, error) {
	d := action.(k8stesting.DeleteActionImpl)
	found, err := w.typed.Tracker().Get(podsResource, d.Namespace, d.Name)
	if err != nil {
		return true, nil, err
	}
	p := found.(*corev1.Pod).DeepCopy()
	if want := d.DeleteOptions.Preconditions.UID; *want != p.UID {
		return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: "pods"}, d.Name, fmt.Errorf("UID"))
	}
	w.deleted = append(w.deleted, string(p.UID))
	stays := slices.Contains(w.down, p.Spec.NodeName)
	if stays {
		going(p)
		p.Status.Conditions[0].Status = corev1.ConditionFalse
		require.NoError(w, w.typed.Tracker().Update(podsResource, p, p.Namespace))
	} else {
		require.NoError(w, w.typed.Tracker().Delete(podsResource, p.Namespace, p.Name))
	}
	maker := metav1.GetControllerOf(p).Kind
	if w.barren || stays && maker != "ReplicaSet" {
		return true, nil, nil
	}
	w.made++
	next := of(maker, p.Name, "good")
	next.UID = types.UID(fmt.Sprintf("new-%d", w.made))
	if maker == "ReplicaSet" {
		next.Name = fmt.Sprintf("made-%d", w.made)
	}
	return true, nil, w.typed.Tracker().Add(next)
}

func (w *podWorld) list() []kube.Pod {
	pods, err := w.client.Pods(w.Context(), platformNamespace, "app=x")
	require.NoError(w, err)
	return pods
}

func (w *podWorld) restart(g ServiceGroup, settle time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second) // what waits longer waits for what never comes
	defer cancel()
	g.Name, g.Selector = "x", "app=x"
	parts, err := restarting{what: "restart", place: "here", groups: []ServiceGroup{g}, namespace: ServiceGroup.namespace, settle: settle}.do(ctx, w.client)
	return strings.Join(parts, "; "), err
}

// What can't come back is named and not waited for; all else is.
func TestRestartWaitsForNothingThatCanNotCome(t *testing.T) {
	const rs, sts, ds = "ReplicaSet", "StatefulSet", "DaemonSet"
	for name, c := range map[string]struct {
		pods    []*corev1.Pod
		deleted []string
		text    []string
	}{
		"all live": {[]*corev1.Pod{of(rs, "a", "good"), of(sts, "b-0", "good")}, []string{"uid-a", "uid-b-0"}, []string{"x: 2 Pods restarted"}},
		"an evicted one": {[]*corev1.Pod{of(rs, "a", "good"), of(rs, "b", "good", evicted)}, []string{"uid-a"},
			[]string{"x: 1 Pods restarted", "Pod b has ended: Evicted"}},
		"one is going on a dead node": {[]*corev1.Pod{of(rs, "a", "good"), of(rs, "b", "dead", going)}, []string{"uid-a"},
			[]string{"x: 1 Pods restarted", "Pod b is deleted and counts as gone: its node dead is not Ready (NodeStatusUnknown"}},
		"one is going on a node that was removed": {[]*corev1.Pod{of(rs, "a", "good"), of(sts, "b-0", "removed", going)}, []string{"uid-a"},
			[]string{"x: 1 Pods restarted", "its node removed is not there any more"}},
		"one lives on a node that just died": {[]*corev1.Pod{of(rs, "a", "good"), of(rs, "b", "dead")}, []string{"uid-a", "uid-b"},
			[]string{"x: 2 Pods restarted", "Pod b is deleted and counts as gone"}},
		"one with a name of its own lives there": {[]*corev1.Pod{of(sts, "a-0", "good"), of(sts, "a-1", "dead"), of(ds, "d", "dead")}, []string{"uid-a-0", "uid-a-1", "uid-d"},
			[]string{"Pod a-1 is deleted and counts as gone", "nothing comes in its place before that"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPodWorld(t, c.pods...)
			before := w.list()
			for range 2 { // two attempts of one try
				text, err := w.restart(ServiceGroup{Pods: before}, time.Minute)
				require.NoError(t, err)
				for _, part := range c.text {
					assert.Contains(t, text, part)
				}
			}
			slices.Sort(w.deleted)
			assert.Equal(t, c.deleted, slices.Compact(w.deleted))
			for _, p := range w.list() {
				assert.True(t, p.Ready || !p.Alive(), p.Name)
			}
		})
	}
}

// A service that has nothing left is no success, and is not waited for either.
func TestRestartOfNothingThatLivesFailsAtOnce(t *testing.T) {
	for name, pods := range map[string][]*corev1.Pod{
		"all ended":        {of("ReplicaSet", "a", "good", evicted)},
		"all on dead node": {of("StatefulSet", "a-0", "dead"), of("StatefulSet", "a-1", "dead", going)},
	} {
		w := newPodWorld(t, pods...)
		_, err := w.restart(ServiceGroup{Pods: w.list()}, time.Hour)
		assert.Equal(t, fault.Stalled, fault.ClassOf(err), "%s: %v", name, err)
		assert.ErrorContains(t, err, "x has no Pod that could come back", name)
	}
}

// A Pod that is going on a node that lives is waited for, and so is its successor.
func TestRestartWaitsForWhatIsGoing(t *testing.T) {
	w := newPodWorld(t, of("StatefulSet", "a-0", "good", going))
	group := ServiceGroup{Pods: w.list()}
	_, err := w.restart(group, 0)
	assert.ErrorContains(t, err, "Pod a-0 has not gone yet")
	require.NoError(t, w.typed.Tracker().Delete(podsResource, platformNamespace, "a-0"))
	_, err = w.restart(group, 0)
	assert.ErrorContains(t, err, "0 of 1 Pods are ready")
	next := of("StatefulSet", "a-0", "good")
	next.UID = "next"
	require.NoError(t, w.typed.Tracker().Add(next))
	_, err = w.restart(group, time.Minute)
	require.NoError(t, err)
	assert.Empty(t, w.deleted)
}

// What can't be read of a node is not "away".
func TestRestartDoesNotGuessAtNodes(t *testing.T) {
	w := newPodWorld(t, of("ReplicaSet", "a", "dead"))
	w.typed.PrependReactor("get", "nodes", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "nodes"}, "dead", fmt.Errorf("no"))
	})
	_, err := w.restart(ServiceGroup{Pods: w.list()}, 0)
	assert.ErrorContains(t, err, "Pod a has not gone yet; whether node dead is away can't be read")
	w.typed.PrependReactor("get", "nodes", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewInternalError(fmt.Errorf("etcd"))
	})
	_, err = w.restart(ServiceGroup{Pods: w.list()}, 0)
	assert.False(t, fault.ClassOf(err).Permanent(), "it is tried again: %v", err)
}

// Another try deletes what the first one could not, and neither a Pod that came
// since nor one that is going; as many must be ready as the first one was to restart,
// whatever is there at the retry.
func TestRetryOfARestart(t *testing.T) {
	w := newPodWorld(t, of("ReplicaSet", "a", "good"), of("ReplicaSet", "b", "good"), of("StatefulSet", "c-0", "dead"))
	w.barren = true
	first := ServiceGroup{Pods: w.list()}
	_, err := w.restart(first, 0)
	require.Error(t, err, "nothing has come")
	require.Len(t, w.deleted, 3)

	for ready, name := range []string{"came", "d"} {
		again := first.Retry(w.list())
		assert.Equal(t, 3, again.Want)
		_, err = w.restart(again, 0)
		assert.ErrorContains(t, err, fmt.Sprintf("%d of 2 Pods are ready", ready), "a retry is no way to have fewer; nothing comes for c-0")
		require.NoError(t, w.typed.Tracker().Add(of("ReplicaSet", name, "good")))
	}
	text, err := w.restart(first.Retry(w.list()), time.Minute)
	require.NoError(t, err)
	assert.Contains(t, text, "x: 2 Pods are ready again, 0 more restarted by this try")
	assert.Contains(t, text, "Pod c-0 is deleted and counts as gone")
	assert.Len(t, w.deleted, 3, "act twice = act once")

	for _, name := range []string{"e", "f"} {
		require.NoError(t, w.typed.Tracker().Add(of("ReplicaSet", name, "good")))
	}
	assert.Equal(t, 3, first.Retry(w.list()).Want, "no more than there were")
}

// A StatefulSet makes its Pods one after the other: the first is not all of them.
// One that was going before the run had no successor to wait for, at a retry neither.
func TestRetryOfAnOrderedRestart(t *testing.T) {
	w := newPodWorld(t, of("StatefulSet", "a-0", "good"), of("StatefulSet", "a-1", "good"), of("StatefulSet", "a-2", "good"), of("StatefulSet", "a-3", "dead", going))
	w.barren = true
	first := ServiceGroup{Pods: w.list()}
	_, err := w.restart(first, 0)
	require.ErrorContains(t, err, "0 of 3 Pods are ready")
	for made := range 3 {
		_, err = w.restart(first.Retry(w.list()), 0)
		assert.ErrorContains(t, err, fmt.Sprintf("%d of 3 Pods are ready", made))
		next := of("StatefulSet", fmt.Sprintf("a-%d", made), "good")
		next.UID = types.UID(fmt.Sprintf("new-%d", made))
		require.NoError(t, w.typed.Tracker().Add(next))
	}
	text, err := w.restart(first.Retry(w.list()), time.Minute)
	require.NoError(t, err)
	assert.Contains(t, text, "x: 3 Pods are ready again, 0 more restarted")
	assert.Equal(t, []string{"uid-a-0", "uid-a-1", "uid-a-2"}, w.deleted)
}

// What a message says to delete is deleted: then there is nothing to wait for.
func TestRetryAfterTheLeftoversAreDeleted(t *testing.T) {
	for name, left := range map[string]*corev1.Pod{
		"it had ended":                of("ReplicaSet", "a", "good", evicted),
		"it was going on a dead node": of("StatefulSet", "a", "dead", going),
	} {
		t.Run(name, func(t *testing.T) {
			w := newPodWorld(t, left)
			first := ServiceGroup{Pods: w.list()}
			for _, g := range []ServiceGroup{first, first.Retry(w.list())} {
				_, err := w.restart(g, time.Hour)
				assert.ErrorContains(t, err, "x has no Pod that could come back", "still there: at once")
			}
			require.NoError(t, w.typed.Tracker().Delete(podsResource, platformNamespace, "a"))
			text, err := w.restart(first.Retry(w.list()), time.Hour)
			require.NoError(t, err)
			assert.Equal(t, "x is not installed", text)

			require.NoError(t, w.typed.Tracker().Add(of("ReplicaSet", "came", "good", func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse })))
			_, err = w.restart(first.Retry(w.list()), 0)
			assert.ErrorContains(t, err, "0 of 1 Pods are ready", "what has come must get ready")
			assert.Empty(t, w.deleted)
		})
	}
	w := newPodWorld(t, of("ReplicaSet", "a", "good"))
	w.barren = true
	first := ServiceGroup{Pods: w.list()}
	_, err := w.restart(first, 0)
	require.Error(t, err)
	_, err = w.restart(first.Retry(w.list()), 0)
	assert.ErrorContains(t, err, "0 of 1 Pods are ready", "what this run has deleted was installed")
}
