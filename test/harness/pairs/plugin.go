package pairs

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

// Modules are what the platform calls an installed plugin.
var Modules = schema.GroupVersionResource{Group: "cluster.alauda.io", Version: "v1alpha1", Resource: "moduleinfoes"}

// ModuleSelector finds the synchronizer's.
const ModuleSelector = "cpaas.io/module-name=" + syncplugin.Name

// RemovePlugin uninstalls the synchronizer of a side behind acpflow's back and
// waits until nothing of it is left.
func RemovePlugin(t testing.TB, side *labtest.Side) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
	defer cancel()
	for {
		infos, err := side.Dynamic.Resource(Modules).List(ctx, metav1.ListOptions{LabelSelector: ModuleSelector})
		require.NoError(t, err)
		for _, i := range infos.Items {
			if err := side.Dynamic.Resource(Modules).Delete(ctx, i.GetName(), metav1.DeleteOptions{}); !apierrors.IsNotFound(err) {
				require.NoError(t, err)
			}
		}
		pods, err := side.API.CoreV1().Pods(syncplugin.Namespace).List(ctx, metav1.ListOptions{LabelSelector: syncplugin.PodSelector})
		require.NoError(t, err)
		_, err = side.API.CoordinationV1().Leases(syncplugin.Namespace).Get(ctx, syncplugin.LeaseName, metav1.GetOptions{})
		if len(infos.Items)+len(pods.Items) == 0 && apierrors.IsNotFound(err) {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// Synchronizers are the Pods of the plugin on a side that are not on their way out.
func Synchronizers(t testing.TB, side *labtest.Side) []corev1.Pod {
	t.Helper()
	list, err := side.API.CoreV1().Pods(syncplugin.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: syncplugin.PodSelector})
	require.NoError(t, err)
	var out []corev1.Pod
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil {
			out = append(out, p)
		}
	}
	return out
}
