package checks

import (
	"slices"
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

func kylinOf(product, kernel string) said {
	return osOf("kylin", "V10", kernel).with(said{"kylin-release": product + "\n"})
}

func kunpeng(part string) said {
	return kylinOf("release V10 SP3 2303/(Lance)-aarch64", "4.19.90-52.22.v2207.ky10.aarch64").
		with(said{"machine": "aarch64\n", "cpu": "CPU implementer\t: 0x48\nCPU part\t: " + part + "\n"})
}

func calicoDual(in *Input) { cni(site.Calico)(in); family(site.DualStack)(in) }

func with(list ...said) said {
	out := said{}
	for _, s := range list {
		out.with(s)
	}
	return out
}

func ubuntuOf(version, kernel string) said { return osOf("ubuntu", version, kernel) }

var (
	rhel78node = osOf("rhel", "7.8", "3.10.0-1127.el7.x86_64")
	sp3        = "release V10 SP3 2303/(Lance)-x86_64-Build23"
	sp3kernel  = "4.19.90-52.22.v2207.ky10.x86_64"
)

var _ = cases("OS-01", []ruleCase{
	{"its kernel", rhel78node, nil, Pass, "rhel 7.8"},
	{"version in the release file", with(osOf("rhel", "7", "3.10.0-1127.el7.x86_64"), said{"redhat-release": "Red Hat Enterprise Linux Server release 7.8 (Maipo)\n"}), nil, Pass, "rhel 7.8"},
	{"another kernel", osOf("rhel", "7.8", "5.4.17-2136.el7uek.x86_64"), nil, Fail, "5.4.17"},
	{"7.9 is not in the table", osOf("rhel", "7.9", "3.10.0-1160.el7.x86_64"), nil, Skipped, "rhel 7.9"},
	{"no os-release", said{"os-release": "!66"}, nil, Error, "os-release"},
})

var _ = cases("OS-02", []ruleCase{
	{"8.6", nil, nil, Pass, "kernel 4.18.0-372.9.1.el8.x86_64"},
	{"8.0", osOf("rhel", "8.0", "4.18.0-80.el8.x86_64"), nil, Pass, ""},
	{"8.1", osOf("rhel", "8.1", "4.18.0-147.el8.x86_64"), nil, Pass, ""},
	{"8.2", osOf("rhel", "8.2", "4.18.0-193.el8.x86_64"), nil, Pass, ""},
	{"8.3", osOf("rhel", "8.3", "4.18.0-240.el8.x86_64"), nil, Pass, ""},
	{"8.4", osOf("rhel", "8.4", "4.18.0-305.el8.x86_64"), nil, Pass, ""},
	{"8.5", osOf("rhel", "8.5", "4.18.0-348.el8.x86_64"), nil, Pass, ""},
	{"8.4 by 4.1", osOf("rhel", "8.4", "4.18.0-305.el8.x86_64"), profile(acp41), Skipped, ""},
	{"8.0 by 4.1", osOf("rhel", "8.0", "4.18.0-80.el8.x86_64"), profile(acp41), Pass, ""},
	{"8.6 by 4.1", nil, profile(acp41), Pass, ""},
	{"8.0 by 4.2", osOf("rhel", "8.0", "4.18.0-80.el8.x86_64"), profile(acp42), Pass, ""},
	{"8.6 by 4.2", nil, profile(acp42), Pass, ""},
	{"8.10 by the seed", osOf("rhel", "8.10", "4.18.0-553.el8_10.x86_64"), nil, Skipped, ""},
	{"8.10 by 4.2", osOf("rhel", "8.10", "4.18.0-553.el8_10.x86_64"), profile(acp42), Pass, ""},
	{"another kernel", said{"kernel": "5.4.17-2136.el8uek.x86_64\n"}, nil, Fail, "5.4.17"},
	{"another kernel by 4.1", said{"kernel": "5.4.17-2136.el8uek.x86_64\n"}, profile(acp41), Fail, ""},
	{"another kernel by 4.2", said{"kernel": "5.4.17-2136.el8uek.x86_64\n"}, profile(acp42), Fail, ""},
	{"no minor anywhere", with(osOf("rhel", "8", "4.18.0-80.el8.x86_64"), said{"redhat-release": "!66"}), nil, Error, "redhat-release"},
	{"kernel unknown", said{"kernel": "!127"}, nil, Error, "kernel"},
	{"kernel without numbers", said{"kernel": "custom\n"}, nil, Error, "not understood: custom"},
})

var _ = cases("OS-03", []ruleCase{
	{"9.6 by 4.2", osOf("rhel", "9.6", "5.14.0-570.12.1.el9_6.x86_64"), profile(acp42), Pass, ""},
	{"another kernel", osOf("rhel", "9.6", "6.14.0-570.12.1.el9_6.x86_64"), profile(acp43), Fail, ""},
	{"another system", nil, profile(acp42), Skipped, "rhel 8.6"},
	{"unknown", said{"os-release": "!1"}, profile(acp42), Error, "os-release"},
})

func centosCases(p string) []ruleCase {
	return []ruleCase{
		{p + "7.6", centos("7.6.1810", "3.10.0-957.el7.x86_64"), profile(p), Pass, "centos 7.6"},
		{p + "7.7", centos("7.7.1908", "3.10.0-1062.el7.x86_64"), profile(p), Pass, "centos 7.7"},
		{p + "7.8", centos("7.8.2003", "3.10.0-1127.el7.x86_64"), profile(p), Pass, "centos 7.8"},
		{p + "7.9", centos("7.9.2009", "3.10.0-1160.el7.x86_64"), profile(p), Pass, "centos 7.9"},
		{p + "7.9, kernel 3.11", centos("7.9.2009", "3.11.0-1.el7.x86_64"), profile(p), Fail, "3.11.0"},
	}
}

var _ = cases("OS-04", slices.Concat(centosCases(seed), centosCases(acp41), centosCases(acp42), []ruleCase{
	{"7.5", centos("7.5.1804", "3.10.0-862.el7.x86_64"), nil, Skipped, "centos 7.5"},
	{"release file without a version", centos("", "3.10.0-862.el7.x86_64"), nil, Skipped, "centos 7"},
	{"without its release file", osOf("centos", "7", "3.10.0-1160.el7.x86_64"), nil, Error, "centos-release"},
}))

func ubuntuCases(id, version, good, hwe, other string) struct{} {
	var out []ruleCase
	for _, p := range []string{seed, acp41, acp42} {
		out = append(out,
			ruleCase{p, ubuntuOf(version, good), profile(p), Pass, version},
			ruleCase{p + " HWE is another rule's", ubuntuOf(version, hwe), profile(p), Skipped, "OS-11"},
			ruleCase{p + " another number", ubuntuOf(version, other), profile(p), Fail, other})
		cases("OS-11", []ruleCase{
			{p + version + " its line", ubuntuOf(version, good), profile(p), Pass, ""},
			{p + version + " HWE", ubuntuOf(version, hwe), profile(p), Fail, hwe},
		})
	}
	return cases(id, append(out,
		ruleCase{"on ARM", with(ubuntuOf(version, good), said{"machine": "aarch64\n"}), nil, Skipped, "aarch64"},
		ruleCase{"unknown", said{"os-release": "!1"}, nil, Error, "os-release"}))
}

var (
	_ = ubuntuCases("OS-05", "20.04", "5.4.0-190-generic", "5.15.0-56-generic", "5.4.7-custom")
	_ = ubuntuCases("OS-06", "22.04", "5.15.0-56-generic", "6.8.0-40-generic", "5.15.9-custom")
	_ = cases("OS-11", []ruleCase{
		{"not in the table", ubuntuOf("24.04", "6.8.0-40-generic"), nil, Skipped, "ubuntu 24.04"},
		{"no Ubuntu", nil, nil, Skipped, "rhel"},
		{"unknown", said{"os-release": "!1"}, nil, Error, "os-release"},
	})
)

func kylinCases(p string) struct{} {
	cases("OS-08", []ruleCase{
		{p, kunpeng("0xd01"), profile(p), Pass, "aarch64"},
		{p + " another kernel", with(kunpeng("0xd01"), said{"kernel": "5.10.0-1.aarch64\n"}), profile(p), Fail, "5.10.0"},
	})
	return cases("OS-07", []ruleCase{
		{p, kylinOf(sp3, sp3kernel), profile(p), Pass, "V10 SP3"},
		{p + " another kernel", kylinOf(sp3, "5.10.0-1.x86_64"), profile(p), Fail, "5.10.0"},
	})
}

var (
	_ = kylinCases(seed)
	_ = kylinCases(acp41)
	_ = kylinCases(acp42)
	_ = cases("OS-07", []ruleCase{
		{"by its code name", kylinOf("Kylin Linux Advanced Server release V10 (Lance)", sp3kernel), nil, Pass, "V10 SP3"},
		{"by the code name in os-release", said{"os-release": "ID=\"kylin\"\nVERSION=\"V10 (Halberd)\"\nVERSION_ID=\"V10\"\n", "kernel": sp3kernel + "\n"}, nil, Pass, "V10 SP3"},
		{"in capitals", said{"os-release": "ID=Kylin\nVERSION_ID=V10\n", "kylin-release": "Kylin release V10 (SP3) /(Lance)-x86_64-Build23/20230324\n", "kernel": sp3kernel + "\n"}, nil, Pass, "V10 SP3"},
		{"SP2", kylinOf("release V10 (Sword)", "4.19.90-24.4.v2101.ky10.x86_64"), nil, Skipped, "V10 SP2"},
		{"product unknown", kylinOf(sp3, sp3kernel).with(said{"kylin-release": "!1"}), nil, Error, "kylin-release"},
	})
	_ = cases("OS-08", []ruleCase{
		{"x86", kylinOf(sp3, sp3kernel), nil, Skipped, "x86_64"},
		{"unknown", with(kunpeng("0xd01"), said{"os-release": "!1"}), nil, Error, "os-release"},
	})
)

var _ = cases("OS-10", []ruleCase{
	{"RHEL 7.8", rhel78node, calicoDual, Fail, "with Calico and IPv6"},
	{"CentOS", centos("7.9.2009", "3.10.0-1160.el7.x86_64"), calicoDual, Fail, "Calico"},
	{"CentOS with IPv6 alone", centos("7.9.2009", "3.10.0-1160.el7.x86_64"), all(cni(site.Calico), family(site.IPv6)), Fail, "Calico"},
	{"RHEL 8.6", nil, calicoDual, Pass, "rhel 8.6"},
	{"IPv4", rhel78node, cni(site.Calico), Skipped, "ipv4"},
	{"Kube-OVN", rhel78node, family(site.DualStack), Skipped, "kube-ovn"},
	{"unknown", said{"os-release": "!1"}, calicoDual, Error, "os-release"},
})

var _ = cases("OS-12", []ruleCase{
	{"SP3", kylinOf(sp3, sp3kernel), nil, Pass, "SP3"},
	{"SP2", kylinOf("Kylin Linux Advanced Server release V10 (Sword)", "4.19.90-24.4.v2101.ky10.x86_64"), nil, Fail, "V10 SP2"},
	{"SP1", kylinOf("release V10 (SP1) /(Tercel)-x86_64", "4.19.90-17.ky10.x86_64"), nil, Fail, "V10 SP1"},
	{"no service pack named", kylinOf("Kylin Linux Advanced Server release V10", sp3kernel), nil, Fail, "V10"},
	{"a later Kylin", said{"os-release": "ID=kylin\nVERSION_ID=V11\n"}, nil, Skipped, "V11"},
	{"no Kylin", nil, nil, Skipped, "rhel"},
	{"unknown", said{"os-release": "!1"}, nil, Error, "os-release"},
})

var _ = cases("OS-13", []ruleCase{
	{"RHEL 8.6", nil, nil, Pass, "RHEL 8.0 to 8.6"},
	{"RHEL 7.9", osOf("rhel", "7.9", "3.10.0-1160.el7.x86_64"), nil, Fail, "rhel 7.9"},
	{"RHEL 8.4 by 4.1", osOf("rhel", "8.4", "4.18.0-305.el8.x86_64"), profile(acp41), Fail, "rhel 8.4"},
	{"RHEL 8.10 by the seed", osOf("rhel", "8.10", "4.18.0-553.el8_10.x86_64"), nil, Fail, ""},
	{"RHEL 9.6 by the seed", osOf("rhel", "9.6", "5.14.0-570.12.1.el9_6.x86_64"), nil, Fail, ""},
	{"RHEL on ARM", said{"machine": "aarch64\n"}, nil, Fail, "aarch64"},
	{"CentOS 7.5", centos("7.5.1804", "3.10.0-862.el7.x86_64"), nil, Fail, "centos 7.5"},
	{"the kernel is another rule's", said{"kernel": "5.4.17-2136.el8uek.x86_64\n"}, nil, Pass, ""},
	{"HWE is another rule's", ubuntuOf("22.04", "6.8.0-40-generic"), nil, Pass, ""},
	{"Ubuntu 24.04", ubuntuOf("24.04", "6.8.0-40-generic"), nil, Fail, "ubuntu 24.04"},
	{"Kylin SP2 is another rule's", kylinOf("release V10 (Sword)", "4.19.90-24.4.v2101.ky10.x86_64"), nil, Skipped, "OS-12"},
	{"a later Kylin", said{"os-release": "ID=kylin\nVERSION_ID=V11\n"}, nil, Fail, "V11"},
	{"Debian", osOf("debian", "12", "6.1.0-18-amd64"), nil, Fail, "debian 12"},
	{"os-release without ID", said{"os-release": "NAME=x\n"}, nil, Error, "names no ID"},
	{"hostile ID", said{"os-release": "ID=\"rhel\x1b[2J\"\n"}, nil, Fail, `"rhel\x1b[2j"`},
	{"kernel unknown", said{"kernel": "!127"}, nil, Error, "kernel"},
})

// One thing that is wrong with a system is one failure.
func TestOneFailurePerSystem(t *testing.T) {
	for want, s := range map[string]said{
		"OS-01":  osOf("rhel", "7.8", "5.4.17-2136.el7uek.x86_64"),
		"OS-05":  ubuntuOf("20.04", "5.4.7-custom"),
		"OS-11":  ubuntuOf("22.04", "6.8.0-40-generic"),
		"OS-12":  kylinOf("release V10 (Sword)", "4.19.90-24.4.v2101.ky10.x86_64"),
		"OS-13":  osOf("debian", "12", "6.1.0-18-amd64"),
		"ARM-02": kunpeng("0xd0c"),
	} {
		var got []string
		for _, f := range judgeNode(t, rhel86().with(s)) {
			if f.Blocking() {
				got = append(got, f.Rule)
			}
		}
		assert.Equal(t, []string{want}, got)
	}
}
