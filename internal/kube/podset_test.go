package kube

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/acpflow/acpflow/internal/fault"
)

func TestPodsTellWhatLives(t *testing.T) {
	named := func(name string, age time.Duration, p corev1.Pod) *corev1.Pod {
		p.Namespace, p.Name, p.CreationTimestamp = "ns", name, metav1.NewTime(time.Now().Add(-age))
		return &p
	}
	owned := func(kind string, controller bool) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: "m", UID: "m", Controller: &controller}}
		}
	}
	going := func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Now()} }
	c := NewFromClients(fake.NewClientset(
		named("runs", 5*time.Hour, pod(corev1.PodRunning, true, owned("ReplicaSet", true))),
		named("starts", 4*time.Hour, pod(corev1.PodPending, false, owned("StatefulSet", true))),
		named("going", 3*time.Hour, pod(corev1.PodRunning, true, going, owned("Node", true))),
		named("evicted", 2*time.Hour, pod(corev1.PodFailed, false, owned("Job", false))),
		named("done", time.Hour, pod(corev1.PodSucceeded, false)),
	), nil, "place")
	pods, err := c.Pods(t.Context(), "ns", "")
	require.NoError(t, err)
	type life struct {
		name         string
		alive, ended bool
		ready, stays bool
		maker        string
	}
	var got []life
	for _, p := range pods {
		got = append(got, life{p.Name, p.Alive(), p.Ended(), p.Ready, p.StaysBehind(), p.Maker})
	}
	assert.Equal(t, []life{
		{"runs", true, false, true, false, "ReplicaSet"},
		{"starts", true, false, false, true, "StatefulSet"},
		{"going", false, false, false, true, "Node"},
		{"evicted", false, true, false, true, ""},
		{"done", false, true, false, true, ""},
	}, got)
}

func TestNode(t *testing.T) {
	typed := fake.NewClientset(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}, Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown, Reason: "NodeStatusUnknown"}}}})
	c := NewFromClients(typed, nil, "place")
	node, found, err := c.Node(t.Context(), "n")
	require.NoError(t, err)
	assert.True(t, found)
	assert.False(t, node.Ready, "unknown is not ready")
	assert.Contains(t, node.Reason, "NodeStatusUnknown")
	_, found, err = c.Node(t.Context(), "gone")
	require.NoError(t, err)
	assert.False(t, found)
	typed.PrependReactor("get", "nodes", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "nodes"}, "n", nil)
	})
	_, _, err = c.Node(t.Context(), "n")
	assert.True(t, fault.Is(err, fault.Auth), "%v", err)
}
