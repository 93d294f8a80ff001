package checks

import (
	"strings"
)

func swapIn(fact, from, to string) said {
	return said{fact: strings.Replace(rhel86()[fact], from, to, 1)}
}

var _ = cases("CHK-20", []ruleCase{
	{"all", nil, nil, Pass, ""},
	{"without scp", swapIn("tools", "scp found", "scp missing"), nil, Pass, ""},
	{"without sftp", swapIn("tools", "sftp found", "sftp missing"), nil, Pass, ""},
	{"without both", said{"tools": strings.NewReplacer("scp found", "scp missing", "sftp found", "sftp missing").Replace(rhel86()["tools"])}, nil, Fail, "scp or sftp"},
	{"without md5sum", swapIn("tools", "md5sum found", "md5sum missing"), nil, Fail, "md5sum"},
	{"one not told", swapIn("tools", "ss found\n", ""), nil, Error, "ss"},
	{"unknown", said{"tools": "!1"}, nil, Error, "tools"},
})

var _ = cases("CHK-22", []ruleCase{
	{"none", nil, nil, Pass, ""},
	{"a file", swapIn("kubelet-unit", "absent", "file"), nil, Fail, "kubelet.service exists"},
	{"not understood", swapIn("kubelet-unit", "absent", "gone"), nil, Error, "gone"},
	{"nothing told", said{"kubelet-unit": ""}, nil, Error, "kubelet-unit"},
	{"unknown", said{"kubelet-unit": "!1"}, nil, Error, "kubelet-unit"},
})

func mounts(lines ...string) said {
	return said{"mounts": rhel86()["mounts"] + strings.Join(lines, "\n") + "\n"}
}

var _ = cases("CHK-23", []ruleCase{
	{"part of the root", nil, nil, Pass, "/ rw"},
	{"a mount", mounts("tmpfs /tmp tmpfs rw,nosuid,nodev 0 0"), nil, Pass, "/tmp rw"},
	{"noexec", mounts("tmpfs /tmp tmpfs rw,nosuid,noexec 0 0"), nil, Fail, "noexec"},
	{"noexec on the root", said{"mounts": "/dev/sda / ext4 ro,noexec 0 0\n"}, nil, Fail, "noexec"},
	{"noexec elsewhere", mounts("/dev/sdb /var ext4 rw,noexec 0 0"), nil, Pass, "/ rw"},
	{"another option of that kind", mounts("tmpfs /tmp tmpfs rw,noexecutive 0 0"), nil, Pass, ""},
	{"mounted twice", mounts("tmpfs /tmp tmpfs rw 0 0", "tmpfs /tmp tmpfs rw,noexec 0 0"), nil, Fail, "noexec"},
	{"a root over the root", said{"mounts": "rootfs / rootfs rw,noexec 0 0\n/dev/sda / ext4 rw 0 0\n"}, nil, Pass, ""},
	{"half a line", mounts("tmpfs /tmp"), nil, Error, "not understood"},
	{"nothing told", said{"mounts": ""}, nil, Error, "mounts"},
	{"unknown", said{"mounts": "!127"}, nil, Error, "mounts"},
})

func storage(in *Input) { in.Site.Clusters[0].LocalStorage = true }

var _ = cases("CHK-21", []ruleCase{
	{"installed", nil, storage, Pass, "installed"},
	{"missing", swapIn("tools", "lvm found", "lvm missing"), storage, Fail, "no command lvm"},
	{"no local storage", swapIn("tools", "lvm found", "lvm missing"), nil, Skipped, "storage"},
	{"unknown", said{"tools": "!1"}, storage, Error, "tools"},
})

var _ = cases("CHK-25", []ruleCase{
	{"none", nil, nil, Pass, "none"},
	{"full", swapIn("leftovers", "/var/lib/docker absent", "/var/lib/docker full"), nil, Fail, "/var/lib/docker"},
	{"empty", swapIn("leftovers", "/var/lib/docker absent", "/var/lib/docker empty"), nil, Fail, "/var/lib/docker"},
	{"a link", swapIn("leftovers", "/var/log/pods absent", "/var/log/pods file"), nil, Fail, "/var/log/pods"},
	{"an empty disk of its own", swapIn("leftovers", "/var/lib/containerd absent", "/var/lib/containerd empty mount"), nil, Pass, ""},
	{"a used disk of its own", swapIn("leftovers", "/var/lib/containerd absent", "/var/lib/containerd full mount"), nil, Fail, "/var/lib/containerd"},
	{"nerdctl by the seed", swapIn("leftovers", "/opt/nerdctl absent", "/opt/nerdctl full"), nil, Pass, ""},
	{"nerdctl by 4.2", swapIn("leftovers", "/opt/nerdctl absent", "/opt/nerdctl full"), profile("acp-4.2"), Fail, "/opt/nerdctl"},
	{"a disk of its own contradicts", swapIn("leftovers", "/var/lib/containerd absent", "/var/lib/containerd empty mount"), profile(acp41), Pass, "CAP-20 wants"},
	{"nerdctl's data by 4.2", swapIn("leftovers", "/var/lib/nerdctl absent", "/var/lib/nerdctl full"), profile(acp42), Fail, "/var/lib/nerdctl"},
	{"one not told", swapIn("leftovers", "/var/log/pods absent\n", ""), nil, Error, "/var/log/pods"},
	{"unknown", said{"leftovers": "!1"}, nil, Error, "leftovers"},
})

var _ = cases("CHK-25", func() []ruleCase {
	var out []ruleCase
	for _, p := range []string{seed, acp41, acp42} {
		for _, path := range leftoversDocker {
			out = append(out, ruleCase{p + path, swapIn("leftovers", path+" absent", path+" full"), profile(p), Fail, path})
		}
	}
	return out
}())
