package checks

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/acpflow/acpflow/site"
)

var rulesOfARM = []Rule{armSize, kunpengOnly, armOffload}

const onARM = "the node is an ARM machine (aarch64)"

var armSize = Rule{
	ID: "ARM-01", Title: "An ARM machine is larger than the minimum for x86", Source: headMachines, Subject: OneNode, Category: Conditional,
	Condition: onARM,
	wants: func(e edition) string {
		return fmt.Sprintf("at least %d %% of the cores and memory that the plan wants of an x86 machine, advised are %d %%", e.limits.arm.least, e.limits.arm.advised)
	},
	Fix:   "give the machine more cores and memory",
	judge: judgeARMSize,
}

func judgeARMSize(s subject) verdict {
	if s.Machine != arm64 {
		return skipped("the node is " + clip(s.Machine))
	}
	least, ok := s.least()
	if !ok {
		return skipped("the document states no size for this node")
	}
	have, err := s.size()
	if err != nil {
		return unknown(err)
	}
	factor := s.edition.limits.arm
	v := pass(have.String())
	switch {
	case !have.reaches(least):
		return skipped("below the minimum for x86 already")
	case !have.reachesPercent(least, factor.least):
		v = fail(have.String())
	case !have.reachesPercent(least, factor.advised):
		v = warn(have.String())
	}
	v.want = fmt.Sprintf("%s; advised %s", least.percent(factor.least), least.percent(factor.advised))
	return v
}

var kunpengOnly = Rule{
	ID: "ARM-02", Title: "The ARM processor is a Kunpeng 920", Source: headMachines, Subject: OneNode, Category: Conditional,
	Condition: onARM, Want: "Kunpeng 920",
	Fix:   "of the ARM processors only Kunpeng 920 is supported: ask the vendor's support and record a waiver",
	judge: judgeProcessor,
}

// judgeProcessor tells Kunpeng 920 by its implementer and part.
func judgeProcessor(s subject) verdict {
	if s.Machine != arm64 {
		return skipped("the node is " + clip(s.Machine))
	}
	cpu, err := s.cpu()
	if err != nil {
		return unknown(err)
	}
	implementer, part := cpu["CPU implementer"], cpu["CPU part"]
	switch {
	case implementer == "" || part == "":
		return unknown(fmt.Errorf("cpu: names no implementer and part"))
	case implementer != "0x48" || part != "0xd01":
		return fail(fmt.Sprintf("processor %s/%s", clip(implementer), clip(part)))
	}
	return pass("Kunpeng 920")
}

var armOffload = Rule{
	ID: "ARM-03", Title: "Checksum offload does not break the overlay network", Source: headMachines, Subject: OneNode, Category: Conditional,
	Condition: onARM + " and the network plugin is Kube-OVN", Profiles: later,
	wants: func(e edition) string {
		return "kernel " + offloadKernel(e.limits.offload) + " or newer, or transmit checksum offload off"
	},
	Fix:   "ethtool -K NIC tx off, and the same in the network configuration",
	judge: judgeOffload,
}

func judgeOffload(s subject) verdict {
	switch {
	case s.Machine != arm64:
		return skipped("the node is " + clip(s.Machine))
	case s.cluster.Network.CNI != site.KubeOVN:
		return skipped(fmt.Sprintf("the network plugin is %s", s.cluster.Network.CNI))
	}
	release, err := s.line("kernel")
	if err != nil {
		return unknown(err)
	}
	if slices.Compare(buildNumber(release), s.edition.limits.offload) >= 0 {
		return pass("kernel " + clip(release))
	}
	devices, err := s.pairs("offload")
	if err != nil {
		return unknown(err)
	}
	var on []string
	for name, state := range devices {
		if state != "off" {
			on = append(on, clip(name))
		}
	}
	slices.Sort(on)
	switch {
	case len(devices) == 0:
		return unknown(fmt.Errorf("offload: names no device"))
	case len(on) > 0:
		return fail("on, with kernel " + clip(release) + ": " + several(on))
	}
	return pass("off")
}

var digits = regexp.MustCompile(`\d{1,9}`)

// buildNumber lists the numbers of a kernel release, for example 4, 19, 90, 52, 22, 2207.
func buildNumber(release string) []int {
	var out []int
	for _, d := range digits.FindAllString(release, -1) {
		n, _ := strconv.Atoi(d) // at most nine digits
		out = append(out, n)
	}
	return out
}

func offloadKernel(number []int) string {
	var out []string
	for _, n := range number {
		out = append(out, strconv.Itoa(n))
	}
	return strings.Join(out, ".")
}
