package checks

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/site"
)

var rulesOfKernel = []Rule{transparentHugePages, kernelMemory, ipvsModules, conntrackModules, ovnModules, confinement, swap}

var ipvsModules = Rule{
	ID: "CHK-03", Title: "The ip_vs kernel modules are loaded", Source: headKernel, Subject: OneNode, Category: Must,
	Want: "ip_vs, ip_vs_rr, ip_vs_wrr and ip_vs_sh loaded or built in",
	Fix: "modprobe -a ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh, " +
		"and name them in /etc/modules-load.d/ipvs.conf for the next boot",
	judge: func(s subject) verdict { return judgeModules(s, "ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh") },
}

var conntrackModules = Rule{
	ID: "CHK-04", Title: "The conntrack kernel modules of old kernels are loaded", Source: headKernel, Subject: OneNode, Category: Conditional,
	Condition: "the kernel is older than 4.19, on RHEL than 4.18",
	Want:      "nf_conntrack_ipv4, and with IPv6 nf_conntrack_ipv6, loaded or built in",
	Fix:       "modprobe -a nf_conntrack_ipv4 nf_conntrack_ipv6, and name them in /etc/modules-load.d/conntrack.conf for the next boot",
	judge:     judgeConntrack,
}

// judgeConntrack: Linux 4.19, and the 4.18 of RHEL, have one nf_conntrack for both families.
func judgeConntrack(s subject) verdict {
	id, _, err := s.release()
	if err != nil {
		return unknown(err)
	}
	kernel, err := s.kernel()
	if err != nil {
		return unknown(err)
	}
	merged := [3]int{4, 19, 0}
	if id == "rhel" {
		merged = [3]int{4, 18, 0}
	}
	if slices.Compare(kernel[:], merged[:]) >= 0 {
		return skipped(fmt.Sprintf("kernel %d.%d.%d has one module for both families", kernel[0], kernel[1], kernel[2]))
	}
	wanted := []string{"nf_conntrack_ipv4"}
	if s.cluster.Network.IPFamily == site.IPv6 || s.cluster.Network.IPFamily == site.DualStack {
		wanted = append(wanted, "nf_conntrack_ipv6")
	}
	return judgeModules(s, wanted...)
}

var ovnModules = Rule{
	ID: "CHK-05", Title: "The kernel modules of Kube-OVN are loaded", Source: headKernel, Subject: OneNode, Category: Conditional,
	Condition: "the network plugin is Kube-OVN",
	Want:      "geneve and openvswitch loaded or built in",
	Fix:       "modprobe -a geneve openvswitch, and name them in /etc/modules-load.d/kube-ovn.conf for the next boot",
	judge: func(s subject) verdict {
		if s.cluster.Network.CNI != site.KubeOVN {
			return skipped(fmt.Sprintf("the network plugin is %s", s.cluster.Network.CNI))
		}
		return judgeModules(s, "geneve", "openvswitch")
	},
}

func judgeModules(s subject, wanted ...string) verdict {
	modules, err := s.pairs("modules", wanted...)
	if err != nil {
		return unknown(err)
	}
	var missing []string
	for _, m := range wanted {
		switch modules[m] {
		case "loaded", "builtin":
		case absent:
			missing = append(missing, m)
		default:
			return unknown(fmt.Errorf("modules: %s is %s", m, clip(modules[m])))
		}
	}
	if len(missing) > 0 {
		return fail("not loaded: " + strings.Join(missing, ", "))
	}
	return pass("all loaded")
}

var swap = Rule{
	ID: "CHK-07", Title: "Swap is off", Source: headKernel, Subject: OneNode, Category: Must,
	Want:  "no swap area in use or in /etc/fstab",
	Fix:   "swapoff -a, and comment out the swap lines of /etc/fstab",
	judge: judgeSwap,
}

func judgeSwap(s subject) verdict {
	table, err := s.words("swaps")
	if err != nil {
		return unknown(err)
	}
	if len(table) == 0 || table[0][0] != "Filename" {
		return unknown(errors.New("swaps: not understood"))
	}
	if len(table) > 1 {
		var areas []string
		for _, row := range table[1:] {
			areas = append(areas, clip(row[0]))
		}
		return fail("in use: " + several(areas))
	}
	fstab, _, err := s.file("fstab-swap")
	if err != nil {
		return unknown(err)
	}
	if lines := split(fstab); len(lines) > 0 {
		return warn("off, but on again at the next boot: " + clip(lines[0][0]) + " in /etc/fstab").
			withFix("comment out the swap lines of /etc/fstab")
	}
	return pass("off")
}
