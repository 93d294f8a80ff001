package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"os"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"
	temporal "go.temporal.io/sdk/client"
	"golang.org/x/crypto/ssh"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/lab/installer/pki"

	acpssh "github.com/acpflow/acpflow/internal/ssh"
)

// Addresses of what every simulated site shares, in the network of fleetNet.
const (
	westIP       = "10.77.0.10"
	eastIP       = "10.77.0.20"
	nameServerIP = "10.77.0.2"
	firstGateway = 10000 // SSH port of the first site
)

// monitors are many sites with a pair each, and acpflow as it is deployed. All
// sites lead to the same two real control planes, each through SSH servers of
// its own, so that the worker keeps two connections for every site.
type monitors struct {
	options
	tmp       string
	keys      *sshtest.Server // for its keys only
	west      *side
	east      *side
	around    *surroundings
	gateways  *gateways
	devserver *harness.Devserver
	worker    *harness.Worker
	temporal  temporal.Client
}

func newMonitors(ctx context.Context, o options) (*monitors, error) {
	tmp, err := os.MkdirTemp("", "acpflow-bench-")
	if err != nil {
		return nil, err
	}
	m := &monitors{options: o, tmp: tmp}
	if err := m.fill(ctx); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

func (m *monitors) fill(ctx context.Context) (err error) {
	if err := os.Chmod(m.tmp, 0o755); err != nil { // sshd's children enter it
		return err
	}
	if m.keys, err = sshtest.Run(m.tmp); err != nil {
		return err
	}
	m.keys.Stop()
	if m.west, err = startSide(ctx, "west", westIP, m.tmp); err != nil {
		return err
	}
	if m.east, err = startSide(ctx, "east", eastIP, m.tmp); err != nil {
		return err
	}
	if err := m.populate(ctx); err != nil {
		return err
	}
	pages, err := m.certificate()
	if err != nil {
		return err
	}
	if m.around, err = surround(nameServerIP, []string{westIP, eastIP}, pages); err != nil {
		return err
	}
	config, err := m.sshConfig()
	if err != nil {
		return err
	}
	if m.gateways, err = serveGateways(config, map[string]*side{westIP: m.west, eastIP: m.east}, m.around.check, firstGateway, m.sites); err != nil {
		return err
	}
	return m.start(ctx)
}

// populate makes two installed platforms, the second a copy of the first.
func (m *monitors) populate(ctx context.Context) error {
	for _, s := range []*side{m.west, m.east} {
		if err := s.apply(ctx, s.platformObjects()); err != nil {
			return err
		}
	}
	if err := m.east.apply(ctx, synchronizerObjects()); err != nil {
		return err
	}
	n, err := mirror(ctx, m.west.etcd, m.east.etcd)
	fmt.Printf("two control planes, %d keys mirrored\n", n)
	return err
}

// certificate is the platform's, at both VIPs and in every site document.
func (m *monitors) certificate() (tls.Certificate, error) {
	ca, err := pki.NewCA("bench")
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := ca.Issue(pki.Request{CommonName: monitorDomain, Hosts: []string{monitorDomain, westIP, eastIP}, Server: true})
	if err != nil {
		return tls.Certificate{}, err
	}
	err = errors.Join(os.WriteFile(filepath.Join(m.tmp, "platform.crt"), append(pair.Cert, ca.Cert...), 0o600),
		os.WriteFile(filepath.Join(m.tmp, "platform.key"), pair.Key, 0o600),
		os.WriteFile(filepath.Join(m.tmp, "password"), []byte("Not-A-Real-1\n"), 0o600))
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(pair.Cert, pair.Key)
}

func (m *monitors) sshConfig() (*ssh.ServerConfig, error) {
	text, err := os.ReadFile(filepath.Join(m.tmp, "host_ed25519"))
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, err
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
	config.AddHostKey(key)
	return config, nil
}

func monitorSite(i int) string { return fmt.Sprintf("s%04d", i+1) }

// site is the i-th; only its name and its SSH port are its own.
func (m *monitors) site(i int) *site.Site {
	out := &site.Site{
		APIVersion: site.APIVersion, Name: monitorSite(i), Scenario: site.MultiCluster,
		Platform: site.Platform{Address: monitorDomain, HTTPSPort: 443, HTTPPort: 80, AdminUser: "admin@example.com", AdminPassword: ref(m.tmp, "password"),
			Products: []string{"base", "acp"}, Certificate: &site.Certificate{Certificate: ref(m.tmp, "platform.crt"), PrivateKey: ref(m.tmp, "platform.key")}},
		Registry: site.Registry{Username: "puller", Password: ref(m.tmp, "password")},
		Package: site.Package{Path: filepath.Join(m.tmp, "none.tgz"), Architecture: "amd64",
			Checksum: "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		DR: site.DR{Planned: true, DNS: &site.DNS{Driver: site.DNSManual, TTL: 30, Authoritative: []string{nameServerIP}},
			Sync: site.Sync{CheckEvery: "1m"}},
	}
	for name, ip := range map[string]string{"west": westIP, "east": eastIP} {
		c := site.Cluster{
			Name: name, Endpoint: site.Endpoint{VIP: ip}, Other: []string{ip},
			Kubernetes: site.Kubernetes{Version: "v1.32.6", ContainerRuntime: "containerd://1.7.27-4"},
			Network:    site.Network{CNI: site.KubeOVN, HostCIDRs: []string{fleetNet}},
			SSH:        site.SSH{User: "root", Port: firstGateway + i, PrivateKey: ref(m.tmp, "client")},
			Nodes:      []site.Node{{Name: name + "-1", Address: ip, Role: site.ControlPlane, HostKey: m.keys.HostKeys[0]}},
		}
		out.Clusters = append(out.Clusters, c)
	}
	if out.Clusters[0].Name != "west" {
		out.Clusters[0], out.Clusters[1] = out.Clusters[1], out.Clusters[0]
	}
	return out
}

func (m *monitors) writeSites(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i := range m.sites {
		text, err := yaml.Marshal(m.site(i))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, monitorSite(i)+".yaml"), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// start runs Temporal and the worker, and keeps the contract of the pair.
func (m *monitors) start(ctx context.Context) error {
	dir := filepath.Join(m.tmp, "sites")
	if err := m.writeSites(dir); err != nil {
		return err
	}
	hosts := &activities.Hosts{Pool: acpssh.NewPool()}
	defer hosts.Pool.Close()
	doc, err := readSite(dir, monitorSite(0))
	if err != nil {
		return err
	}
	if _, err := (&activities.Contract{Hosts: hosts}).RecordContract(ctx, activities.Scope{Site: doc, Cluster: "west"}); err != nil {
		return fmt.Errorf("record the contract: %w", err)
	}
	if m.devserver, err = harness.StartDevserver(ctx, m.tmp, os.Stdout); err != nil {
		return err
	}
	if m.worker, err = harness.StartWorker(ctx, m.devserver, harness.WorkerOptions{Sites: dir, Dir: m.tmp}); err != nil {
		return err
	}
	m.temporal, err = m.devserver.Client(ctx)
	return err
}

// readSite reads a document as the worker does, with its defaults.
func readSite(dir, name string) (site.Site, error) {
	file := filepath.Join(dir, name+".yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return site.Site{}, err
	}
	doc, err := site.Parse(file, text)
	if err != nil {
		return site.Site{}, err
	}
	return *doc, site.Validate(doc, site.Material{Now: time.Now()}).Err()
}

func (m *monitors) close() error {
	var errs []error
	if m.temporal != nil {
		m.temporal.Close()
	}
	if m.worker != nil {
		errs = append(errs, m.worker.Stop())
	}
	if m.devserver != nil {
		errs = append(errs, m.devserver.Stop())
	}
	if m.gateways != nil {
		m.gateways.close()
	}
	if m.around != nil {
		m.around.close()
	}
	for _, s := range []*side{m.east, m.west} {
		if s != nil {
			s.close()
		}
	}
	return errors.Join(append(errs, os.RemoveAll(m.tmp))...)
}
