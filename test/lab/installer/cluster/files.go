package cluster

import (
	"encoding/json"
	"errors"
	"path"

	"github.com/acpflow/acpflow/test/lab/clusterdns"
	"github.com/acpflow/acpflow/test/lab/installer/config"
	"github.com/acpflow/acpflow/test/lab/installer/machine"
	"github.com/acpflow/acpflow/test/lab/installer/pki"
	"github.com/acpflow/acpflow/test/lab/kubeapi"
	"github.com/acpflow/acpflow/test/lab/kubelet"
)

const (
	etcKubernetes = "/etc/kubernetes"
	localAPI      = "https://127.0.0.1:6443"
)

// files is a list that remembers the first error of what goes into it.
type files struct {
	list []machine.File
	errs []error
}

func (f *files) add(name string, mode int64, data []byte) {
	f.list = append(f.list, machine.File{Path: name, Mode: mode, Data: data})
}

func (f *files) addJSON(name string, mode int64, v any) {
	data, err := json.Marshal(v)
	f.errs = append(f.errs, err)
	f.add(name, mode, data)
}

func (f *files) addKubeconfig(name string, k kubeapi.Kubeconfig, err error) {
	data, marshalErr := k.Marshal()
	f.errs = append(f.errs, err, marshalErr)
	f.add(name, 0o600, data)
}

func (f *files) addPair(base string, p pki.Pair) {
	f.add(base+".crt", 0o644, p.Cert)
	f.add(base+".key", 0o600, p.Key)
}

// controlPlaneFiles are the certificates and kubeconfigs of one control plane.
func (i *Install) controlPlaneFiles(m *machine.Machine) ([]machine.File, error) {
	var f files
	dir := path.Join(etcKubernetes, "pki")
	pairs, err := i.authorities.ControlPlane(pki.NodeNames{
		NodeName: i.nodeName(m), Hostname: m.Hostname, Addresses: addresses(m),
		ClusterAddress: i.Config.Cluster.Features.HA.VIP, ServiceIPs: i.serviceIPs(),
	})
	f.errs = append(f.errs, err)
	for name, pair := range pairs {
		f.addPair(path.Join(dir, name), pair)
	}
	f.add(path.Join(dir, "sa.key"), 0o600, i.authorities.TokenKey)
	f.add(path.Join(dir, "sa.pub"), 0o644, i.authorities.TokenPub)
	admin, err := i.adminConfig(i.clusterServer())
	f.addKubeconfig(path.Join(etcKubernetes, "admin.conf"), admin, err)
	for _, component := range []string{"controller-manager", "scheduler"} {
		k, err := i.kubeconfig("system:kube-"+component, "", localAPI)
		f.addKubeconfig(path.Join(etcKubernetes, component+".conf"), k, err)
	}
	return f.list, errors.Join(f.errs...)
}

// kubeletFiles are what the node agent of any machine needs.
func (i *Install) kubeletFiles(m *machine.Machine) ([]machine.File, error) {
	var f files
	name := i.nodeName(m)
	// Its own name in the group of administrators: kwok watches more than a
	// kubelet may.
	k, err := i.kubeconfig("system:node:"+name, "system:masters", i.clusterServer())
	f.addKubeconfig(path.Join(etcKubernetes, "kubelet.conf"), k, err)
	serving, err := i.authorities.Kubernetes.Issue(pki.Request{CommonName: "system:node:" + name, Organization: "system:nodes",
		Hosts: append([]string{name, m.Hostname, "127.0.0.1"}, addresses(m)...), Server: true})
	f.errs = append(f.errs, err)
	f.addPair("/var/lib/kubelet/pki/kubelet", serving)
	f.addJSON(kubelet.ConfigFile, 0o600, i.kubeletConfig(m))
	f.add("/etc/systemd/system/kubelet.service", 0o644, []byte(kubeletUnit))
	return f.list, errors.Join(f.errs...)
}

func (i *Install) kubeletConfig(m *machine.Machine) kubelet.Config {
	labels := map[string]string{"cpaas.io/cluster-name": "global"}
	for k, v := range m.Labels {
		labels[k] = v
	}
	if m.Role == config.Master {
		labels["node-role.kubernetes.io/control-plane"] = ""
		labels["node-role.kubernetes.io/master"] = ""
	}
	runtime := i.Config.Cluster.Annotations[config.ContainerRuntime]
	if runtime == "" {
		runtime = config.DefaultOffer().ContainerRuntimes[0]
	}
	c := kubelet.Config{
		NodeName: i.nodeName(m), Addresses: addresses(m), Labels: labels,
		MaxPods: i.Config.Cluster.Properties.MaxNodePodNum, KubeletVersion: i.Config.Cluster.Version,
		ContainerRuntime: runtime, Kubeconfig: path.Join(etcKubernetes, "kubelet.conf"), Programs: Programs,
		ClusterDNS: clusterdns.Address(i.Config.Cluster.ServiceCIDR),
	}
	for _, t := range m.Taints {
		c.Taints = append(c.Taints, kubelet.Taint{Key: t.Key, Value: t.Value, Effect: t.Effect})
	}
	return c
}

const kubeletUnit = `[Unit]
Description=kubelet: static Pods and the Node of this machine
After=network-online.target

[Service]
ExecStart=` + NodeProgram + ` kubelet
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
`
