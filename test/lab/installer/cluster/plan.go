// Package cluster is what the stand-in installer does with a configuration: a
// real cluster on the machines it names, phase by phase, over SSH.
package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/acpflow/acpflow/test/lab/installer/config"
	"github.com/acpflow/acpflow/test/lab/installer/machine"
	"github.com/acpflow/acpflow/test/lab/installer/pki"
	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

// Programs is where the lab puts the control plane on every node.
const Programs = "/opt/acp-lab/bin"

// NodeProgram is this program's own place on every node.
const NodeProgram = "/opt/cpaas/bin/minialauda"

// Install is one install in progress. Its phases may run again after a
// failure or a restart of the installer: each makes its state so.
type Install struct {
	Config        *config.Config
	DataDir       string   // keeps the authorities over a restart
	Architectures []string // image sets the package carries: amd64, arm64
	Log           func(format string, args ...any)

	fleet       machine.Fleet
	authorities pki.Authorities
	api         *kubeapi.Client // of the first control plane
}

// nodeName of a machine: its host name or its address (PAR-15).
func (i *Install) nodeName(m *machine.Machine) string {
	if i.Config.Cluster.HostnameAsNodename {
		return strings.ToLower(m.Hostname)
	}
	return m.IP
}

// clusterServer is the URL of the cluster address.
func (i *Install) clusterServer() string {
	ha := i.Config.Cluster.Features.HA
	return fmt.Sprintf("https://%s:%d", ha.VIP, ha.VPort)
}

func addresses(m *machine.Machine) []string {
	if m.IPv6 == "" {
		return []string{m.IP}
	}
	return []string{m.IP, m.IPv6}
}

// serviceIPs are the addresses of the kubernetes Service: the first of each range.
func (i *Install) serviceIPs() []string {
	var out []string
	for _, r := range strings.Split(i.Config.Cluster.ServiceCIDR, ",") {
		if p, err := netip.ParsePrefix(r); err == nil {
			out = append(out, p.Addr().Next().String())
		}
	}
	return out
}

// loadAuthorities reads the certificate authorities of this install, or makes
// them: a restarted installer must not sign with new ones.
func (i *Install) loadAuthorities() error {
	path := filepath.Join(i.DataDir, "authorities.json")
	data, err := os.ReadFile(path)
	if err == nil {
		return json.Unmarshal(data, &i.authorities)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if i.authorities, err = pki.NewAuthorities(); err != nil {
		return err
	}
	if data, err = json.Marshal(i.authorities); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// adminConfig is a kubeconfig of the administrator for one server.
func (i *Install) adminConfig(server string) (kubeapi.Kubeconfig, error) {
	return i.kubeconfig("kubernetes-admin", "system:masters", server)
}

func (i *Install) kubeconfig(user, organization, server string) (kubeapi.Kubeconfig, error) {
	pair, err := i.authorities.Kubernetes.Issue(pki.Request{CommonName: user, Organization: organization, Client: true})
	if err != nil {
		return kubeapi.Kubeconfig{}, err
	}
	return kubeapi.Kubeconfig{Cluster: "kubernetes", User: user, Server: server,
		CA: i.authorities.Kubernetes.Cert, ClientCert: pair.Cert, Key: pair.Key}, nil
}
