package lab

import "path/filepath"

// Description is a lab as its users see it (lab.json, lab status). It names
// files that hold secrets and holds none.
type Description struct {
	Name       string            `json:"name"`
	Subnet     string            `json:"subnet"`
	Bridge     string            `json:"bridge"`
	Dir        string            `json:"dir"`
	Zone       string            `json:"zone"`
	Domain     string            `json:"domain"`
	DNS        DNSDescription    `json:"dns"`
	SSH        SSHDescription    `json:"ssh"`
	Clusters   []Cluster         `json:"clusters"`
	Nodes      []NodeDescription `json:"nodes"`
	BinDir     string            `json:"binDir"` // on every node
	SiteFile   string            `json:"siteFile"`
	KnownHosts string            `json:"knownHosts"`
}

// DNSDescription says where names are served and who may change them.
type DNSDescription struct {
	Authoritative string `json:"authoritative"` // host:port
	Resolver      string `json:"resolver"`      // host:port
	TSIGName      string `json:"tsigName"`
	TSIGAlgorithm string `json:"tsigAlgorithm"`
	TSIGFile      string `json:"tsigFile"` // BIND key file
}

// SSHDescription says how to log in to every node; root takes the same key and
// password.
type SSHDescription struct {
	User         string `json:"user"`
	Port         int    `json:"port"`
	KeyFile      string `json:"keyFile"`
	PasswordFile string `json:"passwordFile"`
}

// NodeDescription is one machine and whether it runs.
type NodeDescription struct {
	Node
	Running bool `json:"running"`
}

// User is the account with sudo on every node.
const User = "ops"

// Describe returns the lab as it is now.
func (l *Lab) Describe() Description {
	s := &l.state
	file := func(name string) string { return filepath.Join(s.Dir, name) }
	d := Description{
		Name: s.Name, Subnet: s.Subnet.String(), Bridge: s.Bridge, Dir: s.Dir, Zone: Zone, Domain: Domain,
		DNS: DNSDescription{
			Authoritative: octet(s.Subnet, dnsOctet) + ":53", Resolver: s.resolver() + ":53",
			TSIGName: TSIGName, TSIGAlgorithm: TSIGAlgorithm, TSIGFile: file(FileTSIG),
		},
		SSH:      SSHDescription{User: User, Port: 22, KeyFile: file(FileKey), PasswordFile: file(FilePassword)},
		Clusters: s.Clusters, BinDir: BinDir, SiteFile: file(FileSite), KnownHosts: file(FileKnownHosts),
	}
	for _, n := range l.Nodes() {
		d.Nodes = append(d.Nodes, NodeDescription{Node: *n, Running: n.Running()})
	}
	return d
}

// Running reports whether the node is powered on.
func (n *Node) Running() bool { return n.init() != 0 }
