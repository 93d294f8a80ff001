package installer

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
)

const (
	apiPort      = 6443  // fixed in the interface
	registryPort = 11443 // the platform's own registry (LB-03)
)

// Build makes the installer's configuration for one cluster of a validated
// site with its defaults applied. It is pure. What the interface can't express
// is refused as fault.BadInput, all reasons at once.
func Build(s site.Site, clusterName string, sec Secrets) (Config, error) {
	c, ok := s.Cluster(clusterName)
	if !ok {
		return Config{}, unknownCluster(s, clusterName)
	}
	if err := expressible(s, *c, sec); err != nil {
		return Config{}, fault.New(fault.BadInput, "build the installer configuration", "site "+s.Name+", cluster "+c.Name,
			"change the site document", err)
	}
	pods, podErr := families(*c, c.Network.PodCIDRs, "network.podCIDRs")
	services, serviceErr := families(*c, c.Network.ServiceCIDRs, "network.serviceCIDRs")
	annotations, annotationErr := annotate(*c)
	stores, storeErr := placeStores(*c)
	if err := errors.Join(podErr, serviceErr, annotationErr, storeErr); err != nil {
		return Config{}, fault.New(fault.BadInput, "build the installer configuration", "site "+s.Name+", cluster "+c.Name,
			"change the site document", err)
	}
	return Config{unverified: unverified(*c), doc: document{
		Basic:      basic{Username: s.Platform.AdminUser, Password: code(sec.AdminPassword)},
		Console:    buildConsole(s, *c, sec),
		DeployMode: deployMode(*c),
		Registry:   buildRegistry(s, *c, sec),
		Cluster: cluster{
			Version:       c.Kubernetes.Version,
			NetworkDevice: c.Network.Device,
			Properties:    properties{MaxNodePodNum: c.Network.MaxPods},
			Features: features{
				IPv6DualStack: dualStack(*c),
				HA:            buildHA(*c),
				Machines:      buildMachines(*c, sec),
			},
			ClusterCIDR:        pods,
			ServiceCIDR:        services,
			Annotations:        annotations,
			HostnameAsNodename: c.HostnameNode,
		},
		Product:    slices.Clone(s.Platform.Products),
		Elastic:    stores.elastic,
		Prometheus: stores.prometheus,
		Victoria:   stores.victoria,
	}}, nil
}

// expressible names everything that the interface has no place for, or that a
// validated document with defaults can't lack.
func expressible(s site.Site, c site.Cluster, sec Secrets) error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(c.Network.IPFamily == site.IPv6, "network.ipFamily ipv6: the installer's known interface can't express single-stack IPv6 (PAR-02); use the installer's web page for this cluster, or ipv4 or dual-stack")
	refuse(strings.Contains(clusterAddress(c), ":"), "endpoint %q: the cluster address can be no IPv6 literal (PAR-03)", clusterAddress(c))
	refuse(sec.SSHPassword.Empty() && sec.SSHPrivateKey.Empty(), "ssh: the installer logs in to the nodes by itself and needs ssh.privateKey or ssh.password; an agent or a jump host's key is of no use to it")
	refuse(sec.AdminPassword.Empty(), "platform.adminPassword: empty")
	refuse(s.Registry.Username != "" && sec.RegistryPassword.Empty(), "registry: username without password")
	refuse(s.Registry.Username == "" && !sec.RegistryPassword.Empty(), "registry: password without username")
	refuse(sec.Certificate.Empty() != sec.CertificateKey.Empty(), "platform.certificate: certificate and privateKey go together (PAR-11)")
	refuse(s.Platform.Certificate != nil && sec.Certificate.Empty(), "platform.certificate: not resolved")
	refuse(c.Network.CNI != site.KubeOVN && c.Network.CNI != site.Calico, "network.cni %q: neither kube-ovn nor calico", c.Network.CNI)
	refuse(s.Platform.AdminUser == "", "platform.adminUser: empty")
	refuse(s.Platform.Address == "", "platform.address: empty (PAR-07)")
	refuse(s.Platform.HTTPSPort == 0, "platform.httpsPort: not set (PAR-08)")
	refuse(c.Kubernetes.Version == "", "kubernetes.version: empty (PAR-01)")
	refuse(c.Network.MaxPods == 0, "network.maxPodsPerNode: not set")
	refuse(c.SSH.User == "" || c.SSH.Port == 0, "ssh: user or port not set")
	refuse(c.Endpoint.SelfBuilt && c.Endpoint.VRID == 0, "endpoint.vrid: not set (PAR-05)")
	for _, p := range []string{"base", "acp"} {
		refuse(!slices.Contains(s.Platform.Products, p), "platform.products: %s is missing", p)
	}
	return errors.Join(errs...)
}

