package kube

import (
	"testing"

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

func TestEditConfigMap(t *testing.T) {
	typed := fake.NewClientset()
	c := NewFromClients(typed, nil, "place")
	add := func(key string) func(map[string]string) error {
		return func(data map[string]string) error { data[key] += "x"; return nil }
	}
	_, found, err := c.ConfigMap(t.Context(), "ns", "m")
	require.NoError(t, err)
	assert.False(t, found)
	for _, key := range []string{"a", "b", "a"} {
		_, err := c.EditConfigMap(t.Context(), "ns", "m", add(key))
		require.NoError(t, err)
	}
	data, found, err := c.ConfigMap(t.Context(), "ns", "m")
	require.NoError(t, err)
	assert.True(t, found)
	assert.Equal(t, map[string]string{"a": "xx", "b": "x"}, data)

	writes := len(typed.Actions())
	_, err = c.EditConfigMap(t.Context(), "ns", "m", func(map[string]string) error { return nil })
	require.NoError(t, err)
	assert.Len(t, typed.Actions(), writes+1, "nothing to write")
}

// Somebody else's change in between is seen by the next try, and kept.
func TestEditConfigMapLosesNothing(t *testing.T) {
	typed := fake.NewClientset(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "m"}})
	c := NewFromClients(typed, nil, "place")
	losses := 1
	typed.PrependReactor("update", "configmaps", func(k8stesting.Action) (bool, runtime.Object, error) {
		if losses--; losses < 0 {
			return false, nil, nil
		}
		other := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "m"}, Data: map[string]string{"other": "1"}}
		if err := typed.Tracker().Update(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, other, "ns"); err != nil {
			return true, nil, err
		}
		return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: "configmaps"}, "m", nil)
	})
	got, err := c.EditConfigMap(t.Context(), "ns", "m", func(data map[string]string) error { data["mine"] = "1"; return nil })
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"other": "1", "mine": "1"}, got)

	losses = 1000
	_, err = c.EditConfigMap(t.Context(), "ns", "m", func(data map[string]string) error { data["mine"] = "2"; return nil })
	assert.True(t, fault.Is(err, fault.Conflict), "%v", err)
}
