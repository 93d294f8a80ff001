package checks

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
)

var now = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// said is what a node tells about itself: fact name to value. A value that
// begins with "!" is a status instead, for example "!127".
type said map[string]string

// rhel86 is a node that passes every rule.
func rhel86() said {
	return said{
		"time-start": "1773144000.100000000\n", "time-end": "1773144000.300000000\n",
		"machine": "x86_64\n", "kernel": "4.18.0-372.9.1.el8.x86_64\n", "hostname": "cp-1\n", "hostname-file": "cp-1\n",
		"machine-id": "0123456789abcdef0123456789abcdef\n", "timezone": "+0300\n/usr/share/zoneinfo/Europe/Moscow\n",
		"uid": "0\n", "sudo-user": "installer",
		"os-release":     "NAME=\"Red Hat Enterprise Linux\"\nID=\"rhel\"\nVERSION_ID=\"8.6\"\n",
		"centos-release": "!66", "kylin-release": "!66",
		"redhat-release": "Red Hat Enterprise Linux release 8.6 (Ootpa)\n",
		"cmdline":        "BOOT_IMAGE=(hd0,gpt2)/vmlinuz-4.18.0-372.9.1.el8.x86_64 root=/dev/mapper/rhel-root ro transparent_hugepage=never\n",
		"grub": "set kernelopts=\"root=/dev/mapper/rhel-root ro\"\nkernelopts=root=/dev/mapper/rhel-root ro transparent_hugepage=never\n" +
			"title Red Hat Enterprise Linux (4.18.0-372.9.1.el8.x86_64) 8.6 (Ootpa)\noptions $kernelopts $tuned_params\n" +
			"title Red Hat Enterprise Linux (0-rescue-0123456789abcdef) 8.6 (Ootpa)\noptions root=/dev/mapper/rhel-root\n",
		"grub-default": "GRUB_CMDLINE_LINUX=\"transparent_hugepage=never\"\n",
		"cpu":          "vendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz\ncpu MHz\t\t: 1200.000\nsiblings\t: 32\ncpu cores\t: 16\n",
		"cpus":         "0-31\n", "cpufreq": "performance 2500000\n",
		"memory": "MemTotal:       65535900 kB\nSwapTotal:             0 kB\n", "dmi": "sys_vendor=Dell Inc.\nproduct_name=PowerEdge R640\n",
		"virtualization": "none\n",
		"disks": "NAME=\"nvme0n1\" KNAME=\"nvme0n1\" PKNAME=\"\" TYPE=\"disk\" ROTA=\"0\" SIZE=\"960197124096\" MOUNTPOINT=\"\"\n" +
			"NAME=\"nvme0n1p2\" KNAME=\"nvme0n1p2\" PKNAME=\"nvme0n1\" TYPE=\"part\" ROTA=\"0\" SIZE=\"959119884288\" MOUNTPOINT=\"\"\n" +
			"NAME=\"rhel-root\" KNAME=\"dm-0\" PKNAME=\"nvme0n1p2\" TYPE=\"lvm\" ROTA=\"0\" SIZE=\"500000000000\" MOUNTPOINT=\"/\"\n",
		"mounts": "/dev/mapper/rhel-root / xfs rw,relatime,attr2 0 0\n",
		"spaces": "Filesystem 1-blocks Used Available Capacity Mounted on\n- 0 0 0 - /proc\n" +
			"/dev/mapper/rhel-root 500000000000 20000000000 480000000000 4% /\n",
		"sshd":        "port 22\nusepam no\npermitrootlogin yes\npasswordauthentication yes\nusedns no\n",
		"sshd-config": "UseDNS no\nUsePAM no\n", "time-peers": "server 192.0.2.1 iburst\npool pool.example.com\n",
		"addresses": "1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever\n" +
			"1: lo    inet6 ::1/128 scope host \\       valid_lft forever preferred_lft forever\n" +
			"2: eth0    inet 192.0.2.11/24 brd 192.0.2.255 scope global noprefixroute eth0\\       valid_lft forever preferred_lft forever\n" +
			"2: eth0    inet6 2001:db8::11/64 scope global \\       valid_lft forever preferred_lft forever\n",
		"offload": "!66", "packages": "rpm\n", "snaps": "", "binaries": "",
		"modules": "ip_vs loaded\nip_vs_rr loaded\nip_vs_wrr builtin\nip_vs_sh loaded\n" +
			"nf_conntrack_ipv4 absent\nnf_conntrack_ipv6 absent\ngeneve loaded\nopenvswitch loaded\n",
		"units":    units("apparmor", "firewalld", "ufw", "iptables", "ip6tables", "nftables", "kubelet"),
		"apparmor": "!66", "apparmor-profiles": "!66",
		"selinux": "!66", "selinux-config": "SELINUX=disabled\n", "ufw": "!66",
		"swaps": "Filename\tType\tSize\tUsed\tPriority\n", "fstab-swap": "",
		"tasks-max": "DefaultTasksMax=infinity\n",
		"hosts":     "127.0.0.1   localhost localhost.localdomain\n::1 localhost\n",
		"resolv":    "# made by hand\nnameserver 192.0.2.53\noptions timeout:1\n",
		"route4":    "default via 192.0.2.1 dev eth0 proto static metric 100\n192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.11 metric 100\n", "route6": "",
		"listeners": "State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n" +
			"LISTEN 0      128          0.0.0.0:22        0.0.0.0:*    users:((\"sshd\",pid=1089,fd=3))\n",
		"tools":        "ip found\nss found\ntar found\nswapoff found\nmodprobe found\nsysctl found\nmd5sum found\nscp found\nsftp found\nlvm found\n",
		"kubelet-unit": "/etc/systemd/system/kubelet.service absent\n",
		"leftovers": "/var/lib/docker absent\n/var/lib/containerd absent\n/var/log/pods absent\n" +
			"/var/lib/kubelet/pki absent\n/var/lib/nerdctl absent\n/opt/nerdctl absent\n",
		"etcd-data": "/var/lib/etcd/member absent\n", "processes": "", "kubernetes-files": "!66",
	}
}

