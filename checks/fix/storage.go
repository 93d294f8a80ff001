package fix

import (
	"slices"
	"strings"

	"github.com/acpflow/acpflow/checks"
)

// lying is what the survey saw at a path.
type lying struct {
	path, state  string
	mount, below bool
}

func (d *draft) lyingAt(path string) lying {
	for _, w := range d.Survey.rows("leftovers") {
		if len(w) > 1 && w[0] == path {
			return lying{path, w[1], slices.Contains(w, "mount"), slices.Contains(w, "below")}
		}
	}
	return lying{path: path}
}

// fixKubeletUnit moves the unit file of an earlier install aside (CHK-22).
func fixKubeletUnit(d *draft) {
	const path = "/etc/systemd/system/kubelet.service"
	if len(d.need("CHK-22")) == 0 || d.lyingAt(path).state == Absent {
		return
	}
	fix := Fix{ID: "kubelet-unit", Title: "Move the kubelet service of an earlier install aside", Rules: []string{"CHK-22"}}
	if u := d.Survey.unit("kubelet"); u.runs() || u.starts() {
		fix.Changes = append(fix.Changes, service("kubelet", u))
	}
	fix.Changes = append(fix.Changes, Change{Kind: Aside, Path: path, Then: "systemctl daemon-reload"})
	d.add(fix)
}

// fixTmp lets programs run from /tmp, now and after a boot (CHK-23).
func fixTmp(d *draft) {
	if len(d.need("CHK-23")) == 0 {
		return
	}
	rows := d.Survey.rows("tmp")
	if len(rows) == 0 || rows[len(rows)-1][0] != "/tmp" {
		d.leave("/tmp is no mount of its own: what it lies on is mounted noexec", "CHK-23")
		return
	}
	top := rows[len(rows)-1]
	if len(top) < 3 {
		d.leave("the mount of /tmp is not understood", "CHK-23")
		return
	}
	// With all options and the source named, mount does not mix in those of fstab.
	remount := func(options string) string {
		return "mount -o remount," + quote(options) + " -- " + quote(top[1]) + " /tmp"
	}
	options := top[len(top)-1]
	fix := Fix{ID: "tmp-exec", Title: "Let programs run from /tmp", Rules: []string{"CHK-23"}, Changes: []Change{{
		Kind: Command, Do: remount(executable(options)), Undo: remount(options),
		Seen: "! findmnt -n -o OPTIONS -M /tmp | tail -n 1 | tr , '\\n' | grep -qx noexec",
	}}}
	fix.Changes = append(fix.Changes, d.edit("/etc/fstab", func(old string) string {
		return eachLine(old, func(line string) string {
			if w := strings.Fields(line); len(w) > 3 && !strings.HasPrefix(w[0], "#") && w[1] == "/tmp" {
				return strings.Replace(line, w[3], executable(w[3]), 1)
			}
			return line
		})
	}, "CHK-23")...)
	edits := d.edit("/etc/systemd/system/tmp.mount", func(old string) string {
		return eachLine(old, func(line string) string {
			if options, ok := strings.CutPrefix(line, "Options="); ok {
				return "Options=" + executable(options)
			}
			return line
		})
	}, "CHK-23")
	for i := range edits {
		edits[i].Then = "systemctl daemon-reload"
	}
	fix.Changes = append(fix.Changes, edits...)
	d.add(fix)
}

// executable says exec where it said noexec, because other options imply the latter.
func executable(options string) string {
	words := strings.Split(options, ",")
	for i, w := range words {
		if w == "noexec" {
			words[i] = "exec"
		}
	}
	return strings.Join(words, ",")
}

// fixLeftovers moves aside what an earlier container runtime left (CHK-25).
func fixLeftovers(d *draft) {
	if len(d.need("CHK-25")) == 0 {
		return
	}
	if running := d.running(); len(running) > 0 {
		d.leave("moved aside only when nothing uses it, and "+strings.Join(running, ", ")+" runs", "CHK-25")
		return
	}
	paths, err := checks.Leftovers(d.judged())
	if err != nil {
		d.leave(err.Error(), "CHK-25")
		return
	}
	for _, path := range paths {
		at := d.lyingAt(path)
		switch {
		case at.state == Absent || at.state == "":
		case at.mount && at.state == "empty":
		case at.mount || at.below:
			d.leave(at.path+" is, or holds, a mount point: empty it by hand", "CHK-25")
		default:
			d.add(Fix{
				ID: "leftover" + strings.ReplaceAll(at.path, "/", "-"), Title: "Move " + at.path + " aside", Rules: []string{"CHK-25"},
				Changes: []Change{{Kind: Aside, Path: at.path}},
			})
		}
	}
}

// running names the programs of container runtimes and Kubernetes at work.
func (d *draft) running() []string {
	var out []string
	for _, w := range d.Survey.rows("processes") {
		if len(w) == 2 && !slices.Contains(out, w[1]) {
			out = append(out, w[1])
		}
	}
	return out
}

// fixBinaries moves programs of other container tools that no package owns aside (RM-00).
func fixBinaries(d *draft) {
	rules := d.need("RM-00")
	if len(rules) == 0 {
		return
	}
	if running := d.running(); len(running) > 0 {
		d.leave("moved aside only when nothing uses them, and "+strings.Join(running, ", ")+" runs", rules...)
		return
	}
	paths, err := checks.LooseBinaries(d.judged())
	if err != nil {
		d.leave(err.Error(), rules...)
		return
	}
	for _, path := range paths {
		d.add(Fix{ID: "binary" + strings.ReplaceAll(path, "/", "-"), Title: "Move " + path + " aside", Rules: rules,
			Changes: []Change{{Kind: Aside, Path: path}}})
	}
}
