package activities

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/violet"
	"github.com/acpflow/acpflow/site"
)

// Packages uploads the vendor's packages with the vendor's tool on the worker.
type Packages struct {
	Tool violet.Tool
	// Arguments says that the operator of this worker accepts passwords among the
	// arguments of a process: violet takes them in no other way.
	Arguments bool
}

// PackagePush says which package goes where.
type PackagePush struct {
	Package       string   `json:"package"`                 // path on the worker
	Clusters      []string `json:"clusters,omitempty"`      // workload clusters that shall get it
	CatalogSource string   `json:"catalogSource,omitempty"` // target catalog source
	SkipCRs       bool     `json:"skipCRs,omitempty"`       // images only
	SkipPush      bool     `json:"skipPush,omitempty"`      // objects only
}

// PushInput names the side that gets the package and whether it is the primary
// for sure. A side that is not gets it at its own address and registry (DR-50).
type PushInput struct {
	Scope
	PackagePush
	Primary bool `json:"primary"`
}

// PushOf is the upload for a side, with its secrets unresolved.
func PushOf(in PushInput) (violet.Push, error) {
	c, err := in.cluster()
	if err != nil {
		return violet.Push{}, err
	}
	out := violet.Push{Package: in.Package, Clusters: in.Clusters, CatalogSource: in.CatalogSource, SkipCRs: in.SkipCRs, SkipPush: in.SkipPush,
		Platform: PlatformURL(&in.Site), User: in.Site.Platform.AdminUser}
	if in.Primary {
		return out, nil
	}
	if strings.Contains(c.Endpoint.VIP, ":") {
		return violet.Push{}, fault.New(fault.BadInput, "push to "+c.Name, c.Endpoint.VIP, "push it by hand, or reach the side over IPv4", fmt.Errorf("violet does not take an IPv6 address (DR-50)"))
	}
	out.Platform = PlatformURL(&site.Site{Platform: site.Platform{Address: c.Endpoint.VIP, HTTPSPort: in.Site.Platform.HTTPSPort}})
	if in.Site.Registry.External == "" {
		out.Registry, out.RegistryUser = c.Endpoint.VIP+":"+violet.RegistryPort, in.Site.Registry.Username
	}
	return out, nil
}

// VerifyPackage has violet check the package before anything is uploaded.
func (a *Packages) VerifyPackage(ctx context.Context, in PushInput) (Evidence, error) {
	info, err := os.Stat(in.Package)
	if err != nil {
		return Evidence{}, fault.New(fault.BadInput, "verify the package", in.Package, "put it where the worker runs", err)
	}
	said, err := a.Tool.Verify(ctx, in.Package)
	return Evidence{Summary: fmt.Sprintf("%s, %d bytes, verified by violet", info.Name(), info.Size()), Tail: tail(said)}, err
}

// PushPackage uploads the package. A second push of the same package is the same
// push, so it may be repeated.
func (a *Packages) PushPackage(ctx context.Context, in PushInput) (Evidence, error) {
	push, err := PushOf(in)
	if err != nil {
		return Evidence{}, err
	}
	if !a.Arguments {
		return Evidence{}, fault.New(fault.BadInput, "push the package", in.Package,
			"accept it for this worker with ACPFLOW_VIOLET_ARGUMENTS=true, or run this by hand: "+push.String(),
			fmt.Errorf("violet takes passwords only as arguments, which whoever sees the worker's processes can read while it runs"))
	}
	err = resolveAll(map[*secret.Value]site.Ref{&push.Password: in.Site.Platform.AdminPassword})
	if err == nil && push.Registry != "" {
		err = resolveAll(map[*secret.Value]site.Ref{&push.RegistryKey: in.Site.Registry.Password})
	}
	if err != nil {
		return Evidence{}, err
	}
	said, err := a.Tool.Push(ctx, push)
	return Evidence{Summary: "pushed to " + in.Cluster, Host: in.Cluster, Tail: tail(said),
		Facts: map[string]string{"command": push.String(), "platform": push.Platform, "registry": push.Registry}}, err
}
