package corepkg

import (
	"fmt"
	"strings"

	"github.com/acpflow/acpflow/internal/fault"
)

// Demand is what the site and its machines ask of the package.
type Demand struct {
	Checksum     string   // "sha256:<hex>" or "md5:<hex>"
	Architecture string   // amd64, arm64 or hybrid, by the site document
	Machines     []string // uname -m of the nodes
	Hybrid       bool     // both architectures are needed (PKG-10)
}

// machineNames maps uname -m to the package's words.
var machineNames = map[string]string{"x86_64": "amd64", "aarch64": "arm64"}

// Accept returns nil when the package meets the demand: checksum (PKG-04),
// contents, architecture (PKG-03). Errors: fault.Corrupt, fault.Architecture.
func (i Info) Accept(d Demand) error {
	const op = "verify the Core Package"
	kind, want, _ := strings.Cut(d.Checksum, ":")
	have := map[string]string{"sha256": i.SHA256, "md5": i.MD5}[kind]
	if have == "" || !strings.EqualFold(have, want) {
		return fault.New(fault.Corrupt, op, i.Path, "download the package again, or correct package.checksum of the site",
			fmt.Errorf("its %s is %s, the site document says %s", kind, have, want))
	}
	if len(i.Missing) > 0 {
		return fault.New(fault.Corrupt, op, i.Path, "is this the Core Package? correct package.path of the site",
			fmt.Errorf("it lacks %s", strings.Join(i.Missing, ", ")))
	}
	if err := i.fits(d); err != nil {
		return fault.New(fault.Architecture, op, i.Path, "use the package for the nodes' architecture, or the hybrid one", err)
	}
	return nil
}

// fits compares architectures. A hybrid package runs wherever a single one does,
// so a document that asks for less than there is gets it.
func (i Info) fits(d Demand) error {
	if i.Architecture == "" {
		return fmt.Errorf("no program or image inside tells its architecture; the site document says %s", d.Architecture)
	}
	if i.Architecture != d.Architecture && i.Architecture != Hybrid {
		return fmt.Errorf("it is built for %s, the site document says %s", i.Architecture, d.Architecture)
	}
	if d.Hybrid && i.Architecture != Hybrid {
		return fmt.Errorf("it is built for %s only, both architectures are needed", i.Architecture)
	}
	for _, m := range d.Machines {
		arch, ok := machineNames[m]
		if !ok {
			return fmt.Errorf("a node is a %q machine, which no package is built for", m)
		}
		if i.Architecture != Hybrid && i.Architecture != arch {
			return fmt.Errorf("it is built for %s, but a node is a %s machine (%s)", i.Architecture, m, arch)
		}
	}
	return nil
}
