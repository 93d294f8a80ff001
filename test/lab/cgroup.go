package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// cgroupTop is where all labs keep their control groups. A node's processes
// are started inside its group, so the group is their identity: killing it
// kills the node and nothing else, whatever pid numbers were reused meanwhile.
const cgroupTop = "acp-lab"

// cgroupRoots returns the mount points of the cgroup2 hierarchy and, on a
// hybrid machine, of the version 1 hierarchy that systemd in a container
// manages. The first is always cgroup2.
func cgroupRoots() ([]string, error) {
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	var v2, named string
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		switch {
		case len(f) < 4:
		case f[2] == "cgroup2" && v2 == "":
			v2 = f[1]
		case f[2] == "cgroup" && slices.Contains(strings.Split(f[3], ","), "name=systemd"):
			named = f[1]
		}
	}
	if v2 == "" {
		return nil, errors.New("lab: no cgroup2 file system is mounted; mount one: mount -t cgroup2 none /sys/fs/cgroup")
	}
	if named == "" {
		return []string{v2}, nil
	}
	return []string{v2, named}, nil
}

// cgroupDirs are the directories of a group, one per hierarchy.
func cgroupDirs(parts ...string) ([]string, error) {
	roots, err := cgroupRoots()
	if err != nil {
		return nil, err
	}
	dirs := make([]string, len(roots))
	for i, root := range roots {
		dirs[i] = filepath.Join(append([]string{root, cgroupTop}, parts...)...)
	}
	return dirs, nil
}

// killCgroup ends every process of a group and removes the group. A group that
// does not exist is fine.
func killCgroup(parts ...string) error {
	dirs, err := cgroupDirs(parts...)
	if err != nil {
		return err
	}
	kill := filepath.Join(dirs[0], "cgroup.kill")
	if err := os.WriteFile(kill, []byte("1"), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("lab: kill the processes of %s: %w", dirs[0], err)
	}
	for _, dir := range dirs {
		if err := removeCgroup(dir, 10*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// removeCgroup removes a tree of groups as soon as its last process is gone.
func removeCgroup(top string, patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		var dirs []string
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, dir := range slices.Backward(dirs) {
			if e := os.Remove(dir); e != nil && !errors.Is(e, fs.ErrNotExist) {
				err = e
			}
		}
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("lab: processes in %s do not end: %w", top, err)
		}
	}
}
