package kubelet

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

const manager = "kubelet"

// keepRegistered makes sure that the Node exists and says what it is, and that
// every static Pod has its mirror in the API. kwok reports Ready and leases.
func keepRegistered(ctx context.Context, c Config, a *Agent) {
	wait := time.Second
	for last := ""; ; {
		err := register(ctx, c, a)
		switch {
		case err == nil:
			wait = 10 * time.Second
		case ctx.Err() == nil && err.Error() != last:
			last = err.Error()
			slog.Warn("register node", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func register(ctx context.Context, c Config, a *Agent) error {
	client, err := connect(c)
	if err != nil {
		return err
	}
	path := "/api/v1/nodes/" + c.NodeName
	err = client.Get(ctx, path, nil)
	if kubeapi.IsCode(err, http.StatusNotFound) {
		if err = client.Do(ctx, http.MethodPost, "/api/v1/nodes", "", nodeObject(c), nil); err != nil {
			return err
		}
		err = client.Do(ctx, http.MethodPatch, path+"/status", kubeapi.MergePatch, kubeapi.Object{"status": nodeStatus(c)}, nil)
	}
	if err != nil {
		return err
	}
	return mirror(ctx, c, client, a)
}

// connect reads the kubeconfig afresh: the installer may have replaced it.
func connect(c Config) (*kubeapi.Client, error) {
	config, err := kubeapi.Load(c.Kubeconfig)
	if err != nil {
		return nil, err
	}
	return config.New(manager)
}

func nodeObject(c Config) kubeapi.Object {
	host, _ := os.Hostname()
	labels := map[string]string{
		"kubernetes.io/hostname": strings.ToLower(host),
		"kubernetes.io/os":       runtime.GOOS,
		"kubernetes.io/arch":     runtime.GOARCH,
	}
	for k, v := range c.Labels {
		labels[k] = v
	}
	return kubeapi.Object{
		"apiVersion": "v1", "kind": "Node",
		"metadata": kubeapi.Object{"name": c.NodeName, "labels": labels},
		"spec":     kubeapi.Object{"taints": c.Taints},
	}
}

// nodeStatus is what a kubelet tells about its machine. Conditions are kwok's.
func nodeStatus(c Config) kubeapi.Object {
	host, _ := os.Hostname()
	addresses := []kubeapi.Object{}
	for _, a := range c.Addresses {
		addresses = append(addresses, kubeapi.Object{"type": "InternalIP", "address": a})
	}
	resources := kubeapi.Object{
		"cpu": strconv.Itoa(runtime.NumCPU()), "memory": memory(), "pods": strconv.Itoa(c.MaxPods),
		"ephemeral-storage": "100Gi",
	}
	return kubeapi.Object{
		"addresses":   append(addresses, kubeapi.Object{"type": "Hostname", "address": host}),
		"capacity":    resources,
		"allocatable": resources,
		"nodeInfo": kubeapi.Object{
			"architecture":            runtime.GOARCH,
			"operatingSystem":         runtime.GOOS,
			"bootID":                  line("/proc/sys/kernel/random/boot_id"),
			"machineID":               line("/etc/machine-id"),
			"systemUUID":              line("/etc/machine-id"),
			"kernelVersion":           line("/proc/sys/kernel/osrelease"),
			"osImage":                 osImage(),
			"kubeletVersion":          c.KubeletVersion,
			"kubeProxyVersion":        c.KubeletVersion,
			"containerRuntimeVersion": c.ContainerRuntime,
		},
	}
}

func line(path string) string {
	data, _ := os.ReadFile(path)
	return string(bytes.TrimSpace(data))
}

func osImage() string {
	for _, l := range strings.Split(line("/etc/os-release"), "\n") {
		if name, ok := strings.CutPrefix(l, "PRETTY_NAME="); ok {
			return strings.Trim(name, `"`)
		}
	}
	return runtime.GOOS
}

func memory() string {
	fields := strings.Fields(line("/proc/meminfo")) // MemTotal: N kB …
	if len(fields) < 2 {
		return "1Gi"
	}
	return fields[1] + "Ki"
}

// mirror shows the static Pods in the API, as a kubelet does.
func mirror(ctx context.Context, c Config, client *kubeapi.Client, a *Agent) error {
	pods, err := ReadPods(a.Manifests)
	if err != nil {
		return err
	}
	for _, p := range pods {
		o := mirrorPod(c, p)
		if err := client.Apply(ctx, o); err != nil {
			return err
		}
		if err := nudge(ctx, client, o); err != nil {
			return err
		}
	}
	return nil
}

// overdue is when a mirror Pod should have been seen by kwok, which makes it run.
const overdue = 10 * time.Second

// nudge changes a mirror Pod that is still pending: kwok loses a Pod that comes
// while it takes over the node, and looks at it again when it changes.
func nudge(ctx context.Context, client *kubeapi.Client, o kubeapi.Object) error {
	path, err := client.Path(ctx, o)
	if err != nil {
		return err
	}
	var live struct {
		Metadata struct {
			CreationTimestamp time.Time `json:"creationTimestamp"`
		} `json:"metadata"`
		Status struct {
			Phase string `json:"phase"`
		} `json:"status"`
	}
	if err := client.Get(ctx, path, &live); err != nil {
		return err
	}
	if live.Status.Phase != "Pending" || time.Since(live.Metadata.CreationTimestamp) < overdue {
		return nil
	}
	slog.Info("mirror Pod is still pending", "pod", path)
	now := kubeapi.Object{"metadata": kubeapi.Object{"annotations": kubeapi.Object{"acp-lab/nudged": time.Now().Format(time.RFC3339)}}}
	return client.Do(ctx, http.MethodPatch, path, kubeapi.MergePatch, now, nil)
}

func mirrorPod(c Config, p Pod) kubeapi.Object {
	o := kubeapi.Object{}
	for k, v := range p.Manifest {
		o[k] = v
	}
	meta := kubeapi.Object{}
	for k, v := range p.Manifest["metadata"].(map[string]any) {
		meta[k] = v
	}
	meta["name"] = p.Name + "-" + strings.ToLower(c.NodeName)
	meta["annotations"] = kubeapi.Object{
		"kubernetes.io/config.mirror": p.Hash, "kubernetes.io/config.hash": p.Hash, "kubernetes.io/config.source": "file",
	}
	spec := kubeapi.Object{}
	for k, v := range p.Manifest["spec"].(map[string]any) {
		spec[k] = v
	}
	spec["nodeName"] = c.NodeName
	spec["tolerations"] = []kubeapi.Object{{"operator": "Exists", "effect": "NoExecute"}}
	o["metadata"], o["spec"] = meta, spec
	return o
}

// v4 returns the first IPv4 address.
func (c Config) v4() string {
	for _, a := range c.Addresses {
		if ip, err := netip.ParseAddr(a); err == nil && ip.Is4() {
			return a
		}
	}
	return ""
}
