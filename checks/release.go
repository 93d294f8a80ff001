package checks

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var (
	kernelNumber  = regexp.MustCompile(`^(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?:\D|$)`)
	redhatVersion = regexp.MustCompile(`release (\d+\.\d+)`)
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
	id, version = strings.ToLower(set["ID"]), set["VERSION_ID"]
	switch id {
	case "":
		return "", "", fmt.Errorf("os-release: names no ID")
	case "centos":
		version, err = f.minor(version, "centos-release")
	case "rhel":
		if !strings.Contains(version, ".") {
			version, err = f.minor(version, "redhat-release")
		}
	case "kylin":
		var product string
		if product, _, err = f.file("kylin-release"); err != nil {
			return "", "", err
		}
		if m := kylinPack.FindStringSubmatch(product + " " + set["VERSION"]); m != nil {
			version += " " + m[1] + kylinNames[m[2]]
		}
	}
	return id, version, err
}

// minor reads the version with its minor number from a release file.
func (f Facts) minor(version, name string) (string, error) {
	text, err := f.text(name)
	if m := redhatVersion.FindStringSubmatch(text); err == nil && m != nil {
		return m[1], nil
	}
	return version, err
}
