package takeover

import (
	"context"
	"fmt"
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/test/harness/pairs"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

// kind is a kind of objects that the chronicle follows.
type kind struct {
	resource            schema.GroupVersionResource
	namespace, selector string
}

var podResource = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

var followed = []kind{
	{pairs.Modules, "", pairs.ModuleSelector},
	{podResource, syncplugin.Namespace, ""},
	{podResource, "kube-system", "k8s-app=kube-dns"},
}

// whatIs is what the chronicle calls an object, "" when it takes no note of it.
func whatIs(o metav1.Object) string {
	labels := o.GetLabels()
	switch {
	case labels["cpaas.io/module-name"] == syncplugin.Name:
		return "plugin"
	case labels["k8s-app"] == "kube-dns":
		return "coredns"
	}
	return labels["service_name"]
}

// settle waits until the chronicle has seen what has just happened: on the new
// primary every object that is there and none that is not, and ports and name in a
// look that began after now. On a busy machine that takes seconds.
func (s *stage) settle() {
	s.Helper()
	taken, side := s.seen.looked(), s.to.Cluster.Name
	labtest.Await(s, 3*time.Minute, "the chronicle has seen what happened", func() error {
		if n := s.seen.looked() - taken; n < 2 { // the first may have begun before
			return fmt.Errorf("%d looks since", n)
		}
		there, err := objects(s.Context(), s.to)
		if err != nil {
			return err
		}
		if seen := s.seen.alive(side); !maps.Equal(there, seen) {
			return fmt.Errorf("%v are on %s, %v were seen to come and not to go", there, side, seen)
		}
		return nil
	})
}

// objects are the UIDs of what the chronicle follows on a side. What is on its way
// out is an error: it will have gone in a moment.
func objects(ctx context.Context, side *labtest.Side) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out := map[string]bool{}
	for _, k := range followed {
		list, err := side.Dynamic.Resource(k.resource).Namespace(k.namespace).List(ctx, metav1.ListOptions{LabelSelector: k.selector})
		if err != nil {
			return nil, err
		}
		for _, item := range list.Items {
			o, err := meta.Accessor(&item)
			if err != nil || whatIs(o) == "" {
				continue
			}
			if o.GetDeletionTimestamp() != nil {
				return nil, fmt.Errorf("%s is on its way out", o.GetName())
			}
			out[string(o.GetUID())] = true
		}
	}
	return out, nil
}
