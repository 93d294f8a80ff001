package workload

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
)

// AwaitCollector waits until the garbage collector of a cluster takes Machines
// whose owner is not there. It looks for new kinds every 30 seconds only, so a
// young cluster forgives what an older one does not.
func AwaitCollector(ctx context.Context, dyn dynamic.Interface) error {
	const name = "collector-probe"
	owner := []any{map[string]any{"apiVersion": "platform.tkestack.io/v1", "kind": "Cluster", "name": name, "uid": "00000000-0000-4000-8000-000000000000"}}
	machines := dyn.Resource(Machines)
	if _, err := ensure(ctx, machines, "Machine", name, map[string]any{"spec": map[string]any{}, "status": map[string]any{}}, owner); err != nil && !apierrors.IsNotFound(err) {
		return err // not found: it was taken before its status was written
	}
	for {
		_, err := machines.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the garbage collector does not take Machines: %w", ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}
