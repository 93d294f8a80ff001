package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/site"
)

var rulesOfSystems = []Rule{
	rowRule("OS-01", "RHEL 7.8"), rowRule("OS-02", "RHEL 8"), rowRule("OS-03", "RHEL 9", acp42, acp43, acp44),
	rowRule("OS-04", "CentOS 7"), rowRule("OS-05", "Ubuntu 20.04 LTS"), rowRule("OS-06", "Ubuntu 22.04 LTS"),
	rowRule("OS-07", "Kylin V10 SP3"), rowRule("OS-08", "Kylin V10 SP3 on ARM"),
	matchRule, calicoIPv6, hweKernel, kylinPacks, outsideTable, processorLevel,
}

// rowRule is one line of the table of systems.
func rowRule(id, name string, profiles ...string) Rule {
	return Rule{
		ID: id, Title: name + " runs its own kernel", Source: headSystems, Subject: OneNode, Category: Conditional,
		Condition: "the node runs " + name + " of the table", Profiles: profiles,
		Fix: "boot the kernel that came with the release, or ask the vendor's support and record a waiver",
		wants: func(e edition) string {
			var out []string
			for _, r := range e.systems {
				if r.rule == id {
					out = append(out, r.String()+", for example "+r.build)
				}
			}
			return strings.Join(out, "; ")
		},
		judge: func(s subject) verdict { return judgeRow(s, id) },
	}
}

func judgeRow(s subject, id string) verdict {
	n, err := s.system()
	switch {
	case err != nil:
		return unknown(err)
	case !n.known || n.row.rule != id:
		return skipped(fmt.Sprintf("the node runs %s %s on %s", clip(n.id), clip(n.version), clip(s.Machine)))
	case n.number() == n.row.kernel:
		return pass(n.seen)
	case n.id == "ubuntu" && n.line() != n.row.line():
		return skipped("the kernel is of another line: see OS-11")
	}
	return fail(n.seen)
}

var matchRule = Rule{
	ID: "OS-09", Title: "How systems and kernels are compared", Source: headSystems, Subject: OneNode, Category: Must,
	wants: func(e edition) string {
		if e.limits.plan.tiers == nil {
			return "the kernel's numbers A.B.C as in the table, what follows may differ; the upper bound 3.11 is exclusive"
		}
		return "the system's x.y and the kernel's x.y.z as in the table, what follows may differ; only the kernel that came with the system"
	},
	JudgedBy: "OS-01…OS-08 and OS-13 compare this way",
}

var calicoIPv6 = Rule{
	ID: "OS-10", Title: "The system supports Calico VXLAN with IPv6", Source: headSystems, Subject: OneNode, Category: Conditional,
	Condition: "the network plugin is Calico, with IPv6 or dual stack",
	Want:      "another system than RHEL 7.8 and CentOS",
	Fix:       "this system does not support Calico VXLAN with IPv6: choose kube-ovn or another system",
	judge: func(s subject) verdict {
		if n := s.cluster.Network; n.CNI != site.Calico || n.IPFamily != site.IPv6 && n.IPFamily != site.DualStack {
			return skipped(fmt.Sprintf("the network plugin is %s, with %s", n.CNI, n.IPFamily))
		}
		id, version, err := s.release()
		switch {
		case err != nil:
			return unknown(err)
		case id == "centos", id == "rhel" && version == "7.8":
			return fail(clip(id) + " " + clip(version) + ", with Calico and IPv6")
		}
		return pass(clip(id) + " " + clip(version))
	},
}

var hweKernel = Rule{
	ID: "OS-11", Title: "Ubuntu runs the kernel line of its release, not HWE", Source: headSystems, Subject: OneNode, Category: Conditional,
	Condition: "the node runs an Ubuntu of the table",
	wants: func(e edition) string {
		var out []string
		for _, r := range e.systems {
			if r.id == "ubuntu" {
				out = append(out, fmt.Sprintf("%s: kernel %s", r.name, r.line()))
			}
		}
		return strings.Join(out, "; ")
	},
	Fix: "boot the kernel line that came with the release (apt-get install linux-image-generic, then reboot into it): HWE kernels are not supported",
	judge: func(s subject) verdict {
		n, err := s.system()
		switch {
		case err != nil:
			return unknown(err)
		case n.id != "ubuntu" || !n.known:
			return skipped("the node runs " + clip(n.id) + " " + clip(n.version))
		case n.line() != n.row.line():
			return fail(n.seen)
		}
		return pass(n.seen)
	},
}

var kylinPacks = Rule{
	ID: "OS-12", Title: "Kylin V10 has service pack 3", Source: headSystems, Subject: OneNode, Category: Conditional,
	Condition: "the node runs Kylin V10",
	Want:      "Kylin V10 SP3: the kernels of V10, SP1 and SP2 break NodePorts",
	Fix:       "upgrade to Kylin V10 SP3",
	judge: func(s subject) verdict {
		id, version, err := s.release()
		switch {
		case err != nil:
			return unknown(err)
		case id != "kylin" || !strings.HasPrefix(version, "V10"):
			return skipped("the node runs " + clip(id) + " " + clip(version))
		case brokenKylin(id, version):
			return fail("Kylin " + clip(version))
		}
		return pass("Kylin " + clip(version))
	},
}

func brokenKylin(id, version string) bool {
	return id == "kylin" && slices.Contains([]string{"V10", "V10 SP1", "V10 SP2"}, version)
}

var outsideTable = Rule{
	ID: "OS-13", Title: "The system and its processor are in the document's table", Source: headSystems, Subject: OneNode, Category: Must,
	wants: func(e edition) string {
		var table []string
		for _, row := range e.systems {
			table = append(table, row.String())
		}
		return strings.Join(table, ", ")
	},
	Fix: "install a supported system with the kernel that came with it, or ask the vendor's support and record a waiver",
	judge: func(s subject) verdict {
		n, err := s.system()
		switch {
		case err != nil:
			return unknown(err)
		case n.known:
			return pass(n.row.name)
		case brokenKylin(n.id, n.version):
			return skipped("a service pack is missing: see OS-12")
		}
		return fail(n.seen)
	},
}

var processorLevel = Rule{
	ID: "OS-14", Title: "The processor has what the chosen system and components need", Source: headSystems, Subject: Person, Category: Must,
	Profiles: []string{acp44},
	Want:     "no level such as x86-64-v2 is demanded of every system: check the chosen one's own demands",
	JudgedBy: "a person; nodes of Immutable Infrastructure need no preprocessing",
}
