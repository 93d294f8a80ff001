package checks

import (
	"fmt"
	"slices"
	"strings"
)

var rulesOfSoftware = []Rule{tools, kubeletUnit, tmpExec, leftovers}

var tools = Rule{
	ID: "CHK-20", Title: "The tools of the installer are there", Source: headSoftware, Subject: OneNode, Category: Must,
	Want:  "ip, ss, tar, swapoff, modprobe, sysctl, md5sum, and scp or sftp",
	Fix:   "install the packages iproute, tar, util-linux, kmod, procps, coreutils and openssh-clients",
	judge: judgeTools,
}

func judgeTools(s subject) verdict {
	wanted := []string{"ip", "ss", "tar", "swapoff", "modprobe", "sysctl", "md5sum"}
	has, err := s.pairs("tools", append([]string{"scp", "sftp"}, wanted...)...)
	if err != nil {
		return unknown(err)
	}
	var missing []string
	for _, t := range wanted {
		if has[t] != "found" {
			missing = append(missing, t)
		}
	}
	if has["scp"] != "found" && has["sftp"] != "found" {
		missing = append(missing, "scp or sftp")
	}
	if len(missing) > 0 {
		return fail("missing: " + strings.Join(missing, ", "))
	}
	return pass("all found")
}

var kubeletUnit = Rule{
	ID: "CHK-22", Title: "There is no kubelet service of an earlier install", Source: headSoftware, Subject: OneNode, Category: Must,
	Want: "/etc/systemd/system/kubelet.service does not exist",
	Fix:  "systemctl disable --now kubelet, and move the file away: mv /etc/systemd/system/kubelet.service /root/",
	judge: func(s subject) verdict {
		found, err := s.paths("kubelet-unit")
		switch {
		case err != nil:
			return unknown(err)
		case found[0].state != absent:
			return fail(clip(found[0].path) + " exists")
		}
		return pass("none")
	},
}

var tmpExec = Rule{
	ID: "CHK-23", Title: "Programs may run from /tmp", Source: headSoftware, Subject: OneNode, Category: Must,
	Want: "the mount of /tmp without noexec",
	Fix:  "mount -o remount,exec /tmp, and take noexec out of its line in /etc/fstab",
	judge: func(s subject) verdict {
		mounts, err := s.words("tmp")
		if err != nil {
			return unknown(err)
		}
		// Of mounts one over the other the last one counts.
		if len(mounts) == 0 || len(mounts[len(mounts)-1]) != 2 {
			return unknown(fmt.Errorf("tmp: not understood"))
		}
		top := mounts[len(mounts)-1]
		if slices.Contains(strings.Split(top[1], ","), "noexec") {
			return fail(clip(top[0] + " " + top[1]))
		}
		return pass(clip(top[0] + " " + top[1]))
	},
}

var leftovers = Rule{
	ID: "CHK-25", Title: "Nothing is left of an earlier container runtime or kubelet", Source: headSoftware, Subject: OneNode, Category: Must,
	Fix:   "back up what is needed, then remove these paths (of a mount point only what is in it)",
	judge: judgeLeftovers,
}

func judgeLeftovers(s subject) verdict {
	v := judgeLeft(s)
	v.want = "none of " + strings.Join(s.edition.leftovers, ", ") + "; an empty mount point may stay"
	return v
}

// judgeLeft lets an empty mount point be: the disk plan of CAP-20 wants
// /var/lib/containerd on a disk of its own.
func judgeLeft(s subject) verdict {
	states, err := s.paths("leftovers")
	if err != nil {
		return unknown(err)
	}
	var found []string
	for _, path := range s.edition.leftovers {
		i := slices.IndexFunc(states, func(p pathState) bool { return p.path == path })
		switch {
		case i < 0:
			return unknown(fmt.Errorf("leftovers: says nothing about %s", path))
		case states[i].state == absent, states[i].state == empty && states[i].mount:
		default:
			found = append(found, path)
		}
	}
	if len(found) > 0 {
		return fail(strings.Join(found, ", "))
	}
	return pass("none")
}
