// Package site is the site document: one platform, its address, certificate,
// registry, package and one or two `global` clusters. It is pure: parsing,
// defaults and every rule that can be judged from the document alone. Secrets
// appear only as references (env:NAME, file:/path), so a Site may be written
// into workflow history as it is.
package site

import "time"

// APIVersion is the only version of the document this release reads.
const APIVersion = "acpflow/v1"

// Ref is a reference to a secret or to a file on the worker: "env:NAME" or
// "file:/path". It is never the value itself.
type Ref string

// Site is the whole document.
type Site struct {
	APIVersion string    `json:"apiVersion"`         // acpflow/v1
	Name       string    `json:"name"`               // DNS label; also the file name in the site store and the workflow id
	Profile    string    `json:"profile,omitempty"`  // edition of the product's rules, default acp-4.1-seed
	Scenario   Scenario  `json:"scenario,omitempty"` // default multi-cluster (CAP-*)
	Capacity   Capacity  `json:"capacity,omitzero"`
	Platform   Platform  `json:"platform"`
	Registry   Registry  `json:"registry,omitempty"`
	Package    Package   `json:"package"`
	DR         DR        `json:"dr,omitempty"`
	Policy     Policy    `json:"policy,omitempty"`
	Clusters   []Cluster `json:"clusters"` // 1, or 2 with DR
	Waivers    []Waiver  `json:"waivers,omitempty"`

	places *places // where the fields stand in the file, for messages; no part of the document
}

// Scenario is the capacity plan the site follows (CAP-01…CAP-08).
type Scenario string

// The three scenarios of the document.
const (
	SingleNode    Scenario = "single-node"
	SingleCluster Scenario = "single-cluster"
	MultiCluster  Scenario = "multi-cluster"
)

// Capacity is what the platform shall carry; it decides how large the machines
// must be (CAP-06, CAP-10, CAP-18).
type Capacity struct {
	WorkloadClusters int `json:"workloadClusters,omitempty"` // clusters to be attached, multi-cluster only
	Pods             int `json:"pods,omitempty"`             // application Pods on the cluster itself, single-cluster only
}

// Platform is what users reach: address, ports, certificate, admin account.
type Platform struct {
	Address        string       `json:"address"`                  // platform access address: domain or IP (PAR-07, PAR-09)
	OtherAddresses []string     `json:"otherAddresses,omitempty"` // further names or addresses users reach the platform by (PAR-10)
	HTTPSPort      int          `json:"httpsPort,omitempty"`      // default 443 (PAR-08, DR-17)
	HTTPPort       int          `json:"httpPort,omitempty"`       // 0 = off, 80 with disaster recovery (PAR-08, DR-17)
	IPv6Access     bool         `json:"ipv6Access,omitempty"`     // users come over IPv6; demands a domain (NET-04, PAR-09)
	Certificate    *Certificate `json:"certificate,omitempty"`    // nil = self-signed (PAR-11)
	AdminUser      string       `json:"adminUser,omitempty"`      // default admin
	AdminPassword  Ref          `json:"adminPassword"`            // of the platform's administrator
	Products       []string     `json:"products,omitempty"`       // default base, acp
	ProductDocs    bool         `json:"productDocs,omitempty"`    // install the Product Docs plugin (VER-06)
}

// Certificate is the user's own certificate ("An Existing Certificate").
type Certificate struct {
	Certificate Ref `json:"certificate"` // PEM chain, leaf first
	PrivateKey  Ref `json:"privateKey"`  // PEM, not encrypted
}

// Registry is the image repository (PAR-12, DR-16).
type Registry struct {
	External string `json:"external,omitempty"` // host[:port]; empty = Platform Deployment
	Username string `json:"username,omitempty"` // demanded by DR-16
	Password Ref    `json:"password,omitempty"` // goes with username
}

// Package is the Core Package on the worker's disk (PKG-01…PKG-04).
type Package struct {
	Path         string `json:"path"`                // file on the worker
	Checksum     string `json:"checksum"`            // "sha256:<hex>" or "md5:<hex>"
	Architecture string `json:"architecture"`        // amd64, arm64 or hybrid (PKG-03)
	Directory    string `json:"directory,omitempty"` // on the node; default /root/cpaas-install (GEN-06)
}

