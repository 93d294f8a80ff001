package site

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// taken are ports that a control plane or the load balancer uses itself
// (CHK-17, LB-02, LB-03, LB-05).
var taken = map[int]string{
	2379: "etcd", 2380: "etcd", 6443: "kube-apiserver", 8080: "the installer", 11443: "the image registry",
	12080: "the installer", 12443: "the installer", 16443: "the installer",
}

func (j *judge) port(path string, port int) {
	user, used := taken[port]
	switch {
	case port < 1 || port > 65535:
		j.fail(path, "use 1 to 65535", "%d is no port", port)
	case used:
		j.fail(path, "choose another port", "port %d belongs to %s", port, user)
	case port >= 10249 && port <= 10256:
		j.fail(path, "choose another port", "port %d belongs to Kubernetes", port)
	}
}

func checkHTTPSPort(j *judge) { j.port("platform.httpsPort", j.site.Platform.HTTPSPort) }

func checkHTTPPort(j *judge) {
	p := j.site.Platform
	if p.HTTPPort == 0 {
		return
	}
	j.port("platform.httpPort", p.HTTPPort)
	if p.HTTPPort == p.HTTPSPort {
		j.fail("platform.httpPort", "choose another port, or leave HTTP off", "HTTP and HTTPS can't share port %d", p.HTTPPort)
	}
}

// checkHTTP warns of HTTP; a DR pair has to have it (DR-17).
func checkHTTP(j *judge) {
	if p := j.site.Platform.HTTPPort; p != 0 && !j.site.DR.Planned {
		j.warn("platform.httpPort", "leave httpPort out", "passwords cross the network in clear over HTTP port %d", p)
	}
}

func checkTrusted(j *judge) {
	if j.site.Platform.Certificate == nil && !j.site.DR.Planned {
		j.warn("platform", "set platform.certificate", "browsers will distrust the self-signed certificate of the platform")
	}
}

func checkProducts(j *judge) {
	for _, p := range []string{"base", "acp"} {
		if !slices.Contains(j.site.Platform.Products, p) {
			j.fail("platform.products", "add "+p, "the product %s is missing, the platform does not install without it", p)
		}
	}
}

func checkRegistry(j *judge) {
	r := j.site.Registry
	if r.External != "" && !isHostPort(r.External) {
		j.fail("registry.external", "write host or host:port, without scheme and path", "%q is no registry address", shorten(r.External))
	}
	if r.External != "" {
		j.warn("registry.external", "get the plan for the images from technical support before the install", "the platform's images must be in the external registry first")
	}
	if (r.Username == "") != (r.Password == "") {
		j.fail("registry", "set both or neither", "username and password go together")
	}
}

// isHostPort reads host, host:port or [IPv6]:port.
func isHostPort(s string) bool {
	if isDomain(s) {
		return true
	}
	if a, ok := parseIP(s); ok {
		return a.Is4()
	}
	if _, err := netip.ParseAddrPort(s); err == nil {
		return true
	}
	host, port, found := strings.Cut(s, ":")
	n, err := strconv.Atoi(port)
	return found && isDomain(host) && err == nil && n >= 1 && n <= 65535
}

func checkMonitoring(j *judge) {
	j.clusters(func(c *Cluster, path string) {
		at := child(path, "monitoring")
		m := c.Monitoring
		names := make([]string, len(c.Nodes))
		for i, n := range c.Nodes {
			names[i] = n.Name
		}
		for _, store := range []struct {
			field string
			nodes []string
		}{{"elasticsearch", m.Elasticsearch}, {"prometheus", m.Prometheus}, {"victoriaMetrics", m.VictoriaMetrics}} {
			for i, n := range store.nodes {
				place := item(child(at, store.field), i)
				switch {
				case !slices.Contains(names, n):
					j.fail(place, suggest(n, names), "there is no node %q in the cluster", shorten(n))
				case slices.Index(store.nodes, n) < i:
					j.fail(place, "drop it", "node %q is listed twice", n)
				}
			}
		}
		if len(m.Prometheus) > 0 && len(m.VictoriaMetrics) > 0 {
			j.fail(at, "keep one of them", "prometheus and victoriaMetrics exclude each other")
		}
		switch {
		case m.AgentReplicas < 0:
			j.fail(child(at, "victoriaMetricsAgentReplicas"), "use 1 or more", "%d agents are too few", m.AgentReplicas)
		case m.AgentReplicas > 0 && len(m.VictoriaMetrics) == 0:
			j.fail(child(at, "victoriaMetricsAgentReplicas"), "list the nodes in victoriaMetrics", "agents without VictoriaMetrics")
		}
	})
}
