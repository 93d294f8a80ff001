package checks

import (
	"fmt"
	"strings"

	"github.com/acpflow/acpflow/site"
)

var _ = cases("CHK-11", func() []ruleCase {
	var cases []ruleCase
	for _, good := range []string{"a", "cp-1", "cp-1.west.example.com", "0", "a--b", strings.Repeat("a", 36)} {
		cases = append(cases, ruleCase{good, said{"hostname": good + "\n", "hostname-file": good + "\n"}, nil, Pass, good})
	}
	for _, bad := range []string{
		"CP-1", "-cp", "cp-", ".cp", "cp.", "cp_1", "a..b", "a.-b", "a-.b", "größe", "a b", "a\x1b[0m", "$(reboot)", `"`, strings.Repeat("a", 37),
	} {
		cases = append(cases, ruleCase{bad, said{"hostname": bad + "\n"}, nil, Fail, ""})
	}
	return append(cases,
		ruleCase{"empty", said{"hostname": "\n"}, nil, Error, "expected one line"},
		ruleCase{"two lines", said{"hostname": "a\nfact uid 0 MAo=\n"}, nil, Error, "expected one line"},
		ruleCase{"unknown", said{"hostname": "!1"}, nil, Error, "hostname"},
		ruleCase{"another name at the next boot", said{"hostname-file": "# made by hand\n\ncp-9\n"}, nil, Warn, "cp-1 now, but /etc/hostname has cp-9 for the next boot"},
		ruleCase{"a malformed name at the next boot", said{"hostname-file": "CP_9\n"}, nil, Fail, "CP_9, which is malformed"},
		ruleCase{"too long a name at the next boot", said{"hostname-file": strings.Repeat("a", 37) + "\n"}, nil, Fail, "malformed"},
		ruleCase{"no configured name", said{"hostname-file": "!66"}, nil, Pass, "cp-1"},
		ruleCase{"an empty /etc/hostname", said{"hostname-file": "# none\n"}, nil, Pass, "cp-1"},
		ruleCase{"the configured name is unknown", said{"hostname-file": "!1"}, nil, Error, "hostname-file"},
	)
}())

var _ = cases("CHK-12", []ruleCase{
	{"as it should be", nil, nil, Pass, "127.0.0.1"},
	{"commented out", said{"hosts": "# 127.0.0.1 localhost\n"}, nil, Fail, "no line"},
	{"only a comment names it", said{"hosts": "127.0.0.1 cp-1 # localhost\n"}, nil, Fail, "no line"},
	{"only IPv6", said{"hosts": "::1 localhost\n"}, nil, Fail, "no line"},
	{"another address", said{"hosts": "127.0.1.1 localhost\n"}, nil, Fail, "localhost is 127.0.1.1"},
	{"two addresses", said{"hosts": "127.0.0.1 localhost\n192.0.2.10 localhost\n"}, nil, Fail, "localhost is 192.0.2.10"},
	{"a longer name", said{"hosts": "127.0.0.1 localhost.localdomain\n"}, nil, Fail, "no line"},
	{"empty", said{"hosts": ""}, nil, Fail, "no line"},
	{"no file", said{"hosts": "!66"}, nil, Fail, "no /etc/hosts"},
	{"unknown", said{"hosts": "!2"}, nil, Error, "hosts"},
})

var _ = cases("CHK-13", []ruleCase{
	{"a name server", nil, nil, Pass, "192.0.2.53"},
	{"IPv6", said{"resolv": "nameserver 2001:db8::53\n"}, nil, Pass, "2001:db8::53"},
	{"none", said{"resolv": "search example.com\n"}, nil, Fail, "no nameserver"},
	{"commented out", said{"resolv": "#nameserver 192.0.2.53\n"}, nil, Fail, "no nameserver"},
	{"without an address", said{"resolv": "nameserver\n"}, nil, Fail, "no nameserver"},
	{"the segment of the container tool", said{"resolv": "nameserver 192.0.2.53\nnameserver 172.17.0.1\n"}, nil, Fail, "172.17.0.1"},
	{"not that segment", said{"resolv": "nameserver 17.2.0.1\n"}, nil, Pass, ""},
	{"systemd-resolved", said{"resolv": "nameserver 127.0.0.53\n"}, nil, Warn, "127.0.0.53"},
	{"hostile", said{"resolv": "nameserver \x1b]0;x\a\n"}, nil, Pass, `\x1b]0;x\a`},
	{"no file", said{"resolv": "!66"}, nil, Fail, "no /etc/resolv.conf"},
	{"unknown", said{"resolv": "!1"}, nil, Error, "resolv"},
})

var _ = cases("CHK-16", func() []ruleCase {
	six := "default via 2001:db8::1 dev eth0 metric 1024\n"
	return []ruleCase{
		{"a default route", nil, nil, Pass, "via 192.0.2.1"},
		{"to 0.0.0.0", said{"route4": "0.0.0.0 via 192.0.2.1 dev eth0\n"}, nil, Pass, ""},
		{"none", said{"route4": ""}, nil, Fail, "ip -4 route"},
		{"refusing", said{"route4": "unreachable default metric 4278198272\n"}, nil, Fail, "ip -4 route"},
		{"IPv6 only", said{"route4": "", "route6": six}, family(site.IPv6), Pass, "2001:db8::1"},
		{"IPv6 missing", nil, family(site.IPv6), Fail, "ip -6 route"},
		{"dual stack", said{"route6": six}, family(site.DualStack), Pass, "192.0.2.1"},
		{"dual stack, half", nil, family(site.DualStack), Fail, "ip -6 route"},
		{"no ip command", said{"route4": "!127"}, nil, Error, "not installed"},
	}
}())