// Policy is the patience of the runbooks with this site.
type Policy struct {
	// StallAfter is how long the installer may show no change before a person
	// is asked (EXE-13): a duration like "30m", at least 10s, default 30m.
	StallAfter string    `json:"stallAfter,omitempty"`
	Approvals  Approvals `json:"approvals,omitzero"` // who may approve what can't be taken back
}

// DefaultStallAfter is longer than any phase of a healthy install (EXE-11);
// MinStallAfter leaves room for a few polls of the installer.
const (
	DefaultStallAfter = 30 * time.Minute
	MinStallAfter     = 10 * time.Second
)

// Stall is StallAfter as a duration. A text that Validate refuses gives the default.
func (p Policy) Stall() time.Duration {
	if d, err := time.ParseDuration(p.StallAfter); err == nil && d >= MinStallAfter {
		return d
	}
	return DefaultStallAfter
}

// Cluster is one `global` cluster of the site.
type Cluster struct {
	Name         string     `json:"name"` // DNS label, for example west
	Endpoint     Endpoint   `json:"endpoint"`
	ExternalIP   string     `json:"externalIP,omitempty"` // address for workload clusters in other networks (NET-03)
	Kubernetes   Kubernetes `json:"kubernetes"`
	Network      Network    `json:"network,omitempty"`
	SSH          SSH        `json:"ssh"`
	Nodes        []Node     `json:"nodes"`
	Isolation    bool       `json:"platformNodeIsolation,omitempty"` // nodes run platform components only (PAR-20)
	HostnameNode bool       `json:"hostnameAsNodeName,omitempty"`    // else nodes are named by their address (PAR-15)
	LocalStorage bool       `json:"localStorage,omitempty"`          // TopoLVM or Rook planned (CHK-21)
	Monitoring   Monitoring `json:"monitoring,omitempty"`
	NameServers  []string   `json:"nameServers,omitempty"`    // addresses that a repaired /etc/resolv.conf gets (CHK-13)
	Other        []string   `json:"otherAddresses,omitempty"` // Other Platform Access Addresses of this cluster (DR-18)
	Balancer     *Balancer  `json:"balancer,omitempty"`       // how the ports of the VIP are opened and closed (DR-30, DR-42)
}

// Endpoint is the cluster address (PAR-03…PAR-06).
type Endpoint struct {
	VIP       string `json:"vip"`                 // IP; for a single node its own address
	Domain    string `json:"domain,omitempty"`    // cluster address as a name; VIP is still needed for checks
	SelfBuilt bool   `json:"selfBuilt,omitempty"` // keepalived by the installer (PAR-04)
	VRID      int    `json:"vrid,omitempty"`      // 1-255, default 137 with selfBuilt
}

// Kubernetes versions to install (PAR-01).
type Kubernetes struct {
	Version          string `json:"version"`                    // for example v1.32.6
	ContainerRuntime string `json:"containerRuntime,omitempty"` // for example containerd://1.7.27-4
}

// CNI is the network plugin.
type CNI string

// The plugins the document knows (GEN-07).
const (
	KubeOVN CNI = "kube-ovn"
	Calico  CNI = "calico"
)

// IPFamily is the cluster network protocol (PAR-02).
type IPFamily string

// The three protocols.
const (
	IPv4      IPFamily = "ipv4"
	IPv6      IPFamily = "ipv6"
	DualStack IPFamily = "dual-stack"
)

// Network is the container network (PAR-02, PAR-13, PAR-14).
type Network struct {
	CNI          CNI      `json:"cni,omitempty"`            // default kube-ovn
	IPFamily     IPFamily `json:"ipFamily,omitempty"`       // default ipv4
	PodCIDRs     []string `json:"podCIDRs,omitempty"`       // default 10.3.0.0/16 [, fd00:10:16::/64]
	ServiceCIDRs []string `json:"serviceCIDRs,omitempty"`   // default 10.4.0.0/16 [, fd00:10:96::/112]
	JoinCIDRs    []string `json:"joinCIDRs,omitempty"`      // Kube-OVN only, default 100.64.0.0/16 [, fd00:100:64::/64]
	HostCIDRs    []string `json:"hostCIDRs,omitempty"`      // the nodes' segments, for overlap and one-subnet rules
	MaxPods      int      `json:"maxPodsPerNode,omitempty"` // default 110
	Device       string   `json:"device,omitempty"`         // NIC of all nodes (PAR-33)
}

