package checks

import "slices"

// system is one line of the document's table of systems. The kernel must have
// the number that came with the system; what follows it may differ (OS-09).
type system struct {
	name     string // for a person
	id       string // ID of os-release
	versions []string
	kernel   string // A.B.C
	machine  string // uname -m
}

const (
	amd64 = "x86_64"
	arm64 = "aarch64"
)

// The table of each edition (OS-01…OS-08). The upper bound of CentOS, "3.11",
// is exclusive.
var (
	rhel78   = system{"RHEL 7.8", "rhel", []string{"7.8"}, "3.10.0", amd64}
	centos7  = system{"CentOS 7.6 to 7.9", "centos", []string{"7.6", "7.7", "7.8", "7.9"}, "3.10.0", amd64}
	ubuntu20 = system{"Ubuntu 20.04 LTS", "ubuntu", []string{"20.04"}, "5.4.0", amd64}
	ubuntu22 = system{"Ubuntu 22.04 LTS", "ubuntu", []string{"22.04"}, "5.15.0", amd64}
	kylinAMD = system{"Kylin V10 SP3", "kylin", []string{"V10 SP3"}, "4.19.90", amd64}
	kylinARM = system{"Kylin V10 SP3 on Kunpeng 920", "kylin", []string{"V10 SP3"}, "4.19.90", arm64}

	others = []system{rhel78, centos7, ubuntu20, ubuntu22, kylinAMD, kylinARM}

	systemsSeed = slices.Concat(others, []system{
		{"RHEL 8.0 to 8.6", "rhel", []string{"8.0", "8.1", "8.2", "8.3", "8.4", "8.5", "8.6"}, "4.18.0", amd64},
	})
	systems41 = slices.Concat(others, []system{
		{"RHEL 8.0 and 8.6", "rhel", []string{"8.0", "8.6"}, "4.18.0", amd64},
	})
	systems42 = slices.Concat(others, []system{
		{"RHEL 8.0, 8.6 and 8.10", "rhel", []string{"8.0", "8.6", "8.10"}, "4.18.0", amd64},
		{"RHEL 9.6", "rhel", []string{"9.6"}, "5.14.0", amd64},
	})
)
