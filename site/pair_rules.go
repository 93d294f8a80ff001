package site

import (
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// checkDNS judges how the platform's name is changed and looked up.
func checkDNS(j *judge) {
	d := j.site.DR.DNS
	if d == nil {
		if j.site.DR.Planned && len(j.site.Clusters) == 2 {
			j.warn("dr", "set dr.dns; with driver: manual a person changes the name and acpflow verifies it", "how the platform's name is moved between the clusters is not known")
		}
		return
	}
	const at = "dr.dns"
	own := map[DNSDriver]bool{DNSRFC2136: d.RFC2136 != nil, DNSExternal: d.ExternalDNS != nil, DNSExec: d.Exec != nil}
	j.oneDriver(at, string(d.Driver), map[string]bool{"rfc2136": own[DNSRFC2136], "externalDNS": own[DNSExternal], "exec": own[DNSExec]},
		map[string]string{string(DNSRFC2136): "rfc2136", string(DNSExternal): "externalDNS", string(DNSExec): "exec"})
	if d.TTL < 0 || d.TTL > 3600 {
		j.fail(child(at, "ttl"), "use 30 or less, at most 3600", "%d seconds: a failover waits until every cache has forgotten the old address", d.TTL)
	}
	if d.Zone != "" && !isDomain(d.Zone) {
		j.fail(child(at, "zone"), "write the zone's name without a final dot", "%q is no domain name", shorten(d.Zone))
	} else if a := j.site.Platform.Address; d.Zone != "" && isDomain(a) && !strings.HasSuffix(a, "."+d.Zone) {
		j.fail(child(at, "zone"), "name the zone that holds the platform address", "%s is not in the zone %s", a, d.Zone)
	}
	j.servers(child(at, "authoritative"), d.Authoritative)
	j.servers(child(at, "resolvers"), d.Resolvers)
	if r := d.RFC2136; r != nil && r.Server != "" {
		j.servers(child(at, "rfc2136.server"), []string{r.Server})
	}
	if e := d.ExternalDNS; e != nil && e.URL != "" {
		if u, err := url.Parse(e.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
			j.fail(child(at, "externalDNS.url"), "write it like http://127.0.0.1:8888, without a password", "this is no address of a webhook (value not shown)")
		}
	}
	j.program(child(at, "exec"), d.Exec)
}

// oneDriver wants exactly the settings of the chosen driver.
func (j *judge) oneDriver(at, driver string, set map[string]bool, wants map[string]string) {
	for field, there := range set {
		switch {
		case wants[driver] == field && !there:
			j.fail(at, "set "+field+", or choose another driver", "driver %s needs the field %s", driver, field)
		case wants[driver] != field && there:
			j.fail(child(at, field), "drop it, or choose the driver it belongs to", "driver %s has no use for it", shorten(driver))
		}
	}
}

// servers wants host or host:port.
func (j *judge) servers(at string, list []string) {
	for i, s := range list {
		where := at
		if len(list) > 1 || !strings.HasSuffix(at, "server") {
			where = item(at, i)
		}
		if s != "" && !isServer(s) {
			j.fail(where, "write an address or name, with :port when it is not 53", "%q is no name server", shorten(s))
		}
	}
}

func isServer(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Port() > 0
	}
	host, port, hasPort := strings.Cut(s, ":")
	if n, err := strconv.ParseUint(port, 10, 16); hasPort && (err != nil || n == 0) {
		return false
	}
	return isDomain(host)
}

func (j *judge) program(at string, e *Exec) {
	if e == nil {
		return
	}
	if len(e.Command) > 0 && !path.IsAbs(e.Command[0]) {
		j.fail(item(child(at, "command"), 0), "write the path from / on", "%q is no absolute path on the worker", shorten(e.Command[0]))
	}
	for i, v := range e.Environment {
		if strings.ContainsAny(v.Name, "= \t\n") || v.Name == "PATH" {
			j.fail(child(item(child(at, "environment"), i), "name"), "use letters, digits and _", "%q can be no variable", shorten(v.Name))
		}
	}
	j.duration(child(at, "timeout"), e.Timeout, time.Second)
}

