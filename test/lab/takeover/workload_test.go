package takeover_test

import (
	"context"
	"path/filepath"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

// workloadCluster is one that the site document opens, and that can go away.
func (r *rig) workloadCluster() {
	named := r.Site.DR.Takeover.WorkloadClusters
	require.Len(r, named, 1)
	file := filepath.Join(r.Lab.Dir(), lab.WorkloadKubeconfig("shop"))
	require.Equal(r, "file:"+file, string(named[0].Kubeconfig))
	config, err := clientcmd.BuildConfigFromFlags("", file)
	require.NoError(r, err)
	config.Timeout = 15 * time.Second
	api, err := kubernetes.NewForConfig(config)
	require.NoError(r, err)
	r.restart(&labtest.Side{API: api}, platformNamespace, "service_name=warlock")

	require.NoError(r, r.Lab.PowerOffCluster(r.Context(), "shop"))
	_, err = api.CoreV1().Namespaces().List(r.Context(), metav1.ListOptions{})
	require.Error(r, err)
	require.NoError(r, r.Lab.PowerOnCluster(r.Context(), "shop"))
	r.eventually("it is back", func() error {
		_, err := api.CoreV1().Namespaces().List(context.Background(), metav1.ListOptions{})
		return err
	})
}