// units writes what systemctl shows; "NAME active" is a running and enabled unit,
// "NAME enabled" one that starts at the next boot, "NAME" one that does not exist.
func units(states ...string) string {
	var blocks []string
	for _, s := range states {
		name, state, _ := strings.Cut(s, " ")
		load, active, file := "loaded", "inactive", "enabled"
		switch state {
		case "":
			load, file = "not-found", ""
		case "active", "activating":
			active = state
		}
		blocks = append(blocks, fmt.Sprintf("Id=%s.service\nLoadState=%s\nActiveState=%s\nUnitFileState=%s\n", name, load, active, file))
	}
	return strings.Join(blocks, "\n")
}

// with returns the node with some facts changed.
func (s said) with(changes said) said {
	for name, value := range changes {
		s[name] = value
	}
	return s
}

// output writes the facts as the collector does.
func (s said) output() string { return packed(s.raw(), len(s)) }

// raw is what the collector's one line holds, in the order of the names.
func (s said) raw() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s)) {
		status, value := "0", s[name]
		if rest, ok := strings.CutPrefix(value, "!"); ok {
			status, value = rest, ""
		}
		fmt.Fprintf(&b, "%s %s %d\n%s\n", name, status, len(value), value)
	}
	return b.String()
}

func packed(raw string, count int) string {
	return fmt.Sprintf("%s\nfacts %s\nend %d\n", header, base64.StdEncoding.EncodeToString([]byte(raw)), count)
}

func (s said) facts(t testing.TB) Facts {
	t.Helper()
	f, err := ParseFacts([]byte(s.output()))
	require.NoError(t, err)
	f.Sent = time.Unix(1773144000, 0)
	f.Received = time.Unix(1773144000, 400_000_000)
	return f
}

// document is a site with one cluster: cp-1 (the installer's node), cp-2 and w-1.
func document() site.Site {
	s := site.Site{
		Name: "example",
		Clusters: []site.Cluster{{Name: "west", Nodes: []site.Node{
			{Name: "cp-1", Address: "192.0.2.11", Role: site.ControlPlane},
			{Name: "cp-2", Address: "192.0.2.12", Role: site.ControlPlane},
			{Name: "w-1", Address: "192.0.2.21", Role: site.Worker},
		}}},
	}
	site.Default(&s)
	return s
}

// judged returns one rule's finding about the node cp-1 of the document, or of
// the site and node that change gives.
func judged(t testing.TB, rule string, s said, change ...func(*Input)) Finding {
	t.Helper()
	in := Input{Site: document(), Cluster: "west", Node: "cp-1", Facts: s.facts(t), Now: now}
	for _, c := range change {
		c(&in)
	}
	for _, f := range Judge(in) {
		if f.Rule == rule {
			return f
		}
	}
	require.FailNow(t, "no such rule", rule)
	return Finding{}
}

func scenario(name site.Scenario) func(*Input) { return func(in *Input) { in.Site.Scenario = name } }

// all applies several changes.
func all(changes ...func(*Input)) func(*Input) {
	return func(in *Input) {
		for _, c := range changes {
			c(in)
		}
	}
}

func profile(name string) func(*Input) { return func(in *Input) { in.Site.Profile = name } }
func onNode(name string) func(*Input)  { return func(in *Input) { in.Node = name } }
func cni(name site.CNI) func(*Input) {
	return func(in *Input) { in.Site.Clusters[0].Network.CNI = name }
}
func family(name site.IPFamily) func(*Input) {
	return func(in *Input) { in.Site.Clusters[0].Network.IPFamily = name }
}
