package pair

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/test/lab/labtest"
	"github.com/acpflow/acpflow/workflows"
)

// witness counts the objects that ever existed, by their UIDs.
type witness struct {
	mu   sync.Mutex
	uids map[types.UID]string
}

func (w *witness) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.uids)
}

// watches starts a witness; it ends with the test.
func (r *stage) watches(open func(context.Context, metav1.ListOptions) (watch.Interface, error), selector string) *witness {
	r.Helper()
	long := int64((20 * time.Minute).Seconds())
	stream, err := open(r.Context(), metav1.ListOptions{LabelSelector: selector, TimeoutSeconds: &long})
	require.NoError(r, err)
	r.Cleanup(stream.Stop)
	w := &witness{uids: map[types.UID]string{}}
	go func() {
		for event := range stream.ResultChan() {
			if o, err := meta.Accessor(event.Object); err == nil && o.GetUID() != "" {
				w.mu.Lock()
				w.uids[o.GetUID()] = o.GetName()
				w.mu.Unlock()
			}
		}
	}()
	return w
}

// elasticsearch runs a service that is restarted after the copy (DR-34).
func (r *stage) elasticsearch(replicas int32) {
	r.Helper()
	labels := map[string]string{"service_name": "cpaas-elasticsearch"}
	deployments := r.East.API.AppsV1().Deployments(syncplugin.Namespace)
	_, err := deployments.Create(r.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "cpaas-elasticsearch"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}, Containers: []corev1.Container{{Name: "es", Image: "registry.example.com/es:1"}}}},
		},
	}, metav1.CreateOptions{})
	require.NoError(r, err)
	r.Cleanup(func() { _ = deployments.Delete(context.Background(), "cpaas-elasticsearch", metav1.DeleteOptions{}) })
	labtest.Await(r, time.Minute, "the Pods of Elasticsearch are ready", func() error {
		d, err := deployments.Get(r.Context(), "cpaas-elasticsearch", metav1.GetOptions{})
		if err == nil && d.Status.ReadyReplicas != replicas {
			return fmt.Errorf("%d of %d", d.Status.ReadyReplicas, replicas)
		}
		return err
	})
}

// The worker is killed in every step that changes something: the end is the same,
// and everything was done once.
func (r *stage) killedEverywhere() {
	defer r.removePlugin(r.East)
	r.elasticsearch(2)
	require.NoError(r, r.Lab.PublishSync(r.Context(), "east", "v4.3.1"))
	err := r.East.API.CoreV1().Secrets(syncplugin.Namespace).Delete(r.Context(), syncplugin.TokenSecret, metav1.DeleteOptions{})
	if !apierrors.IsNotFound(err) {
		require.NoError(r, err)
	}
	pods := r.East.API.CoreV1().Pods(syncplugin.Namespace)
	copiers := r.watches(pods.Watch, syncplugin.PodSelector)
	services := r.watches(pods.Watch, "service_name=cpaas-elasticsearch")
	asked := r.watches(r.East.Dynamic.Resource(modules).Watch, "cpaas.io/module-name="+syncplugin.Name)

	id := r.start("enable-sync", r.document("killed", nil), "east")
	for _, at := range []string{"sync.06-token", "sync.07-install", "sync.08-bootstrap", "sync.10-recreate", "sync.11-consistent", "sync.12-services"} {
		r.running(id, at)
		if at == "sync.10-recreate" || at == "sync.12-services" {
			time.Sleep(time.Second) // it has deleted and waits
		}
		r.killWorker()
	}
	p := r.succeeds(id)
	r.record(id, "enable-sync-killed")
	for _, s := range p.Steps {
		assert.Equal(r, workflows.Done, s.State, s.ID)
		assert.LessOrEqual(r, s.Tries, 1, "%s: nobody was asked", s.ID)
	}
	assert.Contains(r, step(p, "sync.12-services").Evidence.Summary, "Elasticsearch: 2 Pods restarted; VictoriaMetrics is not installed")
	assert.Equal(r, 3, copiers.count(), "two Pods, and one of them recreated: %v", copiers.uids)
	assert.Equal(r, 4, services.count(), "two Pods, each restarted once: %v", services.uids)
	assert.Equal(r, 2, asked.count(), "asked for once, and renamed by the platform: %v", asked.uids)
	r.mirrors()
}
