package activities

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/platform"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
)

// directDial is how long the worker's own network may take before the page is
// fetched from a node: an operator may have only the SSH port open.
const directDial = 3 * time.Second

// PlatformURL is where users find the platform (PAR-07, LB-01).
func PlatformURL(s *site.Site) string {
	host := s.Platform.Address
	if net.ParseIP(host) != nil && net.ParseIP(host).To4() == nil {
		host = "[" + host + "]"
	}
	if s.Platform.HTTPSPort != 443 && s.Platform.HTTPSPort != 0 {
		host += ":" + strconv.Itoa(s.Platform.HTTPSPort)
	}
	return "https://" + host
}

// CheckPlatform fetches the platform's page at the cluster's VIP, over a fresh
// connection, and demands the site's certificate (VER-04, PAR-11).
func (a *Cluster) CheckPlatform(ctx context.Context, in ClusterInput) (Evidence, error) {
	target := platform.Target{Address: in.Site.Platform.Address, Port: in.Site.Platform.HTTPSPort}
	if own := in.Site.Platform.Certificate; own != nil {
		chain, err := secret.Resolve(string(own.Certificate))
		if err != nil {
			return Evidence{}, err
		}
		target.Certificate = chain.Reveal()
	}
	facts := map[string]string{"url": PlatformURL(&in.Site)}
	evidence, err := a.settle(ctx, in, "platform page", func(ctx context.Context, _ *kube.Client, c *site.Cluster) (string, []checks.Finding, error) {
		target.Connect = c.Endpoint.VIP
		result, err := platform.Fetch(ctx, a.reach(c), target, time.Now())
		facts["certificate"], facts["connected"] = result.Fingerprint, result.Connected
		return fmt.Sprintf("%s answers %d %q with certificate %.16s", facts["url"], result.Status, result.Title, result.Fingerprint), result.Findings, err
	})
	evidence.Facts = facts
	return evidence, err
}

// reach dials from the worker, and through the installer node where that fails.
func (a *Cluster) reach(c *site.Cluster) platform.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		dialer := net.Dialer{Timeout: directDial}
		direct, err := dialer.DialContext(ctx, network, address)
		if err == nil {
			return direct, nil
		}
		conn, sshErr := a.Hosts.connect(ctx, NodeOf(c, c.InstallerNode()))
		if sshErr != nil {
			return nil, err
		}
		return conn.DialContext(ctx, network, address)
	}
}

// InstallProductDocs installs the Product Docs plugin and waits until it runs (VER-06).
func (a *Cluster) InstallProductDocs(ctx context.Context, in ClusterInput) (Evidence, error) {
	for end := time.Now().Add(in.Settle); ; {
		client, err := a.open(ctx, in.Scope)
		if err != nil {
			return Evidence{}, err
		}
		state, err := client.EnsurePlugin(ctx, kube.ProductDocs)
		client.Close()
		if err != nil && !fault.Is(err, fault.Conflict) { // while the platform renames the object there are two for a moment
			return Evidence{}, err
		}
		if err == nil && state.Running() {
			return Evidence{Summary: fmt.Sprintf("%s %s is installed", kube.ProductDocs, state.Version), Host: in.Cluster}, nil
		}
		if time.Now().After(end) {
			return Evidence{}, fault.New(fault.Stalled, "install "+kube.ProductDocs, "cluster "+in.Cluster, "look at its ModuleInfo and AppReleases, then retry",
				errors.Join(err, fmt.Errorf("phase %q %s", state.Phase, state.Message)))
		}
		report(ctx, Progress{Text: kube.ProductDocs + ": " + state.Phase})
		if err := pause(ctx, settlePoll); err != nil {
			return Evidence{}, err
		}
	}
}

// FreeArchitecture removes the label that ties the cluster to one architecture (PKG-10).
func (a *Cluster) FreeArchitecture(ctx context.Context, in ClusterInput) (Evidence, error) {
	client, err := a.open(ctx, in.Scope)
	if err != nil {
		return Evidence{}, err
	}
	defer client.Close()
	removed, err := client.RemoveArchConstraint(ctx)
	if err != nil {
		return Evidence{}, err
	}
	summary := "there was no architecture constraint"
	if removed != "" {
		summary = "architecture constraint removed: " + removed
	}
	return Evidence{Summary: summary, Host: in.Cluster}, nil
}
