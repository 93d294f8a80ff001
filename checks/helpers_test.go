package checks

import (
	"encoding/base64"
	"fmt"
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
		"machine": "x86_64\n", "kernel": "4.18.0-372.9.1.el8.x86_64\n", "hostname": "cp-1\n",
		"machine-id": "0123456789abcdef0123456789abcdef\n", "timezone": "+0300\n/usr/share/zoneinfo/Europe/Moscow\n",
		"uid": "0\n", "sudo-user": "installer",
		"os-release":     "NAME=\"Red Hat Enterprise Linux\"\nID=\"rhel\"\nVERSION_ID=\"8.6\"\n",
		"centos-release": "!66", "kylin-release": "!66", "cpu": "",
		"modules": "ip_vs loaded\nip_vs_rr loaded\nip_vs_wrr builtin\nip_vs_sh loaded\n" +
			"nf_conntrack_ipv4 absent\nnf_conntrack_ipv6 absent\ngeneve loaded\nopenvswitch loaded\n",
		"units":    units("apparmor", "firewalld", "ufw", "iptables", "ip6tables", "nftables", "kubelet"),
		"apparmor": "!66", "apparmor-profiles": "!66",
		"selinux": "!66", "selinux-config": "SELINUX=disabled\n", "ufw": "!66",
		"swaps": "Filename\tType\tSize\tUsed\tPriority\n", "fstab-swap": "",
		"tasks-max": "DefaultTasksMax=infinity\n",
		"hosts":     "127.0.0.1   localhost localhost.localdomain\n::1 localhost\n",
		"resolv":    "# made by hand\nnameserver 192.0.2.53\noptions timeout:1\n",
		"route4":    "default via 192.0.2.1 dev eth0 proto static metric 100\n", "route6": "",
		"listeners": "State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n" +
			"LISTEN 0      128          0.0.0.0:22        0.0.0.0:*    users:((\"sshd\",pid=1089,fd=3))\n",
		"tools":        "ip found\nss found\ntar found\nswapoff found\nmodprobe found\nsysctl found\nmd5sum found\nscp found\nsftp found\n",
		"kubelet-unit": "/etc/systemd/system/kubelet.service absent\n",
		"tmp":          "/      rw,relatime,attr2\n",
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
func (s said) output() string {
	var b strings.Builder
	b.WriteString("acpflow-facts 1\n")
	names := make([]string, 0, len(s))
	for name := range s {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		status, value := "0", s[name]
		if rest, ok := strings.CutPrefix(value, "!"); ok {
			status, value = rest, ""
		}
		fmt.Fprintf(&b, "fact %s %s %s\n", name, status, base64.StdEncoding.EncodeToString([]byte(value)))
	}
	fmt.Fprintf(&b, "end %d\n", len(s))
	return b.String()
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
			{Name: "cp-1", Role: site.ControlPlane}, {Name: "cp-2", Role: site.ControlPlane}, {Name: "w-1", Role: site.Worker},
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

// ruleCase is one node and what a rule says about it.
type ruleCase struct {
	name   string
	change said
	input  func(*Input)
	want   Outcome
	seen   string // part of Seen or Reason
}

func runRule(t *testing.T, rule string, cases []ruleCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.input == nil {
				c.input = func(*Input) {}
			}
			f := judged(t, rule, rhel86().with(c.change), c.input)
			require.Equal(t, c.want, f.Outcome, "%+v", f)
			require.Contains(t, f.Seen+" "+f.Reason, c.seen)
			require.NotEmpty(t, f.Title)
			require.NotEmpty(t, f.Source)
			if f.Blocking() {
				require.NotEmpty(t, f.Want)
				require.NotEmpty(t, f.Fix)
			}
		})
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
