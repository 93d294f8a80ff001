package checks

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/acpflow/acpflow/site"
)

func osOf(id, version, kernel string) said {
	return said{"os-release": "ID=" + id + "\nVERSION_ID=\"" + version + "\"\n", "kernel": kernel + "\n"}
}

func centos(release, kernel string) said {
	return osOf("\"centos\"", "7", kernel).with(said{"centos-release": "CentOS Linux release " + release + " (Core)\n"})
}

func kylin(product, kernel string) said {
	return osOf("kylin", "V10", kernel).with(said{"kylin-release": product + "\n"})
}

func kunpeng(part string) said {
	return kylin("release V10 SP3 2303/(Lance)-aarch64", "4.19.90-52.22.v2207.ky10.aarch64").
		with(said{"machine": "aarch64\n", "cpu": "CPU implementer\t: 0x48\nCPU part\t: " + part + "\n"})
}

func calicoDual(in *Input) { cni(site.Calico)(in); family(site.DualStack)(in) }

func TestOperatingSystem(t *testing.T) {
	runRule(t, "OS", []ruleCase{
		{"RHEL 7.8", osOf("rhel", "7.8", "3.10.0-1127.el7.x86_64"), nil, Pass, "rhel 7.8"},
		{"RHEL 7.8 with Calico and IPv6", osOf("rhel", "7.8", "3.10.0-1127.el7.x86_64"), calicoDual, Fail, "with Calico and IPv6"},
		{"RHEL 7.9", osOf("rhel", "7.9", "3.10.0-1160.el7.x86_64"), nil, Fail, "rhel 7.9"},
		{"RHEL 8.6", nil, nil, Pass, "kernel 4.18.0-372.9.1.el8.x86_64"},
		{"RHEL 8.6 with Calico and IPv6", nil, calicoDual, Pass, ""},
		{"RHEL 8.4 by the seed", osOf("rhel", "8.4", "4.18.0-305.el8.x86_64"), nil, Pass, ""},
		{"RHEL 8.4 by 4.1", osOf("rhel", "8.4", "4.18.0-305.el8.x86_64"), profile("acp-4.1"), Fail, ""},
		{"RHEL 8.10 by the seed", osOf("rhel", "8.10", "4.18.0-553.el8_10.x86_64"), nil, Fail, ""},
		{"RHEL 8.10 by 4.2", osOf("rhel", "8.10", "4.18.0-553.el8_10.x86_64"), profile("acp-4.2"), Pass, ""},
		{"RHEL 9.6 by the seed", osOf("rhel", "9.6", "5.14.0-570.12.1.el9_6.x86_64"), nil, Fail, ""},
		{"RHEL 9.6 by 4.3", osOf("rhel", "9.6", "5.14.0-570.12.1.el9_6.x86_64"), profile("acp-4.3"), Pass, ""},
		{"RHEL 8.6 with another kernel", said{"kernel": "5.4.17-2136.el8uek.x86_64\n"}, nil, Fail, "5.4.17"},
		{"RHEL on ARM", said{"machine": "aarch64\n"}, nil, Fail, "aarch64"},
		{"CentOS 7.6", centos("7.6.1810", "3.10.0-957.el7.x86_64"), nil, Pass, "centos 7.6"},
		{"CentOS 7.9", centos("7.9.2009", "3.10.0-1160.el7.x86_64"), nil, Pass, "centos 7.9"},
		{"CentOS 7.9, kernel 3.11", centos("7.9.2009", "3.11.0-1.el7.x86_64"), nil, Fail, "3.11.0"},
		{"CentOS 7.5", centos("7.5.1804", "3.10.0-862.el7.x86_64"), nil, Fail, "centos 7.5"},
		{"CentOS 7.9 with Calico and IPv6", centos("7.9.2009", "3.10.0-1160.el7.x86_64"), calicoDual, Fail, "Calico"},
		{"CentOS without its release file", osOf("centos", "7", "3.10.0-1160.el7.x86_64"), nil, Error, "centos-release"},
		{"Ubuntu 20.04", osOf("ubuntu", "20.04", "5.4.0-190-generic"), nil, Pass, ""},
		{"Ubuntu 20.04 HWE", osOf("ubuntu", "20.04", "5.15.0-56-generic"), nil, Fail, ""},
		{"Ubuntu 22.04", osOf("ubuntu", "22.04", "5.15.0-56-generic"), nil, Pass, ""},
		{"Ubuntu 22.04 HWE", osOf("ubuntu", "22.04", "6.8.0-40-generic"), nil, Fail, "6.8.0"},
		{"Ubuntu 24.04", osOf("ubuntu", "24.04", "6.8.0-40-generic"), nil, Fail, "ubuntu 24.04"},
		{"Kylin SP3", kylin("release V10 SP3 2303/(Lance)-x86_64-Build23", "4.19.90-52.22.v2207.ky10.x86_64"), nil, Pass, "V10 SP3"},
		{"Kylin SP3 by its code name", kylin("Kylin Linux Advanced Server release V10 (Lance)", "4.19.90-52.22.v2207.ky10.x86_64"), nil, Pass, "V10 SP3"},
		{"Kylin SP2", kylin("Kylin Linux Advanced Server release V10 (Sword)", "4.19.90-24.4.v2101.ky10.x86_64"), nil, Fail, "V10 SP2"},
		{"Kylin SP1", kylin("release V10 (SP1) /(Tercel)-x86_64", "4.19.90-17.ky10.x86_64"), nil, Fail, "V10 SP1"},
		{"Kylin that names no pack", kylin("Kylin Linux Advanced Server release V10", "4.19.90-52.22.v2207.ky10.x86_64"), nil, Fail, ""},
		{"Kunpeng 920", kunpeng("0xd01"), nil, Pass, "aarch64"},
		{"another ARM", kunpeng("0xd0c"), nil, Fail, "0xd0c"},
		{"ARM that does not name itself", kunpeng("0xd01").with(said{"cpu": ""}), nil, Error, "cpu"},
		{"Debian", osOf("debian", "12", "6.1.0-18-amd64"), nil, Fail, "debian 12"},
		{"no os-release", said{"os-release": "!66"}, nil, Error, "os-release"},
		{"os-release without ID", said{"os-release": "NAME=x\n"}, nil, Error, "names no ID"},
		{"hostile ID", said{"os-release": "ID=\"rhel\x1b[2J\"\n"}, nil, Fail, `"rhel\x1b[2J"`},
		{"kernel without numbers", said{"kernel": "custom\n"}, nil, Error, "not understood: custom"},
		{"kernel unknown", said{"kernel": "!127"}, nil, Error, "kernel"},
	})
}

func TestOperatingSystemFixes(t *testing.T) {
	assert.Contains(t, judged(t, "OS", rhel86().with(osOf("ubuntu", "22.04", "6.8.0-40-generic"))).Fix, "HWE")
	assert.Contains(t, judged(t, "OS", rhel86().with(kylin("release V10 (Sword)", "4.19.90-24.4.v2101.ky10.x86_64"))).Fix, "SP3")
	assert.Contains(t, judged(t, "OS", rhel86().with(kunpeng("0xd0c"))).Fix, "Kunpeng 920")
	assert.Contains(t, judged(t, "OS", rhel86()).Want, "Ubuntu 22.04 LTS (kernel 5.15.0, x86_64)")
}
