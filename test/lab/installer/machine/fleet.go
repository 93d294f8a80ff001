package machine

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/acpflow/acpflow/test/lab/installer/config"
)

// Fleet is the logins to all machines of a configuration, in its order.
type Fleet []*Machine

// ConnectAll logs in to every machine at the same time and names every one
// that fails.
func ConnectAll(ctx context.Context, machines []config.Machine) (Fleet, error) {
	fleet := make(Fleet, len(machines))
	errs := make([]error, len(machines))
	var wg sync.WaitGroup
	for i, m := range machines {
		wg.Go(func() { fleet[i], errs[i] = Connect(ctx, m) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		fleet.Close()
		return nil, err
	}
	return fleet, nil
}

// Close ends all logins.
func (f Fleet) Close() {
	for _, m := range f {
		if m != nil {
			m.Close()
		}
	}
}

// Masters are the control planes.
func (f Fleet) Masters() Fleet {
	var out Fleet
	for _, m := range f {
		if m.Role == config.Master {
			out = append(out, m)
		}
	}
	return out
}

// Each runs do on all machines at the same time and joins the errors, each
// with its machine's address.
func (f Fleet) Each(do func(*Machine) error) error {
	errs := make([]error, len(f))
	var wg sync.WaitGroup
	for i, m := range f {
		wg.Go(func() {
			if err := do(m); err != nil {
				errs[i] = fmt.Errorf("%s: %w", m.IP, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// File is one file to put on a machine, owned by root.
type File struct {
	Path string // absolute
	Mode int64
	Data []byte
}

// Put writes files through one tar stream; parents are made as needed.
func (m *Machine) Put(ctx context.Context, files []File) error {
	var stream bytes.Buffer
	w := tar.NewWriter(&stream)
	for _, f := range files {
		header := &tar.Header{Name: f.Path[1:], Mode: f.Mode, Size: int64(len(f.Data)), Uname: "root", Gname: "root"}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		if _, err := w.Write(f.Data); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	_, err := m.Run(ctx, "tar -x -f - -C / --no-overwrite-dir --same-owner --same-permissions", &stream)
	return err
}
