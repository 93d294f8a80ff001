package checks

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/acpflow/acpflow/site"
)

var rulesOfSystems = []Rule{operatingSystem}

var operatingSystem = Rule{
	ID: "OS", Title: "The system and its kernel are in the document's table", Source: headSystems, Subject: OneNode, Category: Must,
	Fix:   "install a supported system with the kernel that came with it, or ask the vendor's support and record a waiver",
	judge: judgeSystem,
}

func judgeSystem(s subject) verdict {
	v := judgeTable(s)
	var table []string
	for _, row := range s.edition.systems {
		table = append(table, fmt.Sprintf("%s (kernel %s, %s)", row.name, row.kernel, row.machine))
	}
	v.want = strings.Join(table, ", ")
	return v
}

func judgeTable(s subject) verdict {
	id, version, err := s.release()
	if err != nil {
		return unknown(err)
	}
	number, err := s.kernel()
	if err != nil {
		return unknown(err)
	}
	kernel := fmt.Sprintf("%d.%d.%d", number[0], number[1], number[2])
	seen := fmt.Sprintf("%s %s, kernel %s, %s", clip(id), clip(version), clip(strings.TrimSpace(s.values["kernel"].text)), clip(s.Machine))
	rows := slices.DeleteFunc(slices.Clone(s.edition.systems), func(r system) bool {
		return r.id != id || !slices.Contains(r.versions, version)
	})
	if len(rows) == 0 {
		if id == "kylin" {
			return fail(seen).withFix("upgrade to Kylin V10 SP3: the kernels of V10, SP1 and SP2 break NodePorts")
		}
		return fail(seen)
	}
	i := slices.IndexFunc(rows, func(r system) bool { return r.machine == s.Machine })
	switch {
	case i < 0:
		return fail(seen)
	case rows[i].kernel != kernel && id == "ubuntu":
		return fail(seen).withFix("boot the kernel line that came with the release (linux-image-generic): HWE kernels are not supported")
	case rows[i].kernel != kernel:
		return fail(seen)
	case s.Machine == arm64:
		return judgeProcessor(s, seen)
	}
	return judgeCalico(s, id, version, seen)
}

// judgeCalico knows the one pairing of system and network that does not work (OS-10).
func judgeCalico(s subject, id, version, seen string) verdict {
	old := id == "centos" || id == "rhel" && version == "7.8"
	n := s.cluster.Network
	if old && n.CNI == site.Calico && (n.IPFamily == site.IPv6 || n.IPFamily == site.DualStack) {
		return fail(seen + ", with Calico and IPv6").withFix("this system does not support Calico VXLAN with IPv6: choose kube-ovn or another system")
	}
	return pass(seen)
}

// judgeProcessor tells Kunpeng 920 by its implementer and part (ARM-02).
func judgeProcessor(s subject, seen string) verdict {
	cpu, err := s.text("cpu")
	if err != nil {
		return unknown(err)
	}
	implementer, part := "", ""
	for line := range strings.Lines(cpu) {
		name, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(name) {
		case "CPU implementer":
			implementer = strings.TrimSpace(value)
		case "CPU part":
			part = strings.TrimSpace(value)
		}
	}
	switch {
	case implementer == "" || part == "":
		return unknown(fmt.Errorf("cpu: names no implementer and part"))
	case implementer != "0x48" || part != "0xd01":
		return fail(fmt.Sprintf("%s, processor %s/%s", seen, clip(implementer), clip(part))).
			withFix("of the ARM processors only Kunpeng 920 is supported: ask the vendor's support and record a waiver")
	}
	return pass(seen)
}

var (
	kernelNumber  = regexp.MustCompile(`^(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?:\D|$)`)
	centosVersion = regexp.MustCompile(`release (\d+\.\d+)`)
	kylinPack     = regexp.MustCompile(`\b(SP\d+)\b|\((Tercel|Sword|Lance|Halberd)\)`)
)

// kylinNames are the code names of Kylin V10's service packs.
var kylinNames = map[string]string{"Tercel": "SP1", "Sword": "SP2", "Lance": "SP3", "Halberd": "SP3"}

// kernel returns A, B and C of the kernel's A.B.C.
func (f Facts) kernel() (number [3]int, err error) {
	release, err := f.line("kernel")
	if err != nil {
		return number, err
	}
	m := kernelNumber.FindStringSubmatch(release)
	if m == nil {
		return number, fmt.Errorf("kernel: not understood: %s", clip(release))
	}
	for i := range number {
		number[i], _ = strconv.Atoi(m[i+1]) // at most four digits
	}
	return number, nil
}

// release returns ID and version of the system, with the minor number that
// CentOS and the service pack that Kylin keep elsewhere.
func (f Facts) release() (id, version string, err error) {
	text, err := f.text("os-release")
	if err != nil {
		return "", "", err
	}
	set := settings(text)
	id, version = set["ID"], set["VERSION_ID"]
	if id == "" {
		return "", "", fmt.Errorf("os-release: names no ID")
	}
	switch id {
	case "centos":
		text, err := f.text("centos-release")
		if err != nil {
			return "", "", err
		}
		if m := centosVersion.FindStringSubmatch(text); m != nil {
			version = m[1]
		}
	case "kylin":
		text, _, err := f.file("kylin-release")
		if err != nil {
			return "", "", err
		}
		if m := kylinPack.FindStringSubmatch(text + " " + set["VERSION"]); m != nil {
			version += " " + m[1] + kylinNames[m[2]]
		}
	}
	return id, version, nil
}