func (j *judge) duration(at, text string, least time.Duration) {
	if d, err := time.ParseDuration(text); text != "" && (err != nil || d < least) {
		j.fail(at, "write it like 30s or 5m", "%q is no duration of at least %s", shorten(text), least)
	}
}

// checkBalancers judges how the VIPs' ports are opened and closed.
func checkBalancers(j *judge) {
	j.clusters(func(c *Cluster, at string) {
		b, at := c.Balancer, child(at, "balancer")
		if b == nil {
			return
		}
		j.oneDriver(at, string(b.Driver), map[string]bool{"haproxy": b.HAProxy != nil, "exec": b.Exec != nil},
			map[string]string{string(BalancerHAProxy): "haproxy", string(BalancerExec): "exec"})
		j.program(child(at, "exec"), b.Exec)
		h := b.HAProxy
		if h == nil {
			return
		}
		if h.Config != "" && !path.IsAbs(h.Config) {
			j.fail(child(at, "haproxy.config"), "write the path from / on", "%q is no absolute path", shorten(h.Config))
		}
		login := c.BalancerSSH()
		for i, host := range h.Hosts {
			where := item(child(at, "haproxy.hosts"), i)
			if _, ok := parseIP(host.Address); host.Address != "" && !ok && !isDomain(host.Address) {
				j.fail(child(where, "address"), "write a host name or an IP address", "%q is no host", shorten(host.Address))
			}
			j.hostKey(child(where, "hostKey"), host.HostKey, login.KnownHosts)
		}
		if s := h.SSH; s != nil {
			j.credentials(child(at, "haproxy.ssh"), s.PrivateKey, s.Passphrase, s.User, s.Port)
		}
	})
}

// checkSync judges the settings of the watch.
func checkSync(j *judge) {
	const at = "dr.sync"
	s := j.site.DR.Sync
	j.duration(child(at, "checkEvery"), s.CheckEvery, MinCheckEvery)
	j.duration(child(at, "maxLag"), s.MaxLag, time.Second)
	if r := s.MaxRepairs(); r < 0 || r > 5 {
		j.fail(child(at, "repairs"), "use 0 to 5", "%d repairs: what two do not mend needs a person", r)
	}
	if c := s.Canary; c != nil && c.Namespace != "" {
		j.label(child(at, "canary.namespace"), c.Namespace)
		if IsExcludedNamespace(c.Namespace) {
			j.fail(child(at, "canary.namespace"), "name a namespace that is synchronised", "%s is never synchronised, the canary would not arrive", c.Namespace)
		}
	}
	for i, g := range s.Ignore {
		where := item(child(at, "ignore"), i)
		if p := strings.TrimSuffix(g.Prefix, "/"); p != "" && (!strings.HasPrefix(g.Prefix, "/registry/") || p == "/registry") {
			j.fail(child(where, "prefix"), "write it like /registry/example.com/caches/", "%q would leave out too much, or nothing", shorten(g.Prefix))
		}
	}
}

// excludedNamespaces are never synchronised (DR-07).
var excludedNamespaces = []string{
	"cpaas-system", "cert-manager", "default", "global-credentials", "cpaas-system-global-credentials", "kube-ovn", "kube-public",
	"kube-system", "nsx-system", "cpaas-solution", "kube-node-lease", "kubevirt", "nativestor-system", "operators",
}

// ExcludedNamespaces are the namespaces that are never synchronised (DR-07).
func ExcludedNamespaces() []string { return append([]string(nil), excludedNamespaces...) }

// IsExcludedNamespace reports whether a namespace is never synchronised (DR-07).
func IsExcludedNamespace(name string) bool {
	for _, n := range excludedNamespaces {
		if n == name {
			return true
		}
	}
	return false
}
