package lab

import "path/filepath"

// Description is a lab as its users see it (lab.json, lab status). It names
// files that hold secrets and holds none.
type Description struct {
	Name       string         `json:"name"`
	Subnet     string         `json:"subnet"`
	Bridge     string         `json:"bridge"`
	Dir        string         `json:"dir"`
	Zone       string         `json:"zone"`
	Domain     string         `json:"domain"`
	DNS        DNSDescription `json:"dns"`
	SSH        SSHDescription `json:"ssh"`
	Clusters   []Cluster      `json:"clusters"`
	Nodes      []Node         `json:"nodes"`
	Running    []string       `json:"running,omitempty"` // names of the nodes that are on; only in a status
	BinDir     string         `json:"binDir"`            // on every node
	SiteFile   string         `json:"siteFile"`
	KnownHosts string         `json:"knownHosts"`
}

// DNSDescription says where names are served and who may change them.
type DNSDescription struct {
	Authoritative string `json:"authoritative"` // host:port
	Resolver      string `json:"resolver"`      // host:port
	Secondary     string `json:"secondary"`     // host:port; answers after StartSecondary
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

// User is the account with sudo on every node.
const User = "ops"

// Describe returns what never changes while the lab is up.
func (l *Lab) Describe() Description {
	s := &l.state
	file := func(name string) string { return filepath.Join(s.Dir, name) }
	d := Description{
		Name: s.Name, Subnet: s.Subnet.String(), Bridge: s.Bridge, Dir: s.Dir, Zone: Zone, Domain: Domain,
		DNS: DNSDescription{
			Authoritative: octet(s.Subnet, dnsOctet) + ":53", Resolver: s.resolver() + ":53",
			Secondary: s.secondary() + ":53",
			TSIGName:  TSIGName, TSIGAlgorithm: TSIGAlgorithm, TSIGFile: file(FileTSIG),
		},
		SSH:      SSHDescription{User: User, Port: 22, KeyFile: file(FileKey), PasswordFile: file(FilePassword)},
		Clusters: s.Clusters, Nodes: s.Nodes, BinDir: BinDir, SiteFile: file(FileSite), KnownHosts: file(FileKnownHosts),
	}
	return d
}

// Status is Describe and which nodes run.
func (l *Lab) Status() Description {
	d := l.Describe()
	for _, n := range l.Nodes() {
		if n.Running() {
			d.Running = append(d.Running, n.Name)
		}
	}
	return d
}

// Running reports whether the node is powered on.
func (n *Node) Running() bool { return n.init() != 0 }