// SSH is how the worker, and the installer after it, reach the nodes. The
// installer knows one user, port and credential for all nodes.
type SSH struct {
	User       string `json:"user,omitempty"`       // default root
	Port       int    `json:"port,omitempty"`       // default 22
	PrivateKey Ref    `json:"privateKey,omitempty"` // PEM; this or password is needed
	Passphrase Ref    `json:"passphrase,omitempty"` // of privateKey
	Password   Ref    `json:"password,omitempty"`   // of user
	Agent      bool   `json:"agent,omitempty"`      // use SSH_AUTH_SOCK of the worker
	KnownHosts string `json:"knownHosts,omitempty"` // file on the worker; needed for nodes without hostKey
	Jump       *Jump  `json:"jump,omitempty"`
}

// Jump is a bastion in front of the nodes.
type Jump struct {
	Address    string `json:"address"`              // host name or IP
	User       string `json:"user,omitempty"`       // default root
	Port       int    `json:"port,omitempty"`       // default 22
	PrivateKey Ref    `json:"privateKey,omitempty"` // PEM
	Passphrase Ref    `json:"passphrase,omitempty"` // of privateKey
	Password   Ref    `json:"password,omitempty"`   // of user
	HostKey    string `json:"hostKey,omitempty"`    // pinned, like a node's
}

// Role of a node.
type Role string

// The two roles of the installer.
const (
	ControlPlane Role = "control-plane"
	Worker       Role = "worker"
)

// Node is one machine. The first control plane is the installer node (EXE-02).
type Node struct {
	Name        string `json:"name"`                  // host name, unique in the cluster
	Address     string `json:"address"`               // IPv4 (IPv6 for ipFamily ipv6)
	AddressIPv6 string `json:"addressIPv6,omitempty"` // dual stack
	Role        Role   `json:"role"`                  // control-plane or worker
	HostKey     string `json:"hostKey,omitempty"`     // pinned, authorized_keys format: "ssh-ed25519 AAAA…"
	Deployable  *bool  `json:"deployable,omitempty"`  // Deployable Applications (PAR-31, PAR-32); nil = by role and isolation
}

// Monitoring places the log and metric stores (vendor-api 5.2).
type Monitoring struct {
	Elasticsearch   []string `json:"elasticsearch,omitempty"`                // names of the nodes that keep logs
	Prometheus      []string `json:"prometheus,omitempty"`                   // names of the nodes that keep metrics; exclusive with victoriaMetrics
	VictoriaMetrics []string `json:"victoriaMetrics,omitempty"`              // names of the nodes that keep metrics
	AgentReplicas   int      `json:"victoriaMetricsAgentReplicas,omitempty"` // default 1 with victoriaMetrics
}

// Waiver lets a named rule fail on named nodes, with an author and an end.
type Waiver struct {
	Rule    string   `json:"rule"`            // id, for example CHK-03
	Nodes   []string `json:"nodes,omitempty"` // empty = every node
	Reason  string   `json:"reason"`          // why the failure is accepted
	Author  string   `json:"author"`          // who accepts it
	Expires string   `json:"expires"`         // YYYY-MM-DD, last valid day (UTC)
}

// InstallerNode is the first control plane, where the installer runs (EXE-02).
// It panics on a cluster without one; Validate has refused such a document.
func (c *Cluster) InstallerNode() Node {
	for _, n := range c.Nodes {
		if n.Role == ControlPlane {
			return n
		}
	}
	panic("site: cluster " + c.Name + " has no control-plane node")
}

// Cluster returns the named cluster; an empty name selects the only one.
func (s *Site) Cluster(name string) (*Cluster, bool) {
	if name == "" && len(s.Clusters) == 1 {
		return &s.Clusters[0], true
	}
	for i := range s.Clusters {
		if s.Clusters[i].Name == name {
			return &s.Clusters[i], true
		}
	}
	return nil, false
}
