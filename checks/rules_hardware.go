package checks

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/acpflow/acpflow/site"
)

var rulesOfHardware = []Rule{hardwareNote, masters, processor, memory, singleDisk}

// scenarioHA is the condition of the machine table.
const scenarioHA = "the scenario is not single-node"

var hardwareNote = Rule{
	ID: "HW-00", Title: "The machine table is the least for a highly available cluster", Source: headMachines, Subject: Person, Category: Must,
	Want:     "machines by the capacity plan, where one was made; they can grow after the install",
	JudgedBy: "HW-01…HW-04 and CAP-*",
}

var masters = Rule{
	ID: "HW-01", Title: "There are enough control planes for high availability", Source: headMachines, Subject: Document, Category: Must,
	wants: func(e edition) string {
		return fmt.Sprintf("at least %d control planes; 1 in the scenario single-node", e.limits.plan.masters)
	},
	Fix:      "add control planes to the site document, or choose the scenario single-node",
	Conflict: conflictFive,
	across: func(f fleet) verdict {
		n := 0
		for _, node := range f.cluster.Nodes {
			if node.Role == site.ControlPlane {
				n++
			}
		}
		want := f.edition.limits.plan.masters
		if f.site.Scenario == site.SingleNode {
			want = 1
		}
		seen := strconv.Itoa(n)
		switch {
		case n < want:
			return fail(seen)
		case n > f.edition.limits.plan.masters:
			return warn(seen + ": the capacity chapter allows that (CAP-08), the installer takes 1 or 3 (PAR-30)").
				withFix("install 3 control planes, add the others later")
		}
		return pass(seen)
	},
}

var processor = Rule{
	ID: "HW-02", Title: "The processor of a control plane is strong enough", Source: headMachines, Subject: OneNode, Category: Conditional,
	Condition: scenarioHA, Roles: roleControl, Profiles: []string{seed},
	wants: func(e edition) string {
		return fmt.Sprintf("at least %d cores of %.1f GHz, no overcommit, power saving off", e.limits.plan.control.Cores, float64(e.limits.machine.clock)/1000)
	},
	Fix:   "give the machine more or faster cores; cpupower frequency-set -g performance",
	judge: judgeCPU,
}

func judgeCPU(s subject) verdict {
	if s.site.Scenario == site.SingleNode {
		return skipped("the scenario is single-node: see CAP-01")
	}
	cores, err := s.cores()
	if err != nil {
		return unknown(err)
	}
	clock, err := s.megahertz()
	if err != nil {
		return unknown(err)
	}
	governors, err := s.governors()
	if err != nil {
		return unknown(err)
	}
	m := s.edition.limits.machine
	var bad []string
	if cores < s.edition.limits.plan.control.Cores {
		bad = append(bad, fmt.Sprintf("%d cores", cores))
	}
	if clock > 0 && clock*100 < float64(m.clock*(100-m.clockSlack)) {
		bad = append(bad, fmt.Sprintf("%.0f MHz", clock))
	}
	if slices.ContainsFunc(governors, func(g string) bool { return g != "performance" }) {
		bad = append(bad, "power saving: governor "+clip(strings.Join(governors, ", ")))
	}
	if len(bad) > 0 {
		return fail(strings.Join(bad, ", "))
	}
	seen := fmt.Sprintf("%d cores", cores)
	var open []string
	if clock == 0 {
		open = append(open, "its clock")
	} else {
		seen += fmt.Sprintf(" of %.0f MHz", clock)
	}
	if len(governors) == 0 {
		open = append(open, "power saving")
	}
	iron, kind := s.iron()
	if !iron {
		open = append(open, "overcommit")
	}
	if len(open) > 0 {
		return attest(seen + "; " + kind + " does not tell: " + strings.Join(open, ", "))
	}
	return pass(seen)
}

var memory = Rule{
	ID: "HW-03", Title: "A control plane has enough memory", Source: headMachines, Subject: OneNode, Category: Conditional,
	Condition: scenarioHA, Roles: roleControl, Profiles: []string{seed},
	wants: func(e edition) string {
		return fmt.Sprintf("at least %d GB, no overcommit; advised: DDR4 on at least %d channels", e.limits.plan.control.Memory, e.limits.machine.channels)
	},
	Fix: "give the machine more memory",
	judge: func(s subject) verdict {
		if s.site.Scenario == site.SingleNode {
			return skipped("the scenario is single-node: see CAP-01")
		}
		bytes, err := s.memory()
		if err != nil {
			return unknown(err)
		}
		seen := fmt.Sprintf("%.1f GB", bytes/gigabyte)
		if bytes < float64(s.edition.limits.plan.control.Memory)*gigabyte {
			return fail(seen)
		}
		if iron, kind := s.iron(); !iron {
			return attest(seen + "; " + kind + " does not tell: overcommit")
		}
		return pass(seen)
	},
}

var singleDisk = Rule{
	ID: "HW-04", Title: "A control plane keeps etcd on a fast SSD", Source: headMachines, Subject: OneNode, Category: Conditional,
	Condition: scenarioHA, Roles: roleControl, Profiles: []string{seed},
	wants: func(e edition) string {
		return fmt.Sprintf("an SSD with at least %d IOPS and %d MB/s", e.limits.machine.iops, e.limits.machine.throughput)
	},
	Fix:   "put /var/lib/etcd on an SSD, best an NVMe device of its own",
	judge: judgeEtcdDisk,
}

func judgeEtcdDisk(s subject) verdict {
	if s.site.Scenario == site.SingleNode {
		return skipped("the scenario is single-node")
	}
	d, err := s.deviceOf("/var/lib/etcd")
	if err != nil {
		return unknown(err)
	}
	iron, kind := s.iron()
	switch {
	case d.name == "":
		return attest("the device of /var/lib/etcd can't be told, nor its speed")
	case d.rotates && iron:
		return fail(d.name + " is a spinning disk")
	case d.rotates:
		return attest(d.name + " calls itself a spinning disk, in " + kind + ", and its speed is not measured on a live system")
	}
	return attest(d.name + " is no spinning disk; its speed is not measured on a live system")
}
