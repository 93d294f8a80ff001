package checks

import (
	"strings"

	"github.com/acpflow/acpflow/site"
)

// modules is the good node's list with one module in another state.
func modules(name, state string) said {
	var lines []string
	for line := range strings.Lines(rhel86()["modules"]) {
		if strings.HasPrefix(line, name+" ") {
			line = name + " " + state + "\n"
		}
		lines = append(lines, line)
	}
	return said{"modules": strings.Join(lines, "")}
}

var _ = cases("CHK-03", []ruleCase{
	{"loaded and built in", nil, nil, Pass, "all loaded"},
	{"one missing", modules("ip_vs_wrr", "absent"), nil, Fail, "not loaded: ip_vs_wrr"},
	{"state not understood", modules("ip_vs", "perhaps"), nil, Error, "perhaps"},
	{"not listed", said{"modules": "ip_vs loaded\n"}, nil, Error, "ip_vs_rr"},
	{"unknown", said{"modules": "!1"}, nil, Error, "modules"},
})

var _ = cases("CHK-04", func() []ruleCase {
	old := osOf("ubuntu", "18.04", "4.15.0-20-generic")
	return []ruleCase{
		{"RHEL 8", nil, nil, Skipped, "4.18.0"},
		{"4.18 elsewhere", osOf("debian", "10", "4.18.0-1-amd64"), nil, Fail, "nf_conntrack_ipv4"},
		{"4.19", osOf("debian", "10", "4.19.0-1-amd64"), nil, Skipped, "4.19.0"},
		{"10.0", osOf("debian", "99", "10.0.0-1-amd64"), nil, Skipped, "10.0.0"},
		{"missing", old, nil, Fail, "nf_conntrack_ipv4"},
		{"loaded", modules("nf_conntrack_ipv4", "loaded").with(old), nil, Pass, ""},
		{"IPv6 needs the other too", modules("nf_conntrack_ipv4", "loaded").with(old), family(site.DualStack), Fail, "not loaded: nf_conntrack_ipv6"},
		{"system unknown", said{"os-release": "!1"}, nil, Error, "os-release"},
		{"kernel unknown", said{"kernel": "!1"}, nil, Error, "kernel"},
	}
}())

var _ = cases("CHK-05", []ruleCase{
	{"loaded", nil, nil, Pass, ""},
	{"missing", modules("geneve", "absent"), nil, Fail, "geneve"},
	{"not for Calico", modules("geneve", "absent"), cni(site.Calico), Skipped, "calico"},
	{"unknown", said{"modules": "!1"}, nil, Error, "modules"},
})

var _ = cases("CHK-07", func() []ruleCase {
	header := "Filename\tType\tSize\tUsed\tPriority\n"
	return []ruleCase{
		{"off", nil, nil, Pass, "off"},
		{"no fstab", said{"fstab-swap": "!66"}, nil, Pass, "off"},
		{"on", said{"swaps": header + "/dev/dm-1 partition 4194300 0 -2\n"}, nil, Fail, "in use: /dev/dm-1"},
		{"on at the next boot", said{"fstab-swap": "/dev/mapper/rhel-swap none swap defaults 0 0\n"}, nil, Warn, "/dev/mapper/rhel-swap"},
		{"no table", said{"swaps": "\n"}, nil, Error, "swaps"},
		{"unknown", said{"swaps": "!1"}, nil, Error, "swaps"},
		{"fstab unknown", said{"fstab-swap": "!2"}, nil, Error, "fstab-swap"},
	}
}())
