// Package sitestore reads site documents from the worker's folder of
// <name>.yaml files, a git checkout or a mounted ConfigMap.
package sitestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

var extensions = []string{".yaml", ".yml"}

// Load reads and validates the site of that name, its certificate and the
// references to its secrets included. The name must be a DNS label, so it can't
// leave the folder, and must equal the name inside the document. Every problem
// is in the one fault.BadInput error.
func Load(dir, name string) (site.Snapshot, error) {
	if !site.IsLabel(name) {
		return site.Snapshot{}, bad(dir, "name a site with lower-case letters, digits and -, for example moscow",
			fmt.Errorf("%.64q can be no site name", name))
	}
	path, data, err := read(dir, name)
	if err != nil {
		return site.Snapshot{}, err
	}
	s, problems := Check(path, data, time.Now())
	if err := problems.Err(); err != nil {
		return site.Snapshot{}, bad("", "correct the document; acpflow site validate "+path+" shows the same", err)
	}
	if s.Name != name {
		return site.Snapshot{}, bad(path, "rename the file or the site", fmt.Errorf("the document names itself %q", s.Name))
	}
	return site.NewSnapshot(s)
}

// read finds the document of a site.
func read(dir, name string) (path string, data []byte, err error) {
	for _, ext := range extensions {
		path = filepath.Join(dir, name+ext)
		data, err = os.ReadFile(path)
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil, unknown(dir, name)
	case err != nil:
		return "", nil, bad(path, "make the file readable for the worker", err)
	}
	return path, data, nil
}

// unknown names the sites that exist.
func unknown(dir, name string) error {
	names, err := List(dir)
	switch {
	case err != nil:
		return bad(dir, "point ACPFLOW_SITES_DIR of the worker at the folder of site documents", err)
	case len(names) == 0:
		return bad(dir, "put "+name+".yaml there; acpflow site init writes an example", fmt.Errorf("there is no site %q, and no other", name))
	}
	return bad(dir, "name one of: "+strings.Join(names, ", "), fmt.Errorf("there is no site %q", name))
}

// List returns the names of the sites in the folder, sorted.
func List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		name := strings.TrimSuffix(e.Name(), ext)
		if slices.Contains(extensions, ext) && site.IsLabel(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func bad(place, fix string, err error) error {
	return fault.New(fault.BadInput, "load site", place, fix, err)
}
