// Package violet runs the vendor's upload tool. It knows what is published of the
// tool's flags and nothing else: everything that this interface assumes is here.
//
// violet takes its passwords as arguments only, so on the worker's machine
// whoever may look at its processes sees them while it runs.
package violet

import (
	"errors"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// RegistryPort is where a platform's own registry answers (LB-03).
const RegistryPort = "11443"

// Push is one upload of a package.
type Push struct {
	Package       string       // file or folder on the worker, absolute
	Platform      string       // https://… of the platform that shall know the package
	User          string       // of the platform
	Password      secret.Value // of User
	Clusters      []string     // workload clusters that shall get it; none = as the tool does
	CatalogSource string       // target catalog source; "" = as the tool does
	SkipCRs       bool         // images only
	SkipPush      bool         // objects only; not both
	Registry      string       // VIP:11443 of a standby; "" = the platform's own choice
	RegistryUser  string       // with Registry; "" = --no-auth
	RegistryKey   secret.Value // password of RegistryUser
}

// arguments are the flags in order. reveal decides what a secret reads.
func (p Push) arguments(reveal func(secret.Value) string) []string {
	args := []string{"push", p.Package, "--platform-address", p.Platform, "--platform-username", p.User, "--platform-password", reveal(p.Password)}
	if len(p.Clusters) > 0 {
		args = append(args, "--clusters", strings.Join(p.Clusters, ","))
	}
	if p.CatalogSource != "" {
		args = append(args, "--target-catalog-source", p.CatalogSource)
	}
	if p.SkipCRs {
		args = append(args, "--skip-crs")
	}
	if p.SkipPush {
		args = append(args, "--skip-push")
	}
	if p.Registry == "" {
		return args
	}
	args = append(args, "--dest-repo", p.Registry)
	if p.RegistryUser == "" {
		return append(args, "--no-auth")
	}
	return append(args, "--username", p.RegistryUser, "--password", reveal(p.RegistryKey))
}

// Check refuses what the tool can't do. Errors are fault.BadInput.
func (p Push) Check() error {
	var errs []error
	refuse := func(bad bool, text string) {
		if bad {
			errs = append(errs, errors.New(text))
		}
	}
	refuse(!filepath.IsAbs(p.Package), "the package must be named by its path from / on")
	refuse(!strings.HasPrefix(p.Platform, "https://"), "the platform's address must begin with https://")
	refuse(p.User == "" || p.Password.Empty(), "the platform's user and password are needed")
	refuse(p.SkipCRs && p.SkipPush, "without images and without objects there is nothing to push: --skip-crs and --skip-push exclude one another")
	refuse(strings.Contains(p.Platform+p.Registry, "["), "an IPv6 address as such is not supported (DR-50): use a name or an IPv4 address")
	if p.Registry != "" {
		addr, err := netip.ParseAddrPort(p.Registry)
		refuse(err != nil || !addr.Addr().Is4(), "the registry must be VIP:"+RegistryPort)
		refuse((p.RegistryUser == "") != p.RegistryKey.Empty(), "the registry's user and password go together")
	}
	if len(errs) == 0 {
		return nil
	}
	return fault.New(fault.BadInput, "build the violet command", p.Package, "", errors.Join(errs...))
}

// String is the command with its secrets masked.
func (p Push) String() string {
	words := append([]string{"violet"}, p.arguments(func(secret.Value) string { return secret.Mask })...)
	return strings.Join(words, " ")
}
