package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/acpflow/acpflow/site"
)

// stateRoot holds one directory per lab: its state file and its nodes' disks.
const stateRoot = "/var/lib/acpflow/labs"

// pool is the range reserved for tests of networks (RFC 2544); a lab takes one
// /24 of it.
var pool = netip.MustParsePrefix("198.18.0.0/15")

type phase string

const (
	phaseCreating phase = "creating"
	phaseReady    phase = "ready"
)

// state is everything a later process must know to use a lab or to remove it.
// It is on disk before the first thing it names exists.
type state struct {
	Name      string        `json:"name"`
	Phase     phase         `json:"phase"`
	Subnet    netip.Prefix  `json:"subnet"`
	Bridge    string        `json:"bridge"`
	Dir       string        `json:"dir"`
	Image     string        `json:"image,omitempty"`    // root file system shared by all nodes
	Binaries  string        `json:"binaries,omitempty"` // directory bound to /opt/acp-lab/bin
	CoreDNS   string        `json:"coreDNS,omitempty"`  // program bound to /opt/acp-lab/coredns
	Plan      []ClusterPlan `json:"plan"`
	Clusters  []Cluster     `json:"clusters"`
	Workloads []string      `json:"workloads,omitempty"`
	Nodes     []Node        `json:"nodes"`
	Files     []string      `json:"files,omitempty"`   // written into Dir, removed by Down
	Package   *site.Package `json:"package,omitempty"` // the caller's; nil when Up built one
}

func (s *state) base() string { return filepath.Join(stateRoot, s.Name) }

func statePath(name string) string { return filepath.Join(stateRoot, name, "state.json") }

// ErrNotUp is returned when no lab of that name was ever started.
var ErrNotUp = errors.New("lab is not up")

func loadState(name string) (state, error) {
	var s state
	if !label.MatchString(name) {
		return s, fmt.Errorf("lab: name %q is not a DNS label of at most 11 characters", name)
	}
	data, err := os.ReadFile(statePath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("lab %s: %w", name, ErrNotUp)
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("lab %s: %s: %w", name, statePath(name), err)
	}
	return s, nil
}

// List names the labs of this machine, also those that never came up
// completely.
func List() ([]string, error) {
	paths, err := filepath.Glob(statePath("*"))
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = filepath.Base(filepath.Dir(path))
	}
	return names, err
}

func (s *state) save() error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.base(), 0o700); err != nil {
		return err
	}
	return replaceFile(statePath(s.Name), append(data, '\n'), 0o600)
}

// replaceFile writes a file so that readers, and a later process after a kill,
// see the old or the new content and nothing between.
func replaceFile(path string, data []byte, mode fs.FileMode) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, data, mode); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// reserve picks a free subnet and records the lab, under the lock that all
// labs of the machine share.
func reserve(ctx context.Context, o Options) (state, error) {
	s := state{Name: o.Name, Phase: phaseCreating, Bridge: "acp-" + o.Name, Dir: o.Dir, Plan: o.Clusters, Workloads: o.Workloads, Package: o.Package}
	unlock, err := lock(ctx, filepath.Join(stateRoot, ".lock"), o.Log)
	if err != nil {
		return s, err
	}
	defer unlock()
	if _, err := net.InterfaceByName(s.Bridge); err == nil {
		return s, fmt.Errorf("lab %s: the interface %s exists and is not the lab's; choose another name", s.Name, s.Bridge)
	}
	if s.Subnet, err = freeSubnet(); err != nil {
		return s, err
	}
	if s.Nodes, s.Clusters, err = layout(s.Subnet, o.Clusters); err != nil {
		return s, err
	}
	if s.Nodes, err = addWorkloads(s.Nodes, func(last int) string { return octet(s.Subnet, last) }, o.Workloads); err != nil {
		return s, err
	}
	return s, s.save()
}

func freeSubnet() (netip.Prefix, error) {
	var used []netip.Prefix
	names, err := List()
	if err != nil {
		return netip.Prefix{}, err
	}
	for _, name := range names {
		s, err := loadState(name)
		if errors.Is(err, ErrNotUp) { // it went down just now
			continue
		}
		if err != nil {
			return netip.Prefix{}, err
		}
		used = append(used, s.Subnet)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Prefix{}, err
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			used = append(used, p)
		}
	}
	return firstFree(used)
}

func firstFree(used []netip.Prefix) (netip.Prefix, error) {
next:
	for i := range 512 {
		a := pool.Addr().As4()
		a[1] += byte(i >> 8)
		a[2] = byte(i)
		p := netip.PrefixFrom(netip.AddrFrom4(a), 24)
		for _, u := range used {
			if u.Overlaps(p) {
				continue next
			}
		}
		return p, nil
	}
	return netip.Prefix{}, fmt.Errorf("lab: no free /24 in %s; remove a lab (lab list, lab down --name N)", pool)
}

// lockLab makes the operations on one lab exclude each other, whoever runs them.
func lockLab(ctx context.Context, name string, log io.Writer) (func(), error) {
	return lock(ctx, filepath.Join(stateRoot, name+".lock"), log)
}

// lock takes an advisory lock that dies with the process.
func lock(ctx context.Context, path string, log io.Writer) (func(), error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for said := false; ; {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("lab: lock %s: %w", path, err)
		}
		if !said {
			fmt.Fprintf(log, "lab: waiting for another process that holds %s\n", path)
			said = true
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("lab: lock %s is held by another process: %w", path, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}
