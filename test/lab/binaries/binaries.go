// Package binaries provides the control plane the lab's nodes run: etcd,
// kube-apiserver, kube-controller-manager, kube-scheduler and kwok. It takes
// the ones the machine already has, else the cached build, and compiles the
// multi-call binary of test/lab/controlplane only when there is neither.
package binaries

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/test/gobuild"
)

// Components are the program names every directory of this package offers.
var Components = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"}

// multicall is the file the components link to when they were built here.
const multicall = "controlplane"

// Options of Directory. The zero value is ready to use.
type Options struct {
	Cache string    // default gobuild.CacheDir()
	Log   io.Writer // progress lines; nil discards them
}

// Directory returns a directory that holds every component as an executable
// of its own name and nothing that points outside it, so that it can be bound
// into a node. Callers must not write to it. Concurrent callers build once.
func Directory(ctx context.Context, o Options) (string, error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Cache == "" {
		dir, err := gobuild.CacheDir()
		if err != nil {
			return "", err
		}
		o.Cache = dir
	}
	if err := os.MkdirAll(o.Cache, 0o755); err != nil {
		return "", fault.New(fault.Internal, "create cache directory", o.Cache, "", err)
	}
	unlock, err := lock(filepath.Join(o.Cache, "controlplane.lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if found := existing(); found != nil {
		return adopt(found, o)
	}
	return build(ctx, o)
}

// existing returns the components found in $KUBEBUILDER_ASSETS or PATH, or
// nil unless all of them are there: parts of several releases are not mixed.
func existing() map[string]string {
	found := map[string]string{}
	for _, name := range Components {
		path := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), name)
		if os.Getenv("KUBEBUILDER_ASSETS") == "" || !executable(path) {
			var err error
			if path, err = exec.LookPath(name); err != nil {
				return nil
			}
		}
		found[name] = path
	}
	return found
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// adopt copies installed programs side by side into the cache; a node sees
// only the directory that is bound into it, so links would dangle there.
func adopt(found map[string]string, o Options) (string, error) {
	key, err := fingerprint(found)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(o.Cache, "controlplane-installed-"+key)
	if complete(dir) {
		return dir, nil
	}
	fmt.Fprintln(o.Log, "control plane: using the installed Kubernetes programs")
	return publish(dir, func(tmp string) error {
		for name, path := range found {
			if err := copyFile(path, filepath.Join(tmp, name)); err != nil {
				return err
			}
		}
		return nil
	})
}

// complete reports whether dir offers every component.
func complete(dir string) bool {
	for _, name := range Components {
		if !executable(filepath.Join(dir, name)) {
			return false
		}
	}
	return true
}

// publish fills a temporary sibling and renames it, so that dir is either
// absent or whole even when this process is killed.
func publish(dir string, fill func(tmp string) error) (string, error) {
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".controlplane-")
	if err != nil {
		return "", fault.New(fault.Internal, "create directory", filepath.Dir(dir), "", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	if err := fill(tmp); err != nil {
		return "", err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", fault.New(fault.Internal, "publish control plane", tmp, "", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", fault.New(fault.Internal, "replace an incomplete control plane", dir, "", err)
	}
	if err := os.Rename(tmp, dir); err != nil {
		return "", fault.New(fault.Internal, "publish control plane", dir, "", err)
	}
	return dir, nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return fault.New(fault.Internal, "copy program", from, "", err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return fault.New(fault.Internal, "copy program", to, "", err)
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return fault.New(fault.Internal, "copy program", to, "", err)
	}
	return out.Close()
}

// lock takes an exclusive lock that ends with the process.
func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fault.New(fault.Internal, "open lock", path, "", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fault.New(fault.Internal, "take lock", path, "", err)
	}
	return func() { f.Close() }, nil
}

// sourceDir is the folder of the control plane's module. It is found beside
// this file, so programs built with -trimpath cannot compile the control plane.
func sourceDir() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(filepath.Dir(file)), "controlplane")
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); !ok || err != nil {
		return "", fault.New(fault.Internal, "find control plane sources", dir,
			"run from a checkout of the repository, built without -trimpath", err)
	}
	return dir, nil
}
