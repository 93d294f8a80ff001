package lab

import (
	"context"
	"os"
	"path/filepath"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab/corepackage"
)

// FilePackage is the stand-in Core Package in the lab's Dir.
const FilePackage = "acp-core.tar"

// corePackage is the package for site.yaml: the caller's, or a stand-in that
// is written anew, so that it is never older than its sources.
func corePackage(ctx context.Context, o Options) (site.Package, error) {
	if o.Package != nil {
		return *o.Package, nil
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return site.Package{}, err
	}
	built, err := corepackage.Build(ctx, corepackage.Options{Path: filepath.Join(o.Dir, FilePackage), Log: o.Log})
	if err != nil {
		return site.Package{}, err
	}
	return site.Package{Path: built.Path, Checksum: "sha256:" + built.SHA256, Architecture: string(built.Architecture)}, nil
}
