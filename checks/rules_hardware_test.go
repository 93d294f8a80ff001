package checks

import (
	"fmt"

	"github.com/acpflow/acpflow/site"
)

// built is a machine of some size: processors, and memory in GB.
func built(cores int, gb float64) said {
	return said{"cpus": fmt.Sprintf("0-%d\n", cores-1), "memory": fmt.Sprintf("MemTotal:       %.0f kB\n", gb*1e9/1024)}
}

func clusters(n int) func(*Input) {
	return func(in *Input) { in.Site.Capacity.WorkloadClusters = n }
}

var (
	virtual = said{"virtualization": "kvm\n", "cpufreq": "", "cpu": "model name\t: QEMU Virtual CPU\ncpu MHz\t\t: 2494.140\n"}
	spins   = said{"disks": "NAME=\"sda\" KNAME=\"sda\" PKNAME=\"\" TYPE=\"disk\" ROTA=\"1\" SIZE=\"1\" MOUNTPOINT=\"\"\n" +
		"NAME=\"rhel-root\" KNAME=\"dm-0\" PKNAME=\"sda2\" TYPE=\"lvm\" ROTA=\"0\" SIZE=\"1\" MOUNTPOINT=\"/\"\n" +
		"NAME=\"sda2\" KNAME=\"sda2\" PKNAME=\"sda\" TYPE=\"part\" ROTA=\"0\" SIZE=\"1\" MOUNTPOINT=\"\"\n"}
)

// clocked is a processor that names its clock in one way only.
func clocked(model, khz, mhz string) said {
	return said{"cpu": "model name\t: " + model + "\ncpu MHz\t\t: " + mhz + "\n", "cpufreq": "performance " + khz + "\n"}
}

var _ = cases("HW-02", []ruleCase{
	{"strong", nil, nil, Pass, "32 cores of 2500 MHz"},
	{"just enough", built(8, 64), nil, Pass, "8 cores"},
	{"a core too few", built(7, 64), nil, Fail, "7 cores"},
	{"some are offline", said{"cpus": "0-3,8,10-11\n"}, nil, Fail, "7 cores"},
	{"one of many", said{"cpus": "0\n"}, nil, Fail, "1 cores"},
	{"slow by name", clocked("Intel(R) Xeon(R) CPU E5-2630 v3 @ 2.40GHz", "3200000", "3200.0"), nil, Fail, "2400 MHz"},
	{"as fast as it may run", clocked("AMD EPYC 7763", "2475000", "1500.0"), nil, Pass, "2475 MHz"},
	{"a little too slow", clocked("AMD EPYC 7763", "2474500", "3500.0"), nil, Fail, "MHz"},
	{"slow as it runs", with(virtual, said{"cpu": "cpu MHz\t\t: 2100.0\n"}), nil, Fail, "2100 MHz"},
	{"power saving", said{"cpufreq": "performance 2500000\npowersave 2500000\n"}, nil, Fail, "powersave"},
	{"weak and slow", with(built(4, 64), clocked("@ 2.0GHz", "1", "1")), nil, Fail, "4 cores, 2000 MHz"},
	{"virtual", virtual, nil, Warn, "a virtual machine (kvm) does not tell: power saving, overcommit"},
	{"perhaps virtual", said{"virtualization": "!127"}, nil, Warn, "perhaps a virtual machine does not tell: overcommit"},
	{"its clock is not told", said{"cpu": "", "cpufreq": "performance unknown\n"}, nil, Warn, "does not tell: its clock"},
	{"attested", virtual, waive(site.Waiver{Rule: "HW-02", Reason: "pinned", Author: "pat", Expires: "2026-03-10"}), Waived, "attested by pat until 2026-03-10: pinned"},
	{"attested too long ago", virtual, waive(site.Waiver{Rule: "HW-02", Reason: "pinned", Author: "pat", Expires: "2026-03-09"}), Warn, "the waiver of pat ended"},
	{"a single node", built(4, 64), scenario(site.SingleNode), Skipped, "CAP-01"},
	{"a worker", built(4, 64), onNode("w-1"), Skipped, "only for the role control-plane"},
	{"cores not understood", said{"cpus": "many\n"}, nil, Error, "cpus"},
	{"cores backwards", said{"cpus": "3-0\n"}, nil, Error, "cpus"},
	{"cores without end", said{"cpus": "0-99999999\n"}, nil, Error, "cpus"},
	{"cores unknown", said{"cpus": "!1"}, nil, Error, "cpus"},
	{"processor unknown", said{"cpu": "!1"}, nil, Error, "cpu"},
	{"governors unknown", said{"cpufreq": "!1"}, nil, Error, "cpufreq"},
})

var _ = cases("HW-03", []ruleCase{
	{"enough", built(8, 16.0), nil, Pass, "16.0 GB"},
	{"too little", built(8, 15.9), nil, Fail, "15.9 GB"},
	{"virtual", with(built(8, 16), said{"virtualization": "vmware\n"}), nil, Warn, "overcommit"},
	{"a single node", built(8, 1), scenario(site.SingleNode), Skipped, "CAP-01"},
	{"a worker", built(8, 1), onNode("w-1"), Skipped, "control-plane"},
	{"not told", said{"memory": "MemFree: 5 kB\n"}, nil, Error, "names no MemTotal"},
	{"unknown", said{"memory": "!1"}, nil, Error, "memory"},
})

