package checks

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

var rulesOfPackage = []Rule{packageSource, extensionsLater, packageArchitecture, packageIntegrity}

// seesPackage returns what is known of the package, or the verdict when
// nothing is.
func (f fleet) seesPackage() (*PackageView, *verdict) {
	var v verdict
	switch {
	case f.pkg == nil && f.unprobed != "":
		v = skipped("not inspected: " + clip(f.unprobed))
	case f.pkg == nil:
		v = unknown(errors.New("the package was not inspected"))
	default:
		return f.pkg, nil
	}
	return nil, &v
}

var packageArchitecture = Rule{
	ID: "PKG-03", Title: "The package has images for every node's processor", Source: headPackage, Subject: AllNodes, Category: Must,
	Want:   "amd64 images for x86 nodes, arm64 images for ARM nodes, a hybrid package for both",
	Fix:    "download the package for these processors, or the hybrid one, and name it in the site document",
	across: judgeArchitecture,
}

func judgeArchitecture(f fleet) verdict {
	pkg, v := f.seesPackage()
	if v != nil {
		return *v
	}
	if len(pkg.Architectures) == 0 {
		return unknown(errors.New("the package does not tell its architectures"))
	}
	var foreign, nodes []string
	for _, n := range f.names {
		var arch string
		switch machine := f.shared[n].Machine; machine {
		case amd64:
			arch = "amd64"
		case arm64:
			arch = "arm64"
		case "":
			return unknown(fmt.Errorf("%s did not tell its processor", n))
		default:
			arch = clip(machine)
		}
		if !slices.Contains(pkg.Architectures, arch) {
			foreign, nodes = append(foreign, n+" is "+arch), append(nodes, n)
		}
	}
	has := clip(strings.Join(pkg.Architectures, ", "))
	if len(foreign) > 0 {
		return fail("the package has " + has + "; " + several(foreign)).withNodes(nodes...)
	}
	return pass(has)
}

var packageIntegrity = Rule{
	ID: "PKG-04", Title: "The package is whole", Source: headPackage, Subject: Package, Category: Must, Strict: true,
	Want: "the checksum of the site document, and an archive that can be read",
	Fix:  "download the package again and compare its checksum with the portal's",
	across: func(f fleet) verdict {
		pkg, v := f.seesPackage()
		if v != nil {
			return *v
		}
		sum, ofDocument := strings.CutPrefix(strings.ToLower(f.site.Package.Checksum), "sha256:")
		switch {
		case pkg.Error != "":
			return fail(clip(pkg.Error))
		case pkg.SHA256 == "":
			return unknown(errors.New("the package's checksum is not known"))
		case ofDocument && sum != strings.ToLower(pkg.SHA256):
			return fail("sha256 " + clip(pkg.SHA256))
		}
		return pass("sha256 " + clip(pkg.SHA256))
	},
}
