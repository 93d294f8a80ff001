package installer

import (
	"fmt"
	"strings"
)

// places is the vendor's table of where to look when an install stands still
// (EXE-13), found by words in the phase's name.
var places = []struct {
	words []string
	look  string
}{
	{[]string{"bootstrap", "registry"}, "look at the output of setup.sh, at the container minialauda-control-plane and at port 8080 on the installer node"},
	{[]string{"provision", "control plane", "controlplane", "kubeadm", "etcd", "join"}, "look at the Machines and their conditions (BootstrapReady, InfrastructureReady), and at kubelet on the node that does not join"},
	{[]string{"network", "cni", "ovn", "calico", "addon", "add-on", "dns"}, "look at the Pods of kube-system and at the network between the nodes"},
	{[]string{"clustermodule", "core platform", "base operator", "platform"}, "look at the status of ClusterModule global and at image pulls from the registry"},
	{[]string{"plugin", "apprelease", "chart", "product"}, "look at the AppReleases that failed and at Pods in ImagePullBackOff (the registry must answer from that node)"},
}

const lookAnywhere = "look at the last lines of the installer's log (/var/cpaas/data/installer.log, or the log of the container minialauda-control-plane), then at the new cluster's Nodes, kube-system Pods and AppReleases"

// WhereToLook says where the install stands and what a person should look at
// first, by the vendor's table of stalled phases (EXE-13).
func WhereToLook(p Progress) string {
	at := "before the first step"
	if p.Step >= 0 {
		at = fmt.Sprintf("at step %d", p.Step)
	}
	if p.Phase == "" {
		return at + ": " + lookAnywhere
	}
	at += fmt.Sprintf(" (%s)", p.Phase)
	name := strings.ToLower(p.Phase)
	for _, place := range places {
		for _, w := range place.words {
			if strings.Contains(name, w) {
				return at + ": " + place.look
			}
		}
	}
	return at + ": " + lookAnywhere
}
