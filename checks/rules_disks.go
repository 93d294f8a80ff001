package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/site"
)

var rulesOfDisks = []Rule{packageSpace}

var packageSpace = Rule{
	ID: "EXE-04", Title: "There is room for the unpacked package", Source: headExecute, Subject: OneNode, Category: Must, Roles: []string{roleInstaller},
	wants: func(e edition) string {
		return fmt.Sprintf("at least %d GB free where package.directory lies", e.limits.freeGB)
	},
	Fix: "free or add disk space, or set package.directory of the site document to where there is more",
	judge: func(s subject) verdict {
		dir := s.site.Package.Directory
		fs, err := s.spaceOf(dir)
		if err != nil {
			return unknown(err)
		}
		seen := fmt.Sprintf("%.1f GB for %s in %s", fs.free/gigabyte, clip(dir), clip(fs.mount))
		if fs.free < float64(s.edition.limits.freeGB)*gigabyte {
			return fail(seen)
		}
		return pass(seen)
	},
}

var partitions = Rule{
	ID: "CAP-20", Title: "The partitions of the platform are large enough", Source: headCapacity, Subject: OneNode, Category: Must,
	Profiles: later, Conflict: conflictContainerd,
	wants: func(e edition) string {
		var out []string
		for _, d := range e.limits.disks {
			at := d.path
			if d.role != "" {
				at += " of a " + string(d.role)
			}
			out = append(out, fmt.Sprintf("%s %d GB (advised %d)", at, d.least, d.advised))
		}
		return strings.Join(out, ", ") + fmt.Sprintf("; / used below %d %%; etcd on a fast disk of its own", e.limits.rootUsage)
	},
	Fix:   "give each of these directories a partition of its own, large enough, before the install",
	judge: judgePartitions,
}

// judgePartitions: what has no partition of its own needs its room in the one
// that it shares.
func judgePartitions(s subject) verdict {
	var bad, advice, mounts []string
	need, total := map[string]int{}, map[string]float64{}
	for _, d := range s.edition.limits.disks {
		if d.role != "" && d.role != s.node.Role {
			continue
		}
		fs, err := s.spaceOf(d.path)
		if err != nil {
			return unknown(err)
		}
		if !slices.Contains(mounts, fs.mount) {
			mounts = append(mounts, fs.mount)
		}
		need[fs.mount] += d.least
		total[fs.mount] = fs.total
		switch {
		case fs.mount != d.path:
			advice = append(advice, d.path+" has no partition of its own")
		case fs.total < float64(d.advised)*gigabyte && fs.total >= float64(d.least)*gigabyte:
			advice = append(advice, fmt.Sprintf("%s has %.1f GB of the %d advised", d.path, fs.total/gigabyte, d.advised))
		}
		if d.path == "/" && fs.usage() >= float64(s.edition.limits.rootUsage) {
			bad = append(bad, fmt.Sprintf("/ is %.0f %% used", fs.usage()))
		}
	}
	for _, m := range mounts {
		if total[m] < float64(need[m])*gigabyte {
			bad = append(bad, fmt.Sprintf("%s has %.1f GB of %d", clip(m), total[m]/gigabyte, need[m]))
		}
	}
	switch {
	case len(bad) > 0:
		return fail(several(bad))
	case s.node.Role == site.ControlPlane:
		return judgeEtcdSpeed(s, advice)
	case len(advice) > 0:
		return warn(several(advice))
	}
	return pass("large enough")
}

// judgeEtcdSpeed: writing at full speed to a live disk would hurt what runs.
func judgeEtcdSpeed(s subject, advice []string) verdict {
	d, err := s.deviceOf("/var/lib/etcd")
	if err != nil {
		return unknown(err)
	}
	if d.rotates {
		advice = append(advice, "etcd on a spinning disk: "+d.name)
	}
	return attest(several(append(advice, "the write speed of the etcd disk is not measured on a live system")))
}