func buildConsole(s site.Site, c site.Cluster, sec Secrets) console {
	out := console{
		GlobalHost: s.Platform.Address,
		Host:       []string{},
		Cert:       cert{SelfSigned: &struct{}{}},
		HTTPSPort:  s.Platform.HTTPSPort,
		HTTPPort:   s.Platform.HTTPPort,
	}
	if !sec.Certificate.Empty() {
		out.Cert = cert{ThirdParty: &thirdParty{Certificate: code(sec.Certificate), PrivateKey: code(sec.CertificateKey)}}
	}
	for _, h := range slices.Concat(s.Platform.OtherAddresses, c.Other) {
		if !slices.Contains(out.Host, h) {
			out.Host = append(out.Host, h)
		}
	}
	return out
}

func buildRegistry(s site.Site, c site.Cluster, sec Secrets) registry {
	out := registry{
		ExternalAddress: s.Registry.External,
		Username:        s.Registry.Username,
		Password:        code(sec.RegistryPassword),
	}
	switch {
	case s.Registry.External != "":
	case s.DR.Planned: // both clusters must answer to one name (DR-16)
		out.Domain = fmt.Sprintf("%s:%d", s.Platform.Address, registryPort)
	default:
		out.Domain = fmt.Sprintf("%s:%d", clusterAddress(c), registryPort)
	}
	return out
}

func buildHA(c site.Cluster) ha {
	out := ha{VIP: clusterAddress(c), VPort: apiPort, IsThirdParty: !c.Endpoint.SelfBuilt}
	if c.Endpoint.SelfBuilt {
		out.VRID = new(c.Endpoint.VRID)
	}
	return out
}

func annotate(c site.Cluster) (map[string]string, error) {
	out := map[string]string{"cpaas.io/network-type": "calico"}
	if c.Kubernetes.ContainerRuntime != "" {
		out["cpaas.io/container-runtime"] = c.Kubernetes.ContainerRuntime
	}
	if c.Network.CNI != site.KubeOVN {
		return out, nil
	}
	join, err := families(c, c.Network.JoinCIDRs, "network.joinCIDRs")
	out["cpaas.io/network-type"] = "ovn"
	out["kube-ovn.cpaas.io/join-cidr"] = join
	out["kube-ovn.cpaas.io/transmit-type"] = "overlay"
	return out, err
}

// families renders ranges the way the interface wants them: "v4", or "v4,v6"
// for dual stack.
func families(c site.Cluster, cidrs []string, path string) (string, error) {
	var v4, v6 []string
	for _, s := range cidrs {
		p, err := netip.ParsePrefix(s)
		switch {
		case err != nil:
			return "", fmt.Errorf("%s: %w (PAR-13)", path, err)
		case p.Addr().Is4():
			v4 = append(v4, s)
		default:
			v6 = append(v6, s)
		}
	}
	if len(v4) != 1 || dualStack(c) && len(v6) != 1 || !dualStack(c) && len(v6) != 0 {
		return "", fmt.Errorf("%s: %q does not fit ipFamily %s: one IPv4 range, and for dual-stack one IPv6 range (PAR-02)", path, cidrs, c.Network.IPFamily)
	}
	return strings.Join(append(v4, v6...), ","), nil
}

// clusterAddress is the domain, or the VIP when there is none (PAR-03).
func clusterAddress(c site.Cluster) string {
	if c.Endpoint.Domain != "" {
		return c.Endpoint.Domain
	}
	return c.Endpoint.VIP
}

func deployMode(c site.Cluster) string {
	if c.Isolation {
		return "base"
	}
	return "normal"
}

func dualStack(c site.Cluster) bool { return c.Network.IPFamily == site.DualStack }

// code is the base64 that the interface wants for secrets; "" for none.
func code(v secret.Value) string { return base64.StdEncoding.EncodeToString(v.Reveal()) }

func unverified(c site.Cluster) []string {
	var out []string
	if c.Kubernetes.ContainerRuntime == "" {
		out = append(out, "no container runtime is sent: that the installer then takes its own default is unverified; name it in kubernetes.containerRuntime (the installer's base-component-version lists the offered ones)")
	}
	if c.Isolation {
		out = append(out, "platform node isolation sets labels and taints of control planes only: that workers need none (PAR-32) is unverified")
	}
	return out
}

func unknownCluster(s site.Site, name string) error {
	names := make([]string, len(s.Clusters))
	for i, c := range s.Clusters {
		names[i] = c.Name
	}
	cause := fmt.Errorf("there is no cluster %q", name)
	if name == "" {
		cause = errors.New("the site has several clusters and none is named")
	}
	return fault.New(fault.BadInput, "find the cluster", "site "+s.Name, "use one of: "+strings.Join(names, ", "), cause)
}
