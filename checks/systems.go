package checks

import (
	"fmt"
	"slices"
	"strings"
)

// system is one line of the document's table of systems. The kernel must have
// the number that came with the system; what follows it may differ (OS-09).
type system struct {
	rule     string // the line's id
	name     string // for a person
	id       string // ID of os-release
	versions []string
	kernel   string // A.B.C
	build    string // as the document writes it
	machine  string // uname -m
}

const (
	amd64 = "x86_64"
	arm64 = "aarch64"
)

// The table of each edition (OS-01…OS-08). The upper bound of CentOS, "3.11",
// is exclusive.
var (
	rhel78     = system{"OS-01", "RHEL 7.8", "rhel", []string{"7.8"}, "3.10.0", "3.10.0-1127.el7", amd64}
	centos7    = system{"OS-04", "CentOS 7.6 to 7.9", "centos", []string{"7.6", "7.7", "7.8", "7.9"}, "3.10.0", "3.10.0-1127 to 3.11", amd64}
	centos742  = system{"OS-04", "CentOS 7.6 to 7.9", "centos", []string{"7.6", "7.7", "7.8", "7.9"}, "3.10.0", "3.10.0-1127 and 3.10.0-1160", amd64}
	ubuntu20   = system{"OS-05", "Ubuntu 20.04 LTS", "ubuntu", []string{"20.04"}, "5.4.0", "5.4.0-124-generic", amd64}
	ubuntu2041 = system{"OS-05", "Ubuntu 20.04 LTS", "ubuntu", []string{"20.04"}, "5.4.0", "5.4.0-135-generic", amd64}
	ubuntu22   = system{"OS-06", "Ubuntu 22.04 LTS", "ubuntu", []string{"22.04"}, "5.15.0", "5.15.0-56-generic", amd64}
	kylinAMD   = system{"OS-07", "Kylin V10 SP3", "kylin", []string{"V10 SP3"}, "4.19.90", "4.19.90-52.22.v2207.ky10.x86_64", amd64}
	kylinARM   = system{"OS-08", "Kylin V10 SP3 on ARM", "kylin", []string{"V10 SP3"}, "4.19.90", "4.19.90-52.22.v2207.ky10.aarch64", arm64}

	rhel8range = system{
		"OS-02", "RHEL 8.0 to 8.6", "rhel", []string{"8.0", "8.1", "8.2", "8.3", "8.4", "8.5", "8.6"}, "4.18.0",
		"4.18.0-80.el8 to 4.18.0-372.9.1.el8", amd64,
	}
	rhel8two = system{
		"OS-02", "RHEL 8.0 and 8.6", "rhel", []string{"8.0", "8.6"}, "4.18.0", "4.18.0-80.el8 and 4.18.0-372.9.1.el8", amd64,
	}
	rhel8three = system{
		"OS-02", "RHEL 8.0, 8.6 and 8.10", "rhel", []string{"8.0", "8.6", "8.10"}, "4.18.0",
		"4.18.0-80.el8, 4.18.0-372.9.1.el8 and 4.18.0-553", amd64,
	}
	rhel96 = system{"OS-03", "RHEL 9.6", "rhel", []string{"9.6"}, "5.14.0", "5.14.0-570.12.1", amd64}

	systemsSeed = []system{rhel78, rhel8range, centos7, ubuntu20, ubuntu22, kylinAMD, kylinARM}
	systems41   = []system{rhel78, rhel8two, centos7, ubuntu2041, ubuntu22, kylinAMD, kylinARM}
	systems42   = []system{rhel78, rhel8three, rhel96, centos742, ubuntu2041, ubuntu22, kylinAMD, kylinARM}
)

// line is A.B of the row's kernel.
func (r system) line() string { return r.kernel[:strings.LastIndexByte(r.kernel, '.')] }

func (r system) String() string {
	return fmt.Sprintf("%s (kernel %s, %s)", r.name, r.kernel, r.machine)
}

// running is the system a node runs, as far as the table cares.
type running struct {
	id, version string
	kernel      [3]int
	seen        string // for a person
	row         system
	known       bool // row is the node's line of the table
}

func (n running) number() string {
	return fmt.Sprintf("%d.%d.%d", n.kernel[0], n.kernel[1], n.kernel[2])
}
func (n running) line() string { return fmt.Sprintf("%d.%d", n.kernel[0], n.kernel[1]) }

// system finds the node's line of the table by system, version and processor.
func (s subject) system() (running, error) {
	id, version, err := s.release()
	if err != nil {
		return running{}, err
	}
	kernel, err := s.kernel()
	if err != nil {
		return running{}, err
	}
	n := running{id: id, version: version, kernel: kernel}
	n.seen = fmt.Sprintf("%s %s, kernel %s, %s", clip(id), clip(version), clip(strings.TrimSpace(s.values["kernel"].text)), clip(s.Machine))
	i := slices.IndexFunc(s.edition.systems, func(r system) bool {
		return r.id == id && r.machine == s.Machine && slices.Contains(r.versions, version)
	})
	if i >= 0 {
		n.row, n.known = s.edition.systems[i], true
	}
	return n, nil
}
