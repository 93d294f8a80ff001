package lab

import (
	"context"
	"path/filepath"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab/corepackage"
)

// corePackage is the package for site.yaml: the caller's, or a stand-in that
// is written anew, so that it is never older than its sources.
func corePackage(ctx context.Context, o Options) (site.Package, error) {
	if o.Package != nil {
		return *o.Package, nil
	}
	built, err := corepackage.Build(ctx, corepackage.Options{Path: filepath.Join(o.Dir, FilePackage), Log: o.Log})
	if err != nil {
		return site.Package{}, err
	}
	return site.Package{Path: built.Path, Checksum: "sha256:" + built.SHA256, Architecture: string(built.Architecture)}, nil
}
