package main_test

import (
	"bytes"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/remotecommand"
)

// looksUpNamesInAPod runs a command in a Pod of the platform, as the runbooks
// do to see what the cluster's DNS says (DR-42).
func (d *data) looksUpNamesInAPod() {
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(d.must("cat /etc/kubernetes/admin.conf")))
	require.NoError(d, err)
	clients, err := kubernetes.NewForConfig(config)
	require.NoError(d, err)
	pods, err := clients.CoreV1().Pods("cpaas-system").List(d.Context(), metav1.ListOptions{LabelSelector: "app=sentry"})
	require.NoError(d, err)
	require.Len(d, pods.Items, 1)
	request := clients.CoreV1().RESTClient().Post().Resource("pods").Namespace("cpaas-system").Name(pods.Items[0].Name).
		SubResource("exec").VersionedParams(&corev1.PodExecOptions{
		Command: []string{"nslookup", d.site.Platform.Address}, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(config, "GET", request.URL().String())
	require.NoError(d, err)
	require.Eventually(d, func() bool {
		var out, errs bytes.Buffer
		err := executor.StreamWithContext(d.Context(), remotecommand.StreamOptions{Stdout: &out, Stderr: &errs})
		d.Logf("nslookup: %v: %s%s", err, out.Bytes(), errs.Bytes())
		return err == nil && bytes.Contains(out.Bytes(), []byte(d.cluster.Endpoint.VIP))
	}, 2*time.Minute, 2*time.Second)
}
