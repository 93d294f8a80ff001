package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// report collects problems; every message starts with the field's path.
type report struct{ errs []error }

func (r *report) refuse(bad bool, format string, args ...any) {
	if bad {
		r.errs = append(r.errs, fmt.Errorf(format, args...))
	}
}

// Validate checks what can be checked without touching a machine, all
// problems at once.
func (c *Config) Validate(o Offer) error {
	r := &report{}
	c.checkBasic(r)
	c.checkConsole(r)
	c.checkRegistry(r)
	c.checkVersions(r, o)
	c.checkHA(r)
	c.checkMachines(r)
	c.checkNetwork(r, o)
	c.checkStores(r)
	return errors.Join(r.errs...)
}

func (c *Config) checkBasic(r *report) {
	r.refuse(c.Basic.Username == "", "basic.username: empty")
	r.refuse(len(c.Basic.Password) == 0, "basic.password: empty")
	r.refuse(c.DeployMode != "normal" && c.DeployMode != "base", "deployMode: %q is neither normal nor base", c.DeployMode)
}

func (c *Config) checkConsole(r *report) {
	r.refuse(!validHost(c.Console.GlobalHost), "console.globalHost: %q is no domain and no IP address", c.Console.GlobalHost)
	for i, h := range c.Console.Host {
		r.refuse(!validHost(h), "console.host[%d]: %q is no domain and no IP address", i, h)
	}
	r.refuse(c.Console.HTTPSPort < 1 || c.Console.HTTPSPort > 65535, "console.httpsPort: %d is outside 1-65535", c.Console.HTTPSPort)
	r.refuse(c.Console.HTTPPort < 0 || c.Console.HTTPPort > 65535, "console.httpPort: %d is outside 0-65535", c.Console.HTTPPort)
	r.refuse(c.Console.HTTPPort == c.Console.HTTPSPort, "console.httpPort: equals httpsPort")
	cert := c.Console.Cert
	r.refuse((cert.SelfSigned == nil) == (cert.ThirdParty == nil), "console.cert: exactly one of selfSigned and thirdParty")
	if cert.ThirdParty != nil {
		if err := cert.ThirdParty.covers(c.Console.GlobalHost); err != nil {
			r.refuse(true, "console.cert.thirdParty: %w", err)
		}
	}
}

// covers checks that the pair belongs together and names the platform.
func (t *ThirdParty) covers(host string) error {
	pair, err := tls.X509KeyPair(t.Certificate, t.PrivateKey)
	if err != nil {
		return errors.New("certificate and private key are no matching PEM pair")
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return err
	}
	return leaf.VerifyHostname(host)
}

func (c *Config) checkRegistry(r *report) {
	reg := c.Registry
	r.refuse(reg.ExternalAddress == "" && reg.Domain == "", "registry: neither externalAddress nor domain")
	if reg.ExternalAddress == "" {
		host, port, found := strings.Cut(reg.Domain, ":")
		r.refuse(!found || port != "11443" || !validHost(host), "registry.domain: %q is not <host>:11443", reg.Domain)
	}
	r.refuse((reg.Username == "") != (len(reg.Password) == 0), "registry: username and password go together")
}

func (c *Config) checkVersions(r *report, o Offer) {
	r.refuse(!slices.Contains(o.Kubernetes, c.Cluster.Version), "cluster.version: %q is not offered, use one of %s", c.Cluster.Version, strings.Join(o.Kubernetes, ", "))
	if runtime, ok := c.Cluster.Annotations[ContainerRuntime]; ok {
		r.refuse(!slices.Contains(o.ContainerRuntimes, runtime), "cluster.annotations[%s]: %q is not offered, use one of %s", ContainerRuntime, runtime, strings.Join(o.ContainerRuntimes, ", "))
	}
	for _, p := range []string{"base", "acp"} {
		r.refuse(!slices.Contains(c.Product, p), "product: %s is missing", p)
	}
	for _, p := range c.Product {
		r.refuse(!slices.Contains(o.Products, p), "product: this package does not carry %q", p)
	}
	n := c.Cluster.Properties.MaxNodePodNum
	r.refuse(n < 1 || n > 1024, "cluster.properties.maxNodePodNum: %d is outside 1-1024", n)
	r.refuse(c.Cluster.Features.GPUType != "", "cluster.features.gpuType: %q is not supported", c.Cluster.Features.GPUType)
}

func (c *Config) checkHA(r *report) {
	ha := c.Cluster.Features.HA
	r.refuse(!validHost(ha.VIP) || strings.Contains(ha.VIP, ":"), "cluster.features.ha.vip: %q is no domain and no IPv4 address", ha.VIP)
	r.refuse(ha.VPort != 6443, "cluster.features.ha.vport: %d, only 6443 is known", ha.VPort)
	if ha.IsThirdParty {
		r.refuse(ha.VRID != nil, "cluster.features.ha.vrid: only with a self-built VIP")
		return
	}
	_, err := netip.ParseAddr(ha.VIP)
	r.refuse(err != nil, "cluster.features.ha.vip: a self-built VIP is an IP address, not %q", ha.VIP)
	r.refuse(ha.VRID == nil || *ha.VRID < 1 || *ha.VRID > 255, "cluster.features.ha.vrid: a self-built VIP needs one of 1-255")
}

var dnsName = regexp.MustCompile(`^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)*[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func validHost(h string) bool {
	if _, err := netip.ParseAddr(h); err == nil {
		return true
	}
	return len(h) <= 253 && dnsName.MatchString(h) && strings.ContainsFunc(h, func(r rune) bool { return r >= 'a' && r <= 'z' })
}
