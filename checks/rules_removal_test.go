package checks

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func rpms(names ...string) said {
	var b strings.Builder
	b.WriteString("rpm\n")
	for _, n := range names {
		b.WriteString("rpm " + n + " 1.0-1.el8\n")
	}
	return said{"packages": b.String()}
}

func debs(names ...string) said {
	var b strings.Builder
	b.WriteString("dpkg\n")
	for _, n := range names {
		b.WriteString("dpkg ii " + n + " 1.0-1\n")
	}
	return said{"packages": b.String()}
}

func onUbuntu(s said) said { return with(ubuntuOf("22.04", "5.15.0-56-generic"), s) }
func onKylin(s said) said  { return with(kylinOf(sp3, sp3kernel), s) }

// systemOf wraps facts into a system of the family.
var systemOf = map[string]func(said) said{
	familyRedhat: func(s said) said { return with(s) },
	familyUbuntu: onUbuntu,
	familyKylin:  onKylin,
}

func installed(family string, names ...string) said {
	if family == familyUbuntu {
		return systemOf[family](debs(names...))
	}
	return systemOf[family](rpms(names...))
}

var (
	_ = cases("CHK-24", func() []ruleCase {
		out := []ruleCase{
			{"none", nil, nil, Pass, "none"},
			{"harmless ones", rpms("kubernetes-docs", "docker-ce"), nil, Pass, "see RM-05"},
			{"two", rpms("podman", "runc"), nil, Fail, "podman 1.0-1.el8, runc 1.0-1.el8"},
			{"removed, settings left", onUbuntu(said{"packages": "dpkg\ndpkg rc containerd 1.0\n"}), nil, Pass, ""},
			{"half installed", onUbuntu(said{"packages": "dpkg iF containerd 1.0\ndpkg\n"}), nil, Fail, "containerd"},
			{"of another architecture", onUbuntu(said{"packages": "dpkg ii docker.io:i386 1.0\ndpkg\n"}), nil, Fail, "docker.io:i386"},
			{"Debian as Ubuntu", with(osOf("debian", "12", "6.1.0-1-amd64"), debs("rkt")), nil, Fail, "rkt"},
			{"a list of another family", onUbuntu(debs("apptainer")), nil, Pass, ""},
			{"snaps elsewhere", said{"snaps": "microk8s\n"}, nil, Pass, ""},
			{"hostile name", rpms("podman\x1b"), nil, Pass, ""},
			{"not understood", said{"packages": "brew podman\n"}, nil, Error, "brew podman"},
			{"the package manager breaks", said{"packages": "!1"}, nil, Error, "packages"},
			{"no package manager", said{"packages": ""}, nil, Error, "no package manager answered"},
			{"snaps unknown", said{"snaps": "!1"}, nil, Error, "snaps"},
			{"system unknown", said{"os-release": "!1"}, nil, Error, "os-release"},
		}
		for family, list := range packageLists {
			for _, name := range list.named {
				for _, p := range []string{seed, acp41, acp42} {
					out = append(out, ruleCase{p + family + name, installed(family, name), profile(p), Fail, name})
				}
			}
			for _, name := range list.snaps {
				for _, p := range []string{seed, acp41, acp42} {
					out = append(out, ruleCase{p + "snap " + name, onUbuntu(said{"snaps": name + "\ncore20\n"}), profile(p), Fail, name})
				}
			}
		}
		return out
	}())
	_ = cases("RM-05", func() []ruleCase {
		out := []ruleCase{
			{"none", nil, nil, Pass, "none"},
			{"listed ones are another rule's", rpms("docker", "podman"), nil, Pass, "none"},
			{"contains a listed name", rpms("python3-docker"), nil, Warn, "python3-docker 1.0-1.el8 (contains the listed name docker)"},
			{"both kinds", rpms("python3-docker", "docker-ce"), nil, Fail, "docker-ce 1.0-1.el8 (not in the document's list)"},
			{"unknown", said{"packages": "!1"}, nil, Error, "packages"},
		}
		for family, list := range packageLists {
			for _, name := range list.added {
				for _, p := range []string{seed, acp41, acp42} {
					if packageListed(list, name) {
						continue
					}
					out = append(out, ruleCase{p + family + name, installed(family, name), profile(p), Fail, name + " "})
				}
			}
		}
		return out
	}())
	_ = cases("RM-00", func() []ruleCase {
		out := []ruleCase{
			{"none", nil, nil, Pass, "none"},
			{"a like name", said{"binaries": "/usr/local/bin/ctrl\n/usr/local/bin/runcible\n"}, nil, Pass, ""},
			{"nerdctl by the seed", said{"binaries": "/usr/local/bin/nerdctl\n"}, nil, Pass, ""},
			{"nerdctl by 4.2", said{"binaries": "/usr/local/bin/nerdctl-full\n"}, profile(acp42), Fail, "nerdctl-full"},
			{"elsewhere", said{"binaries": "/opt/bin/kubelet\n"}, nil, Fail, "/opt/bin/kubelet"},
			{"unknown", said{"binaries": "!1"}, nil, Error, "binaries"},
		}
		for _, b := range binariesDocker {
			for _, p := range []string{seed, acp41, acp42} {
				name := strings.Replace(b, "*", "-x", 1)
				out = append(out, ruleCase{p + name, said{"binaries": "/usr/local/bin/" + name + "\n"}, profile(p), Fail, name})
			}
		}
		return out
	}())
)

func packageListed(list packages, name string) bool {
	p := packageFound{name: name}
	p.sort(list)
	return p.listed
}

func TestRemovalNamesExactly(t *testing.T) {
	f := judged(t, "CHK-24", rhel86().with(rpms("podman", "python3-docker", "runc", "docker-ce")))
	assert.Contains(t, f.Fix, "yum remove podman runc")
	assert.NotContains(t, f.Fix, "docker")
	f = judged(t, "CHK-24", rhel86().with(onUbuntu(with(debs("docker.io"), said{"snaps": "kubelet\n"}))))
	assert.Contains(t, f.Fix, "apt-get purge docker.io; snap remove --purge kubelet")
}

// What the rules look for is what the collector lets through.
func TestCollectorFindsEveryPackage(t *testing.T) {
	var in strings.Builder
	count := 0
	for _, list := range packageLists {
		for _, name := range append(append([]string{}, list.named...), list.added...) {
			in.WriteString("rpm " + name + " 1.0\n")
			count++
		}
	}
	in.WriteString("rpm bash 1.0\nrpm openssh-server 1.0\nrpm vim-docker-not 1.0\n")
	script := Collector()
	_, pattern, _ := strings.Cut(script, "like='")
	pattern, _, _ = strings.Cut(pattern, "'")
	cmd := exec.Command("grep", "-c", "-E", "^rpm"+pattern)
	cmd.Stdin = strings.NewReader(in.String())
	out, err := cmd.Output()
	require.NoError(t, err)
	assert.Equal(t, strconv.Itoa(count+1), strings.TrimSpace(string(out)))

	_, choice, _ := strings.Cut(script, "case ${f##*/} in\n")
	choice, _, _ = strings.Cut(choice, ")\n")
	for _, b := range binariesNerdctl {
		name := strings.Replace(b, "*", "-x", 1)
		out, err := exec.Command("bash", "-c", `case $1 in `+choice+`) echo found ;; esac`, "test", name).Output()
		require.NoError(t, err)
		assert.Equal(t, "found\n", string(out), name)
	}
}
