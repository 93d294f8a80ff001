package checks

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// device is a block device below a directory; no name when it can't be told.
type device struct {
	name    string
	rotates bool // it, or one below it
}

var lsblkField = regexp.MustCompile(`([A-Z]+)="([^"]*)"`)

// deviceOf finds the block device that holds a path, and whether any disk below
// it spins.
func (f Facts) deviceOf(path string) (device, error) {
	fs, err := f.spaceOf(path)
	if err != nil {
		return device{}, err
	}
	text, err := f.text("disks")
	if err != nil {
		return device{}, err
	}
	type row struct{ name, kernel, parent, rota, mount string }
	var rows []row
	for line := range strings.Lines(text) {
		set := map[string]string{}
		for _, m := range lsblkField.FindAllStringSubmatch(line, -1) {
			set[m[1]] = m[2]
		}
		if set["NAME"] == "" {
			return device{}, fmt.Errorf("disks: not understood: %s", clip(strings.TrimSpace(line)))
		}
		rows = append(rows, row{set["NAME"], set["KNAME"], set["PKNAME"], set["ROTA"], set["MOUNTPOINT"]})
	}
	var found device
	below := map[string]bool{} // kernel names of the device and what it lies on
	for _, r := range rows {
		if r.mount == fs.mount {
			found.name, below[r.kernel] = clip(r.name), true
		}
	}
	for range rows { // as deep as rows can lie on one another
		for _, r := range rows {
			if below[r.kernel] && r.parent != "" {
				below[r.parent] = true
			}
		}
	}
	for _, r := range rows {
		if below[r.kernel] && r.rota != "0" {
			found.rotates = true
		}
	}
	return found, nil
}

// space is a mounted file system, in bytes.
type space struct {
	mount             string
	total, used, free float64
}

// usage is what df calls capacity: used, of what is not kept for root.
func (s space) usage() float64 {
	if s.used+s.free == 0 {
		return 100
	}
	return s.used * 100 / (s.used + s.free)
}

// A line of df -P: device, total, used, free, capacity, mount point. Device and
// mount point may hold blanks.
var dfLine = regexp.MustCompile(`^.*?\s+(\d{1,20})\s+(\d{1,20})\s+(\d{1,20})\s+\d{1,3}%\s+(/.*)$`)

// spaceOf is the file system that holds a path, or will.
func (f Facts) spaceOf(path string) (space, error) {
	text, err := f.text("spaces")
	if err != nil {
		return space{}, err
	}
	var found space
	for line := range strings.Lines(text) {
		m := dfLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil || !within(path, m[4]) || len(m[4]) < len(found.mount) {
			continue // the header, what has no size, and what lies elsewhere
		}
		var n [3]float64
		for i := range n {
			n[i], _ = strconv.ParseFloat(m[i+1], 64) // digits only
		}
		found = space{m[4], n[0], n[1], n[2]} // of mounts one over the other the last one counts
	}
	if found.mount == "" {
		return space{}, fmt.Errorf("spaces: names no file system for %s", path)
	}
	return found, nil
}

// within reports whether a path lies in a directory or is it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
