package cluster

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/acpflow/acpflow/test/lab/installer/machine"
	"github.com/acpflow/acpflow/test/lab/kubeapi"
	"github.com/acpflow/acpflow/test/lab/kubelet"
)

// EncryptionFile is the key with which Secrets lie in etcd. A standby gets it
// from its primary before the install (DR-21).
const EncryptionFile = etcKubernetes + "/encryption-provider.conf"

// staticPod renders one static Pod of a control plane.
func (i *Install) staticPod(namespace, name string, command []string) (machine.File, error) {
	pod := kubeapi.Object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": kubeapi.Object{
			"name": name, "namespace": namespace,
			"labels": map[string]string{"component": name, "tier": "control-plane"},
		},
		"spec": kubeapi.Object{
			"hostNetwork": true, "priorityClassName": "system-node-critical",
			"containers": []kubeapi.Object{{
				"name": name, "image": "registry.example.com/tkestack/" + name + ":" + i.Config.Cluster.Version,
				"command": command,
			}},
		},
	}
	data, err := yaml.Marshal(pod)
	return machine.File{Path: path.Join(kubelet.ManifestDir, name+".yaml"), Mode: 0o600, Data: data}, err
}

func pkiFile(name string) string { return path.Join(etcKubernetes, "pki", name) }

// etcdPod starts a member. Heartbeats are slower than the default: the lab's
// machines share two cores with the start of several API servers.
func (i *Install) etcdPod(m *machine.Machine) (machine.File, error) {
	var members []string
	for _, peer := range i.fleet.Masters() {
		members = append(members, fmt.Sprintf("%s=https://%s:2380", i.nodeName(peer), peer.IP))
	}
	return i.staticPod("kube-system", "etcd", []string{
		path.Join(Programs, "etcd"),
		"--name=" + i.nodeName(m),
		"--data-dir=/var/lib/etcd",
		"--listen-client-urls=https://0.0.0.0:2379",
		"--advertise-client-urls=https://" + m.IP + ":2379",
		"--listen-peer-urls=https://0.0.0.0:2380",
		"--initial-advertise-peer-urls=https://" + m.IP + ":2380",
		"--initial-cluster=" + strings.Join(members, ","),
		"--initial-cluster-state=new",
		"--initial-cluster-token=" + i.clusterServer(),
		"--client-cert-auth=true", "--peer-client-cert-auth=true",
		"--cert-file=" + pkiFile("etcd/server.crt"), "--key-file=" + pkiFile("etcd/server.key"),
		"--trusted-ca-file=" + pkiFile("etcd/ca.crt"),
		"--peer-cert-file=" + pkiFile("etcd/peer.crt"), "--peer-key-file=" + pkiFile("etcd/peer.key"),
		"--peer-trusted-ca-file=" + pkiFile("etcd/ca.crt"),
		"--heartbeat-interval=250", "--election-timeout=2500",
		"--auto-compaction-retention=8h", "--log-level=warn",
	})
}

func (i *Install) apiserverPod(m *machine.Machine) (machine.File, error) {
	command := []string{
		path.Join(Programs, "kube-apiserver"),
		"--advertise-address=" + m.IP, "--secure-port=6443", "--allow-privileged=true",
		"--authorization-mode=Node,RBAC",
		"--etcd-servers=https://127.0.0.1:2379",
		"--etcd-cafile=" + pkiFile("etcd/ca.crt"),
		"--etcd-certfile=" + pkiFile("apiserver-etcd-client.crt"), "--etcd-keyfile=" + pkiFile("apiserver-etcd-client.key"),
		"--encryption-provider-config=" + EncryptionFile,
		"--client-ca-file=" + pkiFile("ca.crt"),
		"--tls-cert-file=" + pkiFile("apiserver.crt"), "--tls-private-key-file=" + pkiFile("apiserver.key"),
		"--kubelet-client-certificate=" + pkiFile("apiserver-kubelet-client.crt"),
		"--kubelet-client-key=" + pkiFile("apiserver-kubelet-client.key"),
		"--kubelet-certificate-authority=" + pkiFile("ca.crt"),
		"--kubelet-preferred-address-types=InternalIP,Hostname",
		"--proxy-client-cert-file=" + pkiFile("front-proxy-client.crt"), "--proxy-client-key-file=" + pkiFile("front-proxy-client.key"),
		"--requestheader-client-ca-file=" + pkiFile("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client", "--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group", "--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + pkiFile("sa.pub"), "--service-account-signing-key-file=" + pkiFile("sa.key"),
		"--service-cluster-ip-range=" + i.Config.Cluster.ServiceCIDR,
		"--profiling=false",
	}
	return i.staticPod("kube-system", "kube-apiserver", append(command, extra(i.Config.Cluster.APIServerExtraArgs)...))
}

func (i *Install) controllerManagerPod() (machine.File, error) {
	conf := path.Join(etcKubernetes, "controller-manager.conf")
	command := []string{
		path.Join(Programs, "kube-controller-manager"),
		"--kubeconfig=" + conf, "--authentication-kubeconfig=" + conf, "--authorization-kubeconfig=" + conf,
		"--bind-address=127.0.0.1", "--leader-elect=true", "--use-service-account-credentials=true",
		"--controllers=*,-bootstrapsigner,-tokencleaner",
		"--allocate-node-cidrs=true", "--cluster-cidr=" + i.Config.Cluster.ClusterCIDR,
		"--service-cluster-ip-range=" + i.Config.Cluster.ServiceCIDR,
		"--root-ca-file=" + pkiFile("ca.crt"), "--client-ca-file=" + pkiFile("ca.crt"),
		"--cluster-signing-cert-file=" + pkiFile("ca.crt"), "--cluster-signing-key-file=" + pkiFile("ca.key"),
		"--requestheader-client-ca-file=" + pkiFile("front-proxy-ca.crt"),
		"--service-account-private-key-file=" + pkiFile("sa.key"),
		"--profiling=false",
	}
	return i.staticPod("kube-system", "kube-controller-manager", append(command, extra(i.Config.Cluster.ControllerManagerExtraArg)...))
}

func (i *Install) schedulerPod() (machine.File, error) {
	conf := path.Join(etcKubernetes, "scheduler.conf")
	command := []string{
		path.Join(Programs, "kube-scheduler"),
		"--kubeconfig=" + conf, "--authentication-kubeconfig=" + conf, "--authorization-kubeconfig=" + conf,
		"--bind-address=127.0.0.1", "--leader-elect=true", "--profiling=false",
	}
	return i.staticPod("kube-system", "kube-scheduler", append(command, extra(i.Config.Cluster.SchedulerExtraArgs)...))
}

func extra(args map[string]string) []string {
	var out []string
	for k, v := range args {
		out = append(out, "--"+k+"="+v)
	}
	slices.Sort(out) // the same manifest every time, or the kubelet would restart the container
	return out
}
