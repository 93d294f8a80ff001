package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/gobuild"
	"github.com/acpflow/acpflow/test/lab/binaries"
)

// Up brings a lab up and returns when every machine answers. A lab of that
// name and plan that is up already is kept, with nodes that are off powered
// on; any other remains of the name are removed first.
func Up(ctx context.Context, o Options) (*Lab, error) {
	o = o.withDefaults()
	if !label.MatchString(o.Name) {
		return nil, fmt.Errorf("lab: name %q is not a DNS label of at most 11 characters", o.Name)
	}
	if o.Dir == "" {
		o.Dir = filepath.Join(stateRoot, o.Name, "files")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	o.Dir = dir
	if err := prepareHost(ctx, o.Log); err != nil {
		return nil, err
	}
	unlock, err := lockLab(ctx, o.Name, o.Log)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if l := reuse(o); l != nil {
		l.say("%s is up already in %s", o.Name, o.Dir)
		return l, each(ctx, l.Nodes(), func(ctx context.Context, n *Node) error { return n.boot(ctx) })
	}
	if err := remove(ctx, o.Name); err != nil {
		return nil, err
	}
	return create(ctx, o)
}

// reuse returns the lab that is up when it is the one wanted and complete.
func reuse(o Options) *Lab {
	s, err := loadState(o.Name)
	if err != nil || s.Phase != phaseReady || !interfaceExists(s.Bridge) {
		return nil
	}
	if s.CoreDNS == "" { // made by an older version
		return nil
	}
	if s.Dir != o.Dir || !reflect.DeepEqual(s.Plan, o.Clusters) || !slices.Equal(s.Workloads, o.Workloads) || !reflect.DeepEqual(s.Package, o.Package) {
		return nil
	}
	for _, f := range s.Files {
		if _, err := os.Stat(filepath.Join(s.Dir, f)); err != nil {
			return nil
		}
	}
	return &Lab{state: s, log: o.Log}
}

func create(ctx context.Context, o Options) (*Lab, error) {
	start := time.Now()
	parts, err := ingredients(ctx, o)
	if err != nil {
		return nil, err
	}
	s, err := reserve(ctx, o)
	if err != nil {
		return nil, err
	}
	l := &Lab{state: s, log: o.Log}
	l.state.Image, l.state.Binaries, l.state.CoreDNS = parts.image, parts.binaries, parts.coreDNS
	l.say("bringing up %s on %s: %d machines", o.Name, s.Subnet, len(s.Nodes))
	if err := l.furnish(ctx, o); err != nil {
		return nil, errors.Join(err, remove(context.WithoutCancel(ctx), o.Name))
	}
	l.state.Phase = phaseReady
	if err := l.state.save(); err != nil {
		return nil, err
	}
	l.say("%s is up after %s; its files are in %s", o.Name, time.Since(start).Round(100*time.Millisecond), o.Dir)
	return l, nil
}

// parts is what all labs share.
type parts struct {
	image    string // root file system of every node
	binaries string // directory of the Kubernetes programs
	coreDNS  string // program
}

// ingredients returns the shared parts, building those that are missing at the
// same time.
func ingredients(ctx context.Context, o Options) (parts, error) {
	var p parts
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		p.image, err = ensureImage(ctx, o.Log)
		return err
	})
	g.Go(func() (err error) {
		if p.binaries, err = binaries.Directory(ctx, binaries.Options{Log: o.Log}); err != nil {
			return err
		}
		p.coreDNS, err = gobuild.CoreDNS(ctx, o.Log)
		return err
	})
	return p, g.Wait()
}

// furnish makes everything the state names. The package takes as long as the
// machines, so both are made at once; the site document needs both.
func (l *Lab) furnish(ctx context.Context, o Options) error {
	keys, err := newKeyring(ctx, l.state.Nodes)
	if err != nil {
		return err
	}
	l.state.Files = slices.Clone(files)
	if o.Package == nil {
		l.state.Files = append(l.state.Files, FilePackage)
	}
	for _, name := range l.state.Workloads {
		l.state.Files = append(l.state.Files, WorkloadKubeconfig(name))
	}
	if err := l.state.save(); err != nil {
		return err
	}
	if err := l.writeFiles(keys); err != nil {
		return err
	}
	var pkg site.Package
	g, together := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		pkg, err = corePackage(together, o)
		return err
	})
	g.Go(func() error { return l.bootAll(together, keys) })
	if err := g.Wait(); err != nil {
		return err
	}
	if err := l.startWorkloads(ctx); err != nil {
		return err
	}
	return l.writeSite(pkg, o.Site)
}

func (l *Lab) bootAll(ctx context.Context, keys *keyring) error {
	if err := makeBridge(ctx, &l.state); err != nil {
		return err
	}
	err := each(ctx, l.Nodes(), func(ctx context.Context, n *Node) error {
		if err := n.seed(keys); err != nil {
			return err
		}
		return n.boot(ctx)
	})
	if err != nil {
		return err
	}
	return each(ctx, l.Nodes(), func(ctx context.Context, n *Node) error { return n.meet(ctx) })
}

// Down removes everything the lab of that name made, complete or not. A lab
// that does not exist is fine.
func Down(ctx context.Context, name string) error {
	if _, err := loadState(name); errors.Is(err, ErrNotUp) {
		return nil
	}
	unlock, err := lockLab(ctx, name, os.Stderr)
	if err != nil {
		return err
	}
	defer unlock()
	return remove(ctx, name)
}

// Down removes everything the lab made.
func (l *Lab) Down(ctx context.Context) error { return Down(ctx, l.state.Name) }

// remove undoes a lab from its state file, which goes last: killed at any
// point, it can be run again.
func remove(ctx context.Context, name string) error {
	s, err := loadState(name)
	if errors.Is(err, ErrNotUp) {
		return nil
	}
	if err != nil {
		return err
	}
	l := &Lab{state: s}
	if err := each(ctx, l.Nodes(), func(ctx context.Context, n *Node) error { return n.stop(ctx) }); err != nil {
		return err
	}
	if err := killCgroup(name); err != nil {
		return err
	}
	for _, bridge := range append(s.islands(), s.Bridge) {
		if err := removeBridge(ctx, bridge); err != nil {
			return err
		}
	}
	if err := s.removeFiles(); err != nil {
		return err
	}
	for _, part := range []string{"nodes", "files"} {
		if err := os.RemoveAll(filepath.Join(s.base(), part)); err != nil {
			return err
		}
	}
	return os.RemoveAll(s.base())
}
