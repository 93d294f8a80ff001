package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/acpflow/acpflow/internal/ssh/sshtest"
	"github.com/acpflow/acpflow/site"
)

// sizes of the sites whose machines answer with recorded facts.
var sizes = []int{100, 250, 500}

const fleetCluster = "west"

func realSite(n int) string     { return fmt.Sprint("real-", n) }
func quickSite(n int) string    { return fmt.Sprint("quick-", n) }
func recordedSite(n int) string { return fmt.Sprint("recorded-", n) }

// writeSites fills the worker's site store.
func (f *fleet) writeSites(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(f.tmp, "password"), []byte("Not-A-Real-1\n"), 0o600); err != nil {
		return err
	}
	docs := []*site.Site{
		f.site(realSite(f.nodes), f.nodes, realPort, f.sshd),
		f.site(quickSite(f.nodes), f.nodes, quickPort, f.quick),
	}
	for _, n := range sizes {
		docs = append(docs, f.site(recordedSite(n), n, recordedPort, f.sshd))
	}
	for _, doc := range docs {
		text, err := yaml.Marshal(doc)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, doc.Name+".yaml"), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// site plans n machines with the server's keys, three of them control planes.
func (f *fleet) site(name string, n, port int, server *sshtest.Server) *site.Site {
	vip, _, _ := strings.Cut(fleetNet, "/")
	vip = strings.TrimSuffix(vip, "0") + "1"
	c := site.Cluster{
		Name:       fleetCluster,
		Endpoint:   site.Endpoint{VIP: vip},
		Kubernetes: site.Kubernetes{Version: "v1.32.6", ContainerRuntime: "containerd://1.7.27-4"},
		Network:    site.Network{CNI: site.KubeOVN, HostCIDRs: []string{fleetNet}},
		SSH:        site.SSH{User: "root", Port: port, PrivateKey: ref(server.Dir, "client")},
	}
	for i, address := range addresses(n) {
		node := site.Node{Name: fmt.Sprintf("n%03d", i+1), Address: address, Role: site.Worker, HostKey: server.HostKeys[0]}
		if i < 3 && n >= 3 || i == 0 {
			node.Role = site.ControlPlane
		}
		c.Nodes = append(c.Nodes, node)
	}
	return &site.Site{
		APIVersion: site.APIVersion, Name: name, Scenario: site.SingleCluster,
		Platform: site.Platform{Address: "acp.example.com", HTTPSPort: 443, AdminUser: "admin@example.com",
			AdminPassword: ref(f.tmp, "password"), Products: []string{"base", "acp"}},
		Package: site.Package{Path: filepath.Join(f.tmp, "none.tgz"), Architecture: "amd64",
			Checksum: "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		Clusters: []site.Cluster{c},
	}
}

func ref(dir, file string) site.Ref { return site.Ref("file:" + filepath.Join(dir, file)) }
