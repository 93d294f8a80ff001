package checks

import (
	"strings"
	"testing"
)

func swapIn(fact, from, to string) said {
	return said{fact: strings.Replace(rhel86()[fact], from, to, 1)}
}

func TestTools(t *testing.T) {
	runRule(t, "CHK-20", []ruleCase{
		{"all", nil, nil, Pass, ""},
		{"without scp", swapIn("tools", "scp found", "scp missing"), nil, Pass, ""},
		{"without sftp", swapIn("tools", "sftp found", "sftp missing"), nil, Pass, ""},
		{"without both", said{"tools": strings.NewReplacer("scp found", "scp missing", "sftp found", "sftp missing").Replace(rhel86()["tools"])}, nil, Fail, "scp or sftp"},
		{"without md5sum", swapIn("tools", "md5sum found", "md5sum missing"), nil, Fail, "md5sum"},
		{"one not told", swapIn("tools", "ss found\n", ""), nil, Error, "ss"},
		{"unknown", said{"tools": "!1"}, nil, Error, "tools"},
	})
}

func TestKubeletUnit(t *testing.T) {
	runRule(t, "CHK-22", []ruleCase{
		{"none", nil, nil, Pass, ""},
		{"a file", swapIn("kubelet-unit", "absent", "file"), nil, Fail, "kubelet.service exists"},
		{"not understood", swapIn("kubelet-unit", "absent", "gone"), nil, Error, "gone"},
		{"nothing told", said{"kubelet-unit": ""}, nil, Error, "kubelet-unit"},
		{"unknown", said{"kubelet-unit": "!1"}, nil, Error, "kubelet-unit"},
	})
}

func TestTmpExec(t *testing.T) {
	runRule(t, "CHK-23", []ruleCase{
		{"part of the root", nil, nil, Pass, "/ rw"},
		{"a mount", said{"tmp": "/tmp rw,nosuid,nodev\n"}, nil, Pass, ""},
		{"noexec", said{"tmp": "/tmp rw,nosuid,noexec\n"}, nil, Fail, "noexec"},
		{"another option of that kind", said{"tmp": "/tmp rw,noexecutive\n"}, nil, Pass, ""},
		{"mounted twice", said{"tmp": "/tmp rw\n/tmp rw,noexec\n"}, nil, Fail, "noexec"},
		{"nothing told", said{"tmp": ""}, nil, Error, "tmp"},
		{"unknown", said{"tmp": "!127"}, nil, Error, "tmp"},
	})
}

func TestLeftovers(t *testing.T) {
	runRule(t, "CHK-25", []ruleCase{
		{"none", nil, nil, Pass, "none"},
		{"full", swapIn("leftovers", "/var/lib/docker absent", "/var/lib/docker full"), nil, Fail, "/var/lib/docker"},
		{"empty", swapIn("leftovers", "/var/lib/docker absent", "/var/lib/docker empty"), nil, Fail, "/var/lib/docker"},
		{"a link", swapIn("leftovers", "/var/log/pods absent", "/var/log/pods file"), nil, Fail, "/var/log/pods"},
		{"an empty disk of its own", swapIn("leftovers", "/var/lib/containerd absent", "/var/lib/containerd empty mount"), nil, Pass, ""},
		{"a used disk of its own", swapIn("leftovers", "/var/lib/containerd absent", "/var/lib/containerd full mount"), nil, Fail, "/var/lib/containerd"},
		{"nerdctl by the seed", swapIn("leftovers", "/opt/nerdctl absent", "/opt/nerdctl full"), nil, Pass, ""},
		{"nerdctl by 4.2", swapIn("leftovers", "/opt/nerdctl absent", "/opt/nerdctl full"), profile("acp-4.2"), Fail, "/opt/nerdctl"},
		{"one not told", swapIn("leftovers", "/var/log/pods absent\n", ""), nil, Error, "/var/log/pods"},
		{"unknown", said{"leftovers": "!1"}, nil, Error, "leftovers"},
	})
}
