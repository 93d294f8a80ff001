package checks

import "slices"

// packages are the conflicting packages of one family of systems (1.8.6 of the
// document). Names stand as the document writes them; it looks for them as
// parts of names, which also finds python3-docker (RM-05).
type packages struct {
	named []string // by the document
	added []string // missing there, and in conflict all the same (RM-05)
	snaps []string // Ubuntu (RM-03)
}

// families of systems, by how the document lists packages.
const (
	familyRedhat = "redhat"
	familyUbuntu = "ubuntu"
	familyKylin  = "kylin"
)

// familyOf sorts a system by the ID of its os-release.
func familyOf(id string) string {
	switch id {
	case "ubuntu", "debian":
		return familyUbuntu
	case "kylin":
		return familyKylin
	}
	return familyRedhat
}

var (
	// What the vendors of container runtimes call their packages now.
	addedEverywhere = []string{
		"docker-ce", "docker-ce-cli", "docker-ce-rootless-extras", "docker-engine", "moby-engine", "containerd.io",
		"cri-o", "cri-tools", "nerdctl", "kubeadm", "kubectl", "kubelet", "kubernetes-cni", "k3s", "rke2-server", "rke2-agent",
	}
	packageLists = map[string]packages{
		familyRedhat: {
			named: []string{
				"docker", "docker-client", "docker-common", "docker-latest", "podman-docker", "podman", "runc",
				"containernetworking-plugins", "apptainer", "kubernetes", "kubernetes-master", "kubernetes-node", "kubernetes-client",
			},
			added: slices.Concat([]string{"containerd"}, addedEverywhere),
		},
		familyUbuntu: {
			named: []string{
				"docker.io", "podman-docker", "containerd", "rootlesskit", "rkt", "containernetworking-plugins", "kubernetes",
			},
			added: slices.Concat([]string{"podman", "runc"}, addedEverywhere),
			snaps: []string{
				"kubernetes-worker", "kubectl", "kube-proxy", "kube-scheduler", "kube-controller-manager", "kube-apiserver",
				"k8s", "microk8s", "kubeadm", "kubelet",
			},
		},
		familyKylin: {
			named: []string{
				"docker", "docker-client", "docker-common", "docker-engine", "docker-proxy", "docker-runc", "podman-docker", "podman",
				"containernetworking-plugins", "apptainer", "containerd", "kubernetes", "kubernetes-master", "kubernetes-node",
				"kubernetes-client", "kubernetes-kubeadm",
			},
			added: slices.DeleteFunc(slices.Concat([]string{"runc"}, addedEverywhere), func(n string) bool { return n == "docker-engine" }), // named
		},
	}
)

// Programs that conflict when they lie in /usr/local/bin and the like (RM-00).
// A name that ends in * stands for all that begin so.
var (
	binariesDocker = []string{
		"docker*", "containerd*", "ctr", "runc", "crun", "podman*", "buildah", "crictl", "critest", "crio*", "cni*", "calicoctl",
		"kubeadm", "kubectl", "kubelet", "kube-*", "k3s*", "rke2*", "k0s", "etcd",
	}
	binariesNerdctl = slices.Concat(binariesDocker, []string{"nerdctl*"})
)
