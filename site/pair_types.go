package site

import "time"

// DR says whether the site is, or will become, a DR pair (GEN-05), and how the
// two sides are tied together. It changes install parameters (DR-12…DR-18),
// never which side is primary.
type DR struct {
	Planned bool `json:"planned,omitempty"` // the site is, or will become, a pair
	DNS     *DNS `json:"dns,omitempty"`     // how the platform's name is changed and looked up (DR-20, DR-42)
	Sync    Sync `json:"sync,omitzero"`     // how the synchronisation is watched

	Takeover Takeover `json:"takeover,omitzero"` // how switchover and failover go about it (DR-40…DR-43)
	Drill    *Drill   `json:"drill,omitempty"`   // the rehearsal that changes neither side; nil = none is planned
}

// DNSDriver names a way to change the platform's name.
type DNSDriver string

// The ways to change a name.
const (
	DNSRFC2136  DNSDriver = "rfc2136"      // dynamic update, signed with a TSIG key
	DNSExternal DNSDriver = "external-dns" // webhook protocol of external-dns
	DNSExec     DNSDriver = "exec"         // a program of the worker
	DNSManual   DNSDriver = "manual"       // a person changes it, acpflow verifies
)

// DNS is how the platform's name is changed, and who must know of it.
type DNS struct {
	Driver        DNSDriver    `json:"driver"`                // rfc2136, external-dns, exec or manual
	Zone          string       `json:"zone,omitempty"`        // default: the platform address without its first label
	TTL           int          `json:"ttl,omitempty"`         // seconds that caches may keep the name, default 30
	Authoritative []string     `json:"authoritative"`         // host or host:port of every authoritative server; a change counts when all of them answer it
	Resolvers     []string     `json:"resolvers,omitempty"`   // host or host:port of the caching resolvers of clusters and users
	RFC2136       *RFC2136     `json:"rfc2136,omitempty"`     // with driver rfc2136
	ExternalDNS   *ExternalDNS `json:"externalDNS,omitempty"` // with driver external-dns
	Exec          *Exec        `json:"exec,omitempty"`        // with driver exec
}

// RFC2136 is a server that takes dynamic updates.
type RFC2136 struct {
	Server    string `json:"server,omitempty"`    // host or host:port; default the first authoritative server
	KeyName   string `json:"keyName"`             // of the TSIG key
	Algorithm string `json:"algorithm,omitempty"` // default hmac-sha256
	Secret    Ref    `json:"secret"`              // base64 text, or a whole key file of BIND
}

// ExternalDNS is a webhook provider of external-dns.
type ExternalDNS struct {
	URL string `json:"url"` // for example http://127.0.0.1:8888
}

// Exec is a program of the worker that gets a JSON request on its standard
// input and answers on its standard output.
type Exec struct {
	Command     []string   `json:"command"`               // absolute path, then arguments; no secrets
	Environment []Variable `json:"environment,omitempty"` // all that the program gets, beside PATH
	Timeout     string     `json:"timeout,omitempty"`     // default 1m
}

// Variable is an environment variable whose value is a secret.
type Variable struct {
	Name  string `json:"name"`  // for example TOKEN
	Value Ref    `json:"value"` // what the program gets in it
}

// BalancerDriver names a way to change a load balancer.
type BalancerDriver string

// The ways to change a load balancer.
const (
	BalancerHAProxy BalancerDriver = "haproxy" // its configuration, over SSH
	BalancerExec    BalancerDriver = "exec"    // a program of the worker
	BalancerManual  BalancerDriver = "manual"  // a person changes it, acpflow verifies
)

// Balancer is the load balancer in front of a cluster's VIP (DR-10, DR-30, DR-42).
type Balancer struct {
	Driver  BalancerDriver `json:"driver"`            // haproxy, exec or manual
	HAProxy *HAProxy       `json:"haproxy,omitempty"` // with driver haproxy
	Exec    *Exec          `json:"exec,omitempty"`    // with driver exec
}

// HAProxy is an HAProxy that acpflow configures over SSH.
type HAProxy struct {
	Hosts  []Host `json:"hosts"`            // every machine that may carry the VIP
	Config string `json:"config,omitempty"` // default /etc/haproxy/haproxy.cfg
	SSH    *SSH   `json:"ssh,omitempty"`    // default: the cluster's
}

// Host is a machine beside the nodes.
type Host struct {
	Name    string `json:"name"`              // for people
	Address string `json:"address"`           // host name or IP
	HostKey string `json:"hostKey,omitempty"` // pinned, like a node's
}

// Sync is how the synchronisation is watched (DR-33).
type Sync struct {
	CheckEvery string    `json:"checkEvery,omitempty"` // how often the monitor checks, default 5m
	MaxLag     string    `json:"maxLag,omitempty"`     // slower than this is a failure, default 30s
	Repairs    *int      `json:"repairs,omitempty"`    // times the synchronizer's Pod is recreated for missed keys until a check is good, default 2
	Canary     *Canary   `json:"canary,omitempty"`     // nil = lag is not measured, because that writes
	Ignore     []Ignored `json:"ignore,omitempty"`     // further keys that may differ
}

// Canary is a ConfigMap that a check writes on the primary and waits for on the standby.
type Canary struct {
	Namespace string `json:"namespace"` // one that is synchronised
}

// Ignored are keys of etcd that the consistency proof leaves out.
type Ignored struct {
	Prefix string `json:"prefix"` // for example /registry/example.com/caches/
	Reason string `json:"reason"` // printed with every proof
}

// Defaults of the watch.
const (
	DefaultCheckEvery = 5 * time.Minute
	DefaultMaxLag     = 30 * time.Second
	DefaultRepairs    = 2
	MinCheckEvery     = 10 * time.Second
)

// Interval is CheckEvery as a duration. A text that Validate refuses gives the default.
func (s Sync) Interval() time.Duration {
	return durationOr(s.CheckEvery, MinCheckEvery, DefaultCheckEvery)
}

// Lag is MaxLag as a duration. A text that Validate refuses gives the default.
func (s Sync) Lag() time.Duration { return durationOr(s.MaxLag, time.Second, DefaultMaxLag) }

// MaxRepairs is Repairs or its default.
func (s Sync) MaxRepairs() int {
	if s.Repairs != nil {
		return *s.Repairs
	}
	return DefaultRepairs
}

// Limit is Timeout as a duration. A text that Validate refuses gives the default.
func (e Exec) Limit() time.Duration { return durationOr(e.Timeout, time.Second, time.Minute) }

func durationOr(text string, least, otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(text); err == nil && d >= least {
		return d
	}
	return otherwise
}

// Partner is the other cluster of a pair.
func (s *Site) Partner(name string) (*Cluster, bool) {
	if len(s.Clusters) != 2 {
		return nil, false
	}
	for i := range s.Clusters {
		if s.Clusters[i].Name == name {
			return &s.Clusters[1-i], true
		}
	}
	return nil, false
}

// ControlPlanes are the control-plane nodes, the installer node first.
func (c *Cluster) ControlPlanes() []Node { return c.controlPlanes() }

// BalancerSSH is how to reach a machine of the cluster's load balancer.
func (c *Cluster) BalancerSSH() SSH {
	if c.Balancer != nil && c.Balancer.HAProxy != nil && c.Balancer.HAProxy.SSH != nil {
		return *c.Balancer.HAProxy.SSH
	}
	return c.SSH
}
