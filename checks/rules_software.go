package checks

import (
	"fmt"
	"slices"
	"strings"
)

var rulesOfSoftware = []Rule{tools, lvm, kubeletUnit, tmpExec, conflictingPackages, leftovers}

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

var lvm = Rule{
	ID: "CHK-21", Title: "lvm2 is installed for local storage", Source: headSoftware, Subject: OneNode, Category: Conditional,
	Condition: "local storage (TopoLVM or Rook) is planned", Roles: []string{roleStorage},
	Want: "the package lvm2",
	Fix:  "yum install lvm2, or apt-get install lvm2; offline from the system's own media",
	judge: func(s subject) verdict {
		has, err := s.pairs("tools", "lvm")
		switch {
		case err != nil:
			return unknown(err)
		case has["lvm"] != "found":
			return fail("no command lvm")
		}
		return pass("installed")
	},
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
		mounts, err := s.words("mounts")
		if err != nil {
			return unknown(err)
		}
		var top []string
		for _, w := range mounts { // device, mount point, type, options
			if len(w) < 4 {
				return unknown(fmt.Errorf("mounts: not understood: %s", clip(strings.Join(w, " "))))
			}
			// Of mounts one over the other the last one counts.
			if w[1] == "/tmp" || w[1] == "/" && (top == nil || top[1] == "/") {
				top = w
			}
		}
		if top == nil {
			return unknown(fmt.Errorf("mounts: names neither /tmp nor /"))
		}
		if slices.Contains(strings.Split(top[3], ","), "noexec") {
			return fail(clip(top[1] + " " + top[3]))
		}
		return pass(clip(top[1] + " " + top[3]))
	},
}

var leftovers = Rule{
	ID: "CHK-25", Title: "Nothing is left of an earlier container runtime or kubelet", Source: headSoftware, Subject: OneNode, Category: Must,
	wants:    wantGone,
	Conflict: conflictContainerd,
	Fix:      "back up what is needed, then remove these paths (of a mount point only what is in it)",
	judge:    judgeLeftovers,
}

func wantGone(e edition) string {
	return "none of " + strings.Join(e.leftovers, ", ") + "; an empty mount point may stay"
}

// judgeLeftovers lets an empty mount point be: the disk plan of CAP-20 wants
// /var/lib/containerd on a disk of its own.
func judgeLeftovers(s subject) verdict {
	states, err := s.paths("leftovers")
	if err != nil {
		return unknown(err)
	}
	var found, mounts []string
	for _, path := range s.edition.leftovers {
		i := slices.IndexFunc(states, func(p pathState) bool { return p.path == path })
		switch {
		case i < 0:
			return unknown(fmt.Errorf("leftovers: says nothing about %s", path))
		case states[i].state == absent:
		case states[i].state == empty && states[i].mount:
			mounts = append(mounts, path)
		default:
			found = append(found, path)
		}
	}
	if len(found) > 0 {
		return fail(strings.Join(found, ", "))
	}
	if len(mounts) > 0 {
		return pass("none but the empty mount point " + strings.Join(mounts, ", ") + ", which CAP-20 wants and this rule forbids")
	}
	return pass("none")
}
