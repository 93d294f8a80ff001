package checks

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func planned(in *Input) { in.Site.DR.Planned = true }

var _ = cases("GEN-04", []ruleCase{
	{"clean", nil, nil, Pass, "none"},
	{"empty directories", said{"kubernetes-files": ""}, nil, Pass, "none"},
	{"kubelet runs", said{"processes": "812 kubelet\n"}, nil, Fail, "process kubelet (pid 812)"},
	{"kubelet restarts for ever", said{"units": units("kubelet activating")}, nil, Fail, "service kubelet is activating"},
	{"kubelet is installed but off", said{"units": units("kubelet enabled")}, nil, Pass, ""},
	{"manifests", said{"kubernetes-files": "/etc/kubernetes/manifests/kube-apiserver.yaml\n"}, nil, Fail, "kube-apiserver.yaml"},
	{"etcd data", said{"etcd-data": "/var/lib/etcd/member full\n"}, nil, Fail, "/var/lib/etcd/member"},
	{"standby's encryption file", said{"kubernetes-files": encryptionFile + "\n"}, planned, Pass, encryptionFile},
	{"encryption file without a pair", said{"kubernetes-files": encryptionFile + "\n"}, nil, Warn, encryptionFile},
	{"encryption file among others", said{"kubernetes-files": encryptionFile + "\n/etc/kubernetes/admin.conf\n"}, planned, Fail, "admin.conf"},
	{"a copy of the encryption file", said{"kubernetes-files": encryptionFile + ".bak\n"}, planned, Fail, ".bak"},
	{"very many files", said{"kubernetes-files": strings.Repeat("/etc/kubernetes/x\n", 4000)}, nil, Fail, "more"},
	{"processes unknown", said{"processes": "!1"}, nil, Error, "processes"},
	{"files unknown", said{"kubernetes-files": "!1"}, nil, Error, "kubernetes-files"},
	{"etcd unknown", said{"etcd-data": "!1"}, nil, Error, "etcd-data"},
	{"services unknown", said{"units": "!1"}, nil, Error, "units"},
})

// An installed node breaks many rules at once, and all of them are told.
func TestInstalledNode(t *testing.T) {
	installed := rhel86().with(said{
		"processes":        "812 kubelet\n1201 kube-apiserver\n1202 kube-controller\n1203 kube-scheduler\n1204 etcd\n",
		"units":            units("apparmor", "firewalld", "ufw", "iptables", "ip6tables", "nftables", "kubelet active"),
		"kubernetes-files": "/etc/kubernetes/admin.conf\n/etc/kubernetes/pki/ca.crt\n",
		"etcd-data":        "/var/lib/etcd/member full\n",
		"kubelet-unit":     "/etc/systemd/system/kubelet.service file\n",
		"leftovers":        strings.Replace(rhel86()["leftovers"], "/var/lib/containerd absent", "/var/lib/containerd full", 1),
		"listeners":        rhel86()["listeners"] + "LISTEN 0 4096 *:6443 *:* users:((\"kube-apiserver\",pid=1201,fd=3))\n",
	})
	for _, rule := range []string{"GEN-04", "CHK-17", "CHK-22", "CHK-25"} {
		assert.Equal(t, Fail, judged(t, rule, installed).Outcome, rule)
	}
	assert.Equal(t, "service kubelet is active, process kubelet (pid 812), process kube-apiserver (pid 1201), "+
		"process kube-controller (pid 1202), process kube-scheduler (pid 1203) and 4 more", judged(t, "GEN-04", installed).Seen)
}
