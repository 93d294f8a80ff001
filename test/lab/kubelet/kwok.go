package kubelet

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/acpflow/acpflow/test/lab/clusterdns"
	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

// stages tell kwok how the node and its Pods come to life.
//
//go:embed stages.yaml
var stages []byte

// PodFaults of a node names services, by the label service_name, whose new Pods
// never become ready.
const PodFaults = "/etc/acp-lab/pods-never-ready"

const (
	kubeletDir = "/var/lib/kubelet"
	servePort  = "10250"

	// podNamespace is the namespace in whose Pods commands run (stages.yaml).
	podNamespace = "cpaas-system"
)

// keepKwok runs kwok for this node alone, so that a node whose kubelet is
// stopped, or that is switched off, becomes NotReady while the others stay.
func keepKwok(ctx context.Context, c Config) {
	file := filepath.Join(kubeletDir, "kwok-stages.yaml")
	for ctx.Err() == nil {
		orders, err := os.ReadFile(PodFaults)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			slog.Error("kwok", "error", err)
		}
		if err := os.WriteFile(file, stagesFor(orders), 0o600); err != nil {
			slog.Error("kwok", "error", err)
		} else if err := prepareAPI(ctx, c); err != nil {
			slog.Debug("kwok", "error", err)
		} else {
			life, end := context.WithCancel(ctx)
			go endOnChange(life, end, orders)
			runKwok(life, c, file)
			end()
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// stagesFor leaves Pods of the services in orders, one a line, as they are when
// they were scheduled: they never become ready.
func stagesFor(orders []byte) []byte {
	services := strings.Fields(string(orders))
	if len(services) == 0 {
		return stages
	}
	const pending = `    - {key: '.status.phase', operator: In, values: ["Pending"]}` + "\n"
	never := fmt.Sprintf("    - {key: '.metadata.labels[\"service_name\"]', operator: NotIn, values: [%s]}\n", strings.Join(services, ", "))
	return bytes.Replace(stages, []byte(pending), []byte(pending+never), 1)
}

// endOnChange ends kwok, which reads its stages once, when orders change.
func endOnChange(ctx context.Context, end context.CancelFunc, orders []byte) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now, err := os.ReadFile(PodFaults); (err == nil || errors.Is(err, fs.ErrNotExist)) && !bytes.Equal(now, orders) {
			end()
			return
		}
	}
}

// prepareAPI waits for the API and defines the kind that tells kwok where the
// log of a Pod is: kwok does not wait for it. It takes the node from the kwok before.
func prepareAPI(ctx context.Context, c Config) error {
	client, err := connect(c)
	if err != nil {
		return err
	}
	if err := client.Healthy(ctx, "/readyz"); err != nil {
		return err
	}
	if err := client.Apply(ctx, kubeapi.Object{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": kubeapi.Object{"name": "logs.kwok.x-k8s.io"},
		"spec": kubeapi.Object{
			"group": "kwok.x-k8s.io", "scope": "Namespaced",
			"names": kubeapi.Object{"kind": "Logs", "listKind": "LogsList", "plural": "logs", "singular": "logs"},
			"versions": []kubeapi.Object{{"name": "v1alpha1", "served": true, "storage": true, "schema": kubeapi.Object{
				"openAPIV3Schema": kubeapi.Object{"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}},
		},
	}); err != nil {
		return err
	}
	if err := client.Get(ctx, "/apis/kwok.x-k8s.io/v1alpha1/logs?limit=1", nil); err != nil {
		return err
	}
	// The Lease of a kwok that ended names its process, so the next one would
	// wait 40 seconds for it; a kubelet that restarts does not.
	err = client.Do(ctx, http.MethodDelete, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/"+c.NodeName, "", nil, nil)
	if kubeapi.IsCode(err, http.StatusNotFound) {
		return nil
	}
	return err
}

// inPod runs a command with /etc/resolv.conf of a Pod: commands in Pods are
// kwok's children, and ask the cluster's name service as a container would.
const inPod = `test ! -e "$1" || mount --bind "$1" /etc/resolv.conf; shift; exec "$@"`

func runKwok(ctx context.Context, c Config, file string) {
	pki := filepath.Join(kubeletDir, "pki")
	resolv := filepath.Join(kubeletDir, "pod-resolv.conf")
	if c.ClusterDNS != "" {
		if err := os.WriteFile(resolv, []byte(clusterdns.ResolvConf(c.ClusterDNS, podNamespace)), 0o644); err != nil {
			slog.Error("kwok", "error", err)
			return
		}
	}
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "--propagation", "private", "/bin/sh", "-euc", inPod, "kwok", resolv,
		filepath.Join(c.Programs, "kwok"),
		"--config="+file,
		"--kubeconfig="+c.Kubeconfig,
		"--manage-single-node="+c.NodeName,
		"--enable-crds=Logs",
		"--node-lease-duration-seconds=40",
		"--node-ip="+c.v4(),
		"--node-name="+c.NodeName,
		"--node-port="+servePort,
		"--server-address=0.0.0.0:"+servePort,
		"--tls-cert-file="+filepath.Join(pki, "kubelet.crt"),
		"--tls-private-key-file="+filepath.Join(pki, "kubelet.key"),
	)
	cmd.Env = append(os.Environ(), "HOME=/root")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		slog.Warn("kwok ended", "error", strings.TrimSpace(err.Error()))
	}
}