var _ = cases("HW-04", []ruleCase{
	{"no spinning disk", nil, nil, Warn, "rhel-root is no spinning disk; its speed is not measured"},
	{"a spinning disk below", spins, nil, Fail, "rhel-root is a spinning disk"},
	{"a virtual spinning disk", with(spins, virtual), nil, Warn, "calls itself a spinning disk, in a virtual machine (kvm)"},
	{"no such device", said{"disks": "NAME=\"sda\" KNAME=\"sda\" ROTA=\"0\" MOUNTPOINT=\"/data\"\n"}, nil, Warn, "can't be told"},
	{"attested", nil, waive(site.Waiver{Rule: "HW-04", Reason: "measured with fio", Author: "pat", Expires: "2026-03-10"}), Waived, "attested"},
	{"a single node", spins, scenario(site.SingleNode), Skipped, "single-node"},
	{"a worker", spins, onNode("w-1"), Skipped, "control-plane"},
	{"not understood", said{"disks": "sda 8:0\n"}, nil, Error, "disks"},
	{"unknown", said{"disks": "!127"}, nil, Error, "disks"},
	{"no file system", said{"spaces": "!124"}, nil, Error, "spaces"},
})

func armNode(s said) said { return with(kunpeng("0xd01"), s) }

var (
	_ = cases("ARM-01", []ruleCase{
		{"as advised", armNode(built(16, 32)), nil, Pass, "16 cores"},
		{"less than advised", armNode(built(15, 32)), nil, Warn, "15 cores"},
		{"least", armNode(built(12, 24)), nil, Warn, "12 cores"},
		{"too few cores", armNode(built(11, 32)), nil, Fail, "11 cores"},
		{"too little memory", armNode(built(16, 23.9)), nil, Fail, "23.9 GB"},
		{"less memory than advised", armNode(built(16, 31.9)), nil, Warn, "31.9 GB"},
		{"too little memory by 4.1", armNode(built(16, 23.9)), profile(acp41), Fail, ""},
		{"less memory than advised by 4.1", armNode(built(16, 31.9)), profile(acp41), Warn, ""},
		{"by 4.1", armNode(built(16, 32)), profile(acp41), Pass, ""},
		{"too few by 4.1", armNode(built(11, 32)), profile(acp41), Fail, ""},
		{"less than advised by 4.1", armNode(built(15, 32)), profile(acp41), Warn, ""},
		{"least by 4.1", armNode(built(12, 24)), profile(acp41), Warn, ""},
		{"a larger tier", armNode(built(23, 64)), all(profile(acp41), clusters(11)), Fail, ""},
		{"a worker", armNode(built(17, 48)), onNode("w-1"), Fail, "17 cores"},
		{"a single node", armNode(built(23, 64)), scenario(site.SingleNode), Fail, "23 cores"},
		{"a worker without a number", armNode(built(1, 1)), all(onNode("w-1"), scenario(site.SingleCluster)), Skipped, "no size"},
		{"a worker of 4.1", armNode(built(1, 1)), all(onNode("w-1"), profile(acp41)), Skipped, "no size"},
		{"less than an x86 machine needs", armNode(built(7, 32)), nil, Skipped, "below the minimum"},
		{"x86", nil, nil, Skipped, "x86_64"},
		{"unknown", armNode(said{"cpus": "!1"}), nil, Error, "cpus"},
	})
	_ = cases("ARM-02", []ruleCase{
		{"Kunpeng 920", kunpeng("0xd01"), nil, Pass, "Kunpeng 920"},
		{"another", kunpeng("0xd0c"), nil, Fail, "0xd0c"},
		{"another maker", with(kunpeng("0xd01"), said{"cpu": "CPU implementer\t: 0x41\nCPU part\t: 0xd01\n"}), nil, Fail, "0x41"},
		{"x86", nil, nil, Skipped, "x86_64"},
		{"does not name itself", kunpeng("0xd01").with(said{"cpu": ""}), nil, Error, "cpu"},
		{"unknown", kunpeng("0xd01").with(said{"cpu": "!1"}), nil, Error, "cpu"},
	})
)

func oldARM(s said) said {
	return with(kunpeng("0xd01"), said{"kernel": "4.19.90-25.15.v2101.ky10.aarch64\n"}, s)
}

var _ = cases("ARM-03", func() []ruleCase {
	var out []ruleCase
	for kernel, want := range map[string]Outcome{
		"4.19.90-25.16.v2101": Pass, "4.19.90-25.16.v2102": Pass, "4.19.90-25.16.v2100": Fail, "4.19.90-25.15.v2207": Fail, "4.19.90-24.17": Fail,
		"4.19.89-99": Fail, "4.19.91-1": Pass, "4.18.99-99": Fail, "4.20.1-1": Pass, "3.99.1": Fail, "5.1.0": Pass, "4.19.90-26.1": Pass, "4.19.90-25.17": Pass,
	} {
		out = append(out, ruleCase{kernel, oldARM(said{"kernel": kernel + "\n", "offload": "eth0 on\n"}), profile(acp41), want, kernel})
	}
	return append(out,
		ruleCase{"off", oldARM(said{"offload": "eth0 off\neth1 off\n"}), profile(acp41), Pass, "off"},
		ruleCase{"half off", oldARM(said{"offload": "eth0 off\neth1 on\n"}), profile(acp42), Fail, "eth1"},
		ruleCase{"x86", nil, profile(acp41), Skipped, "x86_64"},
		ruleCase{"Calico", oldARM(said{"offload": "eth0 on\n"}), all(profile(acp41), cni(site.Calico)), Skipped, "calico"},
		ruleCase{"no device", oldARM(said{"offload": ""}), profile(acp41), Error, "names no device"},
		ruleCase{"no ethtool", oldARM(said{"offload": "!127"}), profile(acp41), Error, "offload"},
		ruleCase{"kernel unknown", oldARM(said{"kernel": "!1"}), profile(acp41), Error, "kernel"})
}())
