package kube

import (
	"context"
	"errors"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/internal/fault"
)

// ConfigMap reads the values of one; found is false when there is none.
func (c *Client) ConfigMap(ctx context.Context, namespace, name string) (data map[string]string, found bool, err error) {
	m, err := c.typed.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, false, c.unlessMissing("read configmap "+namespace+"/"+name, err)
	}
	return m.Data, true, nil
}

// editTries bounds how often an edit is made again because somebody else was faster.
const editTries = 5

// EditConfigMap changes the values of a ConfigMap, which it creates when there
// is none, and returns what it holds then. Somebody else's change in between is
// never overwritten: edit is called again with it. fault.Conflict when that
// does not end.
func (c *Client) EditConfigMap(ctx context.Context, namespace, name string, edit func(data map[string]string) error) (map[string]string, error) {
	op := "write configmap " + namespace + "/" + name
	configs := c.typed.CoreV1().ConfigMaps(namespace)
	var last error
	for range editTries {
		m, err := configs.Get(ctx, name, metav1.GetOptions{})
		absent := apierrors.IsNotFound(err)
		if err != nil && !absent {
			return nil, c.fault(op, err)
		}
		if absent {
			m = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{"app.kubernetes.io/managed-by": "acpflow"}}}
		}
		before := maps.Clone(m.Data)
		if m.Data == nil {
			m.Data = map[string]string{}
		}
		if err := edit(m.Data); err != nil {
			return nil, err
		}
		if !absent && maps.Equal(before, m.Data) {
			return m.Data, nil
		}
		if absent {
			_, err = configs.Create(ctx, m, metav1.CreateOptions{FieldManager: "acpflow"})
		} else {
			_, err = configs.Update(ctx, m, metav1.UpdateOptions{FieldManager: "acpflow"}) // its resourceVersion is the one that was read
		}
		if err == nil {
			return m.Data, nil
		}
		if last = err; !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			return nil, c.fault(op, err)
		}
	}
	return nil, fault.New(fault.Conflict, op, c.place, "find out who else writes it all the time", errors.Join(errors.New("somebody else was faster every time"), redacted{last}))
}

// EnsureNamespace creates a namespace unless it is there.
func (c *Client) EnsureNamespace(ctx context.Context, name string) error {
	spaces := c.typed.CoreV1().Namespaces()
	_, err := spaces.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = spaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{FieldManager: "acpflow"})
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return c.fault("create namespace "+name, err)
	}
	return nil
}
