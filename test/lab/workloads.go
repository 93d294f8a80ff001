package lab

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab/installer/config"
)

// A workload cluster is one machine with a real control plane, which the lab
// starts itself: no installer and no platform, but Pods of warlock, which send
// monitoring data to the platform (DR-43). Its machine has its name.
const (
	firstWorkload = 230 // last octet of the first one's address
	maxWorkloads  = 9
)

// addWorkloads plans one machine for each workload cluster.
func addWorkloads(nodes []Node, address func(last int) string, names []string) ([]Node, error) {
	if len(names) > maxWorkloads {
		return nil, fmt.Errorf("lab: %d workload clusters planned; at most %d fit", len(names), maxWorkloads)
	}
	for i, name := range names {
		if !label.MatchString(name) {
			return nil, fmt.Errorf("lab: workload cluster name %q is not a DNS label of at most 11 characters", name)
		}
		if slices.ContainsFunc(nodes, func(n Node) bool { return n.Name == name || n.Cluster == name }) {
			return nil, fmt.Errorf("lab: the name %q of a workload cluster is taken", name)
		}
		nodes = append(nodes, Node{Name: name, Role: Workload, Cluster: name, Address: address(firstWorkload + i)})
	}
	return nodes, nil
}

// WorkloadKubeconfig is the file in Dir that opens a workload cluster.
func WorkloadKubeconfig(name string) string { return name + ".kubeconfig" }

// startWorkloads builds every workload cluster on its pristine machine with the
// node program of the package.
func (l *Lab) startWorkloads(ctx context.Context) error {
	if len(l.state.Workloads) == 0 {
		return nil
	}
	program, err := nodeProgramOf(l.packagePath())
	if err != nil {
		return err
	}
	nodes := slices.DeleteFunc(l.Nodes(), func(n *Node) bool { return n.Role != Workload })
	return each(ctx, nodes, func(ctx context.Context, n *Node) error { return n.startWorkload(ctx, program) })
}

func (l *Lab) packagePath() string {
	if l.state.Package != nil {
		return l.state.Package.Path
	}
	return filepath.Join(l.state.Dir, FilePackage)
}

func (n *Node) startWorkload(ctx context.Context, program []byte) error {
	doc, err := n.workloadConfig()
	if err != nil {
		return err
	}
	const file = "/root/workload.json"
	if err := n.WriteFile(ctx, nodeProgram, program, "0755"); err != nil {
		return err
	}
	if err := n.WriteFile(ctx, file, doc, "0600"); err != nil {
		return err
	}
	_, err = n.Script(ctx, nodeProgram+" workload-cluster --config "+file+"; rm "+file)
	if err != nil {
		return err
	}
	kubeconfig, err := n.Exec(ctx, "cat", "/etc/kubernetes/admin.conf")
	if err != nil {
		return err
	}
	return n.lab.writeFile(WorkloadKubeconfig(n.Name), kubeconfig)
}

// workloadConfig is the installer's configuration of a cluster of one machine.
func (n *Node) workloadConfig() ([]byte, error) {
	key, err := os.ReadFile(filepath.Join(n.lab.state.Dir, FileKey))
	if err != nil {
		return nil, err
	}
	offer := config.DefaultOffer()
	var c config.Config
	c.Cluster = config.Cluster{
		Version: offer.Kubernetes[0], ClusterCIDR: "10.3.0.0/16", ServiceCIDR: "10.4.0.0/16", HostnameAsNodename: true,
		Properties:  config.Properties{MaxNodePodNum: 110},
		Annotations: map[string]string{config.NetworkType: config.OVN, config.ContainerRuntime: offer.ContainerRuntimes[0]},
		Features: config.Features{HA: config.HA{VIP: n.Address, VPort: 6443, IsThirdParty: true},
			Machines: []config.Machine{{IP: n.Address, Port: 22, Username: "root", PrivateKey: key, Role: config.Master, Taints: []config.Taint{}}}},
	}
	return json.Marshal(c)
}

// nodeProgramOf takes the node program out of a Core Package.
func nodeProgramOf(pkg string) ([]byte, error) {
	f, err := os.Open(pkg)
	if err != nil {
		return nil, fmt.Errorf("lab: workload clusters need the stand-in package: %w", err)
	}
	defer f.Close()
	want := "installer/bin/" + runtime.GOARCH + "/minialauda"
	for archive := tar.NewReader(f); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("lab: %s has no %s", pkg, want)
		}
		if err != nil {
			return nil, fmt.Errorf("lab: %s: %w", pkg, err)
		}
		if path.Clean(h.Name) == want {
			return io.ReadAll(archive)
		}
	}
}

// siteWorkloads are the workload clusters as the site document names them.
func (l *Lab) siteWorkloads() []site.WorkloadCluster {
	var out []site.WorkloadCluster
	for _, name := range l.state.Workloads {
		out = append(out, site.WorkloadCluster{Name: name, Kubeconfig: l.ref(WorkloadKubeconfig(name))})
	}
	return out
}
