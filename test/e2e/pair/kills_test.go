package pair

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/test/harness/pairs"
	"github.com/acpflow/acpflow/test/harness/runs"
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

// saw demands how many there were, once a watch that is late has told of them.
func (w *witness) saw(t testing.TB, want int, what string) {
	t.Helper()
	assert.Eventually(t, func() bool { return w.count() >= want }, time.Minute, 100*time.Millisecond, what)
	assert.Equal(t, want, w.count(), what)
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

// The worker is killed in every step that changes something: the end is the same,
// and everything was done once.
func (r *stage) killedEverywhere() {
	defer pairs.RemovePlugin(r, r.East)
	require.NoError(r, r.Lab.PublishSync(r.Context(), "east", "v4.3.1"))
	err := r.East.API.CoreV1().Secrets(syncplugin.Namespace).Delete(r.Context(), syncplugin.TokenSecret, metav1.DeleteOptions{})
	if !apierrors.IsNotFound(err) {
		require.NoError(r, err)
	}
	pods := r.East.API.CoreV1().Pods(syncplugin.Namespace)
	copiers := r.watches(pods.Watch, syncplugin.PodSelector)
	const restarted = "service_name in (cpaas-elasticsearch,alertmanager,vmselect,vminsert)" // DR-34
	before, err := pods.List(r.Context(), metav1.ListOptions{LabelSelector: restarted})
	require.NoError(r, err)
	require.Len(r, before.Items, 4)
	services := r.watches(pods.Watch, restarted)
	asked := r.watches(r.East.Dynamic.Resource(pairs.Modules).Watch, pairs.ModuleSelector)

	id := r.start("enable-sync", r.document("killed", nil), "east")
	for _, at := range []string{"sync.06-token", "sync.07-install", "sync.08-bootstrap", "sync.10-recreate", "sync.11-consistent", "sync.12-services"} {
		r.begun(id, at)
		if at == "sync.10-recreate" || at == "sync.12-services" {
			time.Sleep(time.Second) // it has deleted and waits
		}
		r.world.KillWorker(r)
	}
	p := r.succeeds(id)
	r.world.Record(r, id, "enable-sync-killed")
	for _, s := range p.Steps {
		assert.Equal(r, workflows.Done, s.State, s.ID)
		assert.LessOrEqual(r, s.Tries, 1, "%s: nobody was asked", s.ID)
	}
	assert.Contains(r, runs.Step(p, "sync.12-services").Evidence.Summary, "Elasticsearch: 1 Pods restarted; VictoriaMetrics: 3 Pods restarted")
	r.mirrors() // meanwhile the watches tell what they are late with
	copiers.saw(r, 3, "two Pods, and one of them recreated")
	services.saw(r, 8, "four Pods, each restarted once")
	asked.saw(r, 2, "asked for once, and renamed by the platform")
}