func listeners(addresses ...string) said {
	out := rhel86()["listeners"]
	for _, a := range addresses {
		out += fmt.Sprintf("LISTEN 0 4096 %s *:* users:((\"my app\",pid=7,fd=3))\n", a)
	}
	return said{"listeners": out}
}

var _ = cases("CHK-17", func() []ruleCase {
	every := listeners("127.0.0.1:10248", "*:10257", "[::]:2381", "*:80")
	cases := []ruleCase{
		{"several programs", said{"listeners": rhel86()["listeners"] + "LISTEN 0 1 *:6443 *:* users:((\"a\",pid=1,fd=3),(\"b\",pid=2,fd=3))\n"}, nil, Fail, "*:6443 by a (pid 1)"},
		{"hostile program", said{"listeners": rhel86()["listeners"] + "LISTEN 0 1 *:6443 *:* users:((\"\x1b\",pid=1,fd=3))\n"}, nil, Fail, `by "\x1b" (pid 1)`},
		{"free", every, nil, Pass, "all free"},
		{"etcd", listeners("[::1]:2379"), nil, Fail, "[::1]:2379 by my app (pid 7)"},
		{"kubelet's first", listeners("*:10249"), onNode("w-1"), Fail, "10249"},
		{"kubelet's last", listeners("127.0.0.53%lo:10256"), onNode("w-1"), Fail, "10256"},
		{"a worker may run etcd and a registry", listeners("*:2379", "*:2380", "*:6443", "*:8080", "*:12443"), onNode("w-1"), Pass, ""},
		{"another control plane may use the installer's", listeners("*:8080", "*:12080", "*:12443", "*:16443"), onNode("cp-2"), Pass, ""},
		{"without the program", said{"listeners": rhel86()["listeners"] + "LISTEN 0 128 *:6443 *:*\n"}, nil, Fail, "*:6443"},
		{"nothing listens", said{"listeners": strings.SplitAfter(rhel86()["listeners"], "\n")[0]}, nil, Pass, ""},
		{"no header", said{"listeners": ""}, nil, Error, "listeners"},
		{"half a line", said{"listeners": rhel86()["listeners"] + "LISTEN 0\n"}, nil, Error, "LISTEN 0"},
		{"no port", listeners("*:http"), nil, Error, "*:http"},
		{"no ss", said{"listeners": "!127"}, nil, Error, "not installed"},
	}
	free := []string{}
	for _, p := range []int{2378, 2381, 6442, 6444, 8079, 8081, 12079, 12081, 12442, 12444, 16442, 16444, 10248, 10257} {
		free = append(free, fmt.Sprintf("*:%d", p))
	}
	for _, n := range []string{"cp-1", "cp-2", "w-1"} {
		cases = append(cases, ruleCase{n + " neighbours", listeners(free...), onNode(n), Pass, ""})
	}
	for _, p := range []int{2379, 2380, 6443, 8080, 12080, 12443, 16443, 10249, 10250, 10256} {
		cases = append(cases, ruleCase{fmt.Sprint(p), listeners(fmt.Sprintf("*:%d", p)), nil, Fail, fmt.Sprint(p)})
	}
	for _, p := range []int{2379, 2380, 6443, 10249, 10250, 10256} {
		cases = append(cases, ruleCase{fmt.Sprintf("cp-2 %d", p), listeners(fmt.Sprintf("*:%d", p)), onNode("cp-2"), Fail, fmt.Sprint(p)})
	}
	return cases
}())

var _ = cases("CHK-18", []ruleCase{
	{"free", listeners("*:179"), nil, Pass, ""},
	{"Kube-OVN", listeners("*:6641"), nil, Fail, "6641"},
	{"Kube-OVN's second", listeners("*:6642"), nil, Fail, "6642"},
	{"Calico", listeners("*:179"), cni(site.Calico), Fail, "179"},
	{"Kube-OVN's neighbours", listeners("*:6640", "*:6643"), nil, Pass, ""},
	{"Calico's neighbours", listeners("*:178", "*:180"), cni(site.Calico), Pass, ""},
	{"Kube-OVN by 4.2", listeners("*:6641"), profile(acp42), Fail, "6641"},
	{"Kube-OVN's second by 4.2", listeners("*:6642"), profile(acp42), Fail, "6642"},
	{"Kube-OVN's neighbours by 4.2", listeners("*:6640", "*:6643"), profile(acp42), Pass, ""},
	{"Calico by 4.2", listeners("*:179"), all(profile(acp42), cni(site.Calico)), Fail, "179"},
	{"Calico's neighbours by 4.2", listeners("*:178", "*:180"), all(profile(acp42), cni(site.Calico)), Pass, ""},
	{"another plugin", listeners("*:179"), cni("none"), Skipped, "none"},
	{"unknown", said{"listeners": "!1"}, nil, Error, "listeners"},
})
