package installer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// oneNode is a resolved site with a single control plane; cases change it.
func oneNode() site.Site {
	return site.Site{
		APIVersion: site.APIVersion,
		Name:       "moscow",
		Profile:    "acp-4.1-seed",
		Platform: site.Platform{
			Address: "192.0.2.11", HTTPSPort: 443, AdminUser: "admin",
			AdminPassword: "env:ADMIN_PASSWORD", Products: []string{"base", "acp"},
		},
		Clusters: []site.Cluster{{
			Name:       "west",
			Endpoint:   site.Endpoint{VIP: "192.0.2.11"},
			Kubernetes: site.Kubernetes{Version: "v1.32.6", ContainerRuntime: "containerd://1.7.27-4"},
			Network: site.Network{
				CNI: site.KubeOVN, IPFamily: site.IPv4, MaxPods: 110,
				PodCIDRs: []string{"10.3.0.0/16"}, ServiceCIDRs: []string{"10.4.0.0/16"}, JoinCIDRs: []string{"100.64.0.0/16"},
			},
			SSH:   site.SSH{User: "root", Port: 22, Password: "env:SSH_PASSWORD"},
			Nodes: []site.Node{{Name: "m1", Address: "192.0.2.11", Role: site.ControlPlane}},
		}},
	}
}

// threeNodes adds a worker that is listed first, to see control planes lead.
func threeNodes() site.Site {
	s := oneNode()
	s.Platform.Address = "acp.example.com"
	c := &s.Clusters[0]
	c.Endpoint.VIP = "192.0.2.10"
	c.SSH = site.SSH{User: "ops", Port: 2222, PrivateKey: "file:/keys/id"}
	c.Nodes = []site.Node{{Name: "w1", Address: "192.0.2.21", AddressIPv6: "2001:db8::21", Role: site.Worker}}
	for i := range 3 {
		c.Nodes = append(c.Nodes, site.Node{
			Name: fmt.Sprintf("m%d", i+1), Address: fmt.Sprintf("192.0.2.1%d", i+1),
			AddressIPv6: fmt.Sprintf("2001:db8::1%d", i+1), Role: site.ControlPlane,
		})
	}
	return s
}

const (
	adminPassword    = `pa"ss\word = with blanks`
	sshPassword      = "ssh-secret-value"
	registryPassword = "registry-secret-value"
	sshKey           = "-----BEGIN OPENSSH PRIVATE KEY-----\nbm90IGEgcmVhbCBrZXk=\n-----END OPENSSH PRIVATE KEY-----\n"
	certificate      = "-----BEGIN CERTIFICATE-----\nbm90IGEgcmVhbCBjZXJ0\n-----END CERTIFICATE-----\n"
	certificateKey   = "-----BEGIN PRIVATE KEY-----\nbm90IGEgcmVhbCBjZXJ0IGtleQ==\n-----END PRIVATE KEY-----\n"
)

// secretsOf are values for every reference of the document.
func secretsOf(s site.Site) Secrets {
	out := Secrets{AdminPassword: secret.NewValue([]byte(adminPassword))}
	if s.Registry.Password != "" {
		out.RegistryPassword = secret.NewValue([]byte(registryPassword))
	}
	if s.Clusters[0].SSH.Password != "" {
		out.SSHPassword = secret.NewValue([]byte(sshPassword))
	}
	if s.Clusters[0].SSH.PrivateKey != "" {
		out.SSHPrivateKey = secret.NewValue([]byte(sshKey))
	}
	if s.Platform.Certificate != nil {
		out.Certificate = secret.NewValue([]byte(certificate))
		out.CertificateKey = secret.NewValue([]byte(certificateKey))
	}
	return out
}

var goldens = []struct {
	name  string
	start func() site.Site
	edit  func(*site.Site, *site.Cluster)
}{
	{"single-node-password", oneNode, func(*site.Site, *site.Cluster) {}},
	{"three-control-planes-key", threeNodes, func(*site.Site, *site.Cluster) {}},
	{"dr", threeNodes, func(s *site.Site, c *site.Cluster) {
		s.DR.Planned = true
		s.Platform.HTTPPort = 80
		s.Platform.OtherAddresses = []string{"acp.example.net"}
		s.Platform.Certificate = &site.Certificate{Certificate: "file:/tls/crt", PrivateKey: "file:/tls/key"}
		s.Registry = site.Registry{Username: "pusher", Password: "env:REGISTRY_PASSWORD"}
		c.Other = []string{"192.0.2.10", "acp.example.net"}
		c.SSH.Password = "env:SSH_PASSWORD"
	}},
	{"dual-stack", threeNodes, func(_ *site.Site, c *site.Cluster) {
		c.Network.IPFamily = site.DualStack
		c.Network.PodCIDRs = []string{"10.3.0.0/16", "fd00:10:16::/64"}
		c.Network.ServiceCIDRs = []string{"fd00:10:96::/112", "10.4.0.0/16"} // any order
		c.Network.JoinCIDRs = []string{"100.64.0.0/16", "fd00:100:64::/64"}
		c.Network.Device = "eth1"
		c.HostnameNode = true
	}},
	{"external-registry", threeNodes, func(s *site.Site, c *site.Cluster) {
		s.Registry = site.Registry{External: "registry.example.com:5000", Username: "puller", Password: "env:REGISTRY_PASSWORD"}
		c.Endpoint.Domain = "west.example.com"
	}},
	{"isolation", threeNodes, func(_ *site.Site, c *site.Cluster) { c.Isolation = true }},
	{"stores-on-workers", threeNodes, func(_ *site.Site, c *site.Cluster) {
		c.Monitoring = site.Monitoring{Elasticsearch: []string{"w1"}, VictoriaMetrics: []string{"w1"}}
	}},
	{"stores-on-control-planes", threeNodes, func(_ *site.Site, c *site.Cluster) {
		c.Monitoring = site.Monitoring{Elasticsearch: []string{"w1", "m2"}, Prometheus: []string{"m1"}}
	}},
	{"self-built-vip-calico", threeNodes, func(s *site.Site, c *site.Cluster) {
		c.Endpoint.SelfBuilt, c.Endpoint.VRID = true, 137
		c.Network.CNI, c.Network.JoinCIDRs = site.Calico, nil
		for i := range c.Nodes {
			c.Nodes[i].Deployable = new(true)
		}
		s.Platform.HTTPSPort = 8443
	}},
}

// TestBuildGolden pins the posted JSON. The files were compared with what the
// vendor's script prints for the same parameters; the differences are those of
// the package comment.
func TestBuildGolden(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			s := g.start()
			g.edit(&s, &s.Clusters[0])
			cfg, err := Build(s, "west", secretsOf(s))
			require.NoError(t, err)
			file := filepath.Join("testdata", g.name+".json")
			if *update {
				require.NoError(t, os.WriteFile(file, cfg.Revealed(), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, string(want), string(cfg.Revealed()))
		})
	}
}

// TestConfigHidesSecrets looks for every secret, raw and coded, in every way
// to print a configuration.
func TestConfigHidesSecrets(t *testing.T) {
	s := threeNodes()
	goldens[2].edit(&s, &s.Clusters[0])
	cfg, err := Build(s, "west", secretsOf(s))
	require.NoError(t, err)
	marshalled, err := json.Marshal(map[string]any{"config": cfg})
	require.NoError(t, err)
	printed := []string{
		string(cfg.Redacted()), string(marshalled), cfg.String(),
		fmt.Sprint(cfg), fmt.Sprintf("%+v %#v %s %q", cfg, cfg, cfg, []Config{cfg}),
	}
	for _, value := range []string{adminPassword, sshPassword, registryPassword, sshKey, certificateKey} {
		for _, form := range []string{value, base64.StdEncoding.EncodeToString([]byte(value))} {
			assert.True(t, bytes.Contains(cfg.Revealed(), []byte(form)) || form == value, "the test looks for something that is never sent")
			for _, p := range printed {
				assert.NotContains(t, p, form)
			}
		}
	}
}

func TestRedactedKeepsTheShape(t *testing.T) {
	s := oneNode()
	cfg, err := Build(s, "west", secretsOf(s))
	require.NoError(t, err)
	var masked map[string]any
	require.NoError(t, json.Unmarshal(cfg.Redacted(), &masked))
	assert.Equal(t, secret.Mask, masked["basic"].(map[string]any)["password"])
	machine := masked["cluster"].(map[string]any)["features"].(map[string]any)["machines"].([]any)[0].(map[string]any)
	assert.Equal(t, secret.Mask, machine["password"])
	assert.Nil(t, machine["privateKey"], "an absent credential stays absent")
	assert.Empty(t, masked["registry"].(map[string]any)["password"])
}

func TestBuildRefuses(t *testing.T) {
	cases := map[string]struct {
		edit func(*site.Site, *site.Cluster, *Secrets)
		want string
	}{
		"single-stack IPv6":     {func(_ *site.Site, c *site.Cluster, _ *Secrets) { c.Network.IPFamily = site.IPv6 }, "single-stack IPv6"},
		"no SSH credential":     {func(_ *site.Site, _ *site.Cluster, sec *Secrets) { sec.SSHPrivateKey = secret.Value{} }, "needs ssh.privateKey or ssh.password"},
		"IPv6 literal":          {func(_ *site.Site, c *site.Cluster, _ *Secrets) { c.Endpoint.VIP = "2001:db8::1" }, "PAR-03"},
		"half a registry login": {func(s *site.Site, _ *site.Cluster, _ *Secrets) { s.Registry.Username = "x" }, "username without password"},
		"half a certificate":    {func(_ *site.Site, _ *site.Cluster, sec *Secrets) { sec.Certificate = secret.NewValue([]byte("pem")) }, "PAR-11"},
		"no admin password":     {func(_ *site.Site, _ *site.Cluster, sec *Secrets) { sec.AdminPassword = secret.Value{} }, "adminPassword"},
		"unknown CNI":           {func(_ *site.Site, c *site.Cluster, _ *Secrets) { c.Network.CNI = "flannel" }, "neither kube-ovn nor calico"},
		"dual stack without v6": {func(_ *site.Site, c *site.Cluster, _ *Secrets) { c.Network.IPFamily = site.DualStack }, "network.podCIDRs"},
		"broken range":          {func(_ *site.Site, c *site.Cluster, _ *Secrets) { c.Network.ServiceCIDRs = []string{"10.4.0.0"} }, "network.serviceCIDRs"},
		"unknown store node":    {func(_ *site.Site, c *site.Cluster, _ *Secrets) { c.Monitoring.Elasticsearch = []string{"w9"} }, `no node "w9"`},
		"two metric stores": {func(_ *site.Site, c *site.Cluster, _ *Secrets) {
			c.Monitoring = site.Monitoring{Prometheus: []string{"m1"}, VictoriaMetrics: []string{"m1"}}
		}, "exclude each other"},
		"product missing": {func(s *site.Site, _ *site.Cluster, _ *Secrets) { s.Platform.Products = []string{"acp"} }, "base is missing"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := threeNodes()
			sec := secretsOf(s)
			c.edit(&s, &s.Clusters[0], &sec)
			_, err := Build(s, "west", sec)
			require.ErrorContains(t, err, c.want)
			assert.Equal(t, fault.BadInput, fault.ClassOf(err))
			assert.NotContains(t, err.Error(), adminPassword)
		})
	}
	t.Run("all reasons at once", func(t *testing.T) {
		s := threeNodes()
		s.Platform.Address, s.Clusters[0].Kubernetes.Version = "", ""
		_, err := Build(s, "west", secretsOf(s))
		require.ErrorContains(t, err, "PAR-07")
		require.ErrorContains(t, err, "PAR-01")
	})
	t.Run("unknown cluster", func(t *testing.T) {
		_, err := Build(threeNodes(), "east", Secrets{})
		require.ErrorContains(t, err, `no cluster "east"`)
		require.ErrorContains(t, err, "use one of: west")
	})
}

func TestUnverifiedIsSaid(t *testing.T) {
	s := threeNodes()
	s.Clusters[0].Kubernetes.ContainerRuntime = ""
	s.Clusters[0].Isolation = true
	cfg, err := Build(s, "west", secretsOf(s))
	require.NoError(t, err)
	assert.Len(t, cfg.Unverified(), 2)
	assert.NotContains(t, string(cfg.Revealed()), "container-runtime", "a stale default is never made up")
}

func TestSetupFlags(t *testing.T) {
	cases := []struct {
		cni     site.CNI
		family  site.IPFamily
		profile string
		want    string
		err     string
	}{
		{site.KubeOVN, site.IPv4, "acp-4.1-seed", "", ""},
		{site.KubeOVN, site.DualStack, "acp-4.3", "", ""},
		{site.Calico, site.IPv4, "acp-4.1", "--network-mode calico", ""},
		{site.Calico, site.IPv6, "acp-4.1-seed", "--network-mode calico --ip-family ipv6", ""},
		{site.KubeOVN, site.IPv6, "acp-4.4-dev", "--ip-family ipv6", ""},
		{site.Calico, site.IPv4, "acp-4.2", "", "no longer exists in acp-4.2"},
		{site.Calico, site.IPv4, "acp-4.3", "", "EXE-08"},
		{site.KubeOVN, site.IPv4, "acp-9", "", "unknown"},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s %s %s", c.cni, c.family, c.profile), func(t *testing.T) {
			s := oneNode()
			s.Clusters[0].Network.CNI, s.Clusters[0].Network.IPFamily = c.cni, c.family
			flags, err := SetupFlags(s, "", c.profile)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				assert.Equal(t, fault.BadInput, fault.ClassOf(err))
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.want, strings.Join(flags, " "))
		})
	}
}

// TestExamplesBuild: a document with nothing but the site package's defaults
// has all that the interface needs.
func TestExamplesBuild(t *testing.T) {
	for name, text := range map[string][]byte{"example": site.Example(), "example for DR": site.ExampleDR()} {
		t.Run(name, func(t *testing.T) {
			s, err := site.Parse("moscow.yaml", text)
			require.NoError(t, err)
			for _, c := range s.Clusters {
				secrets, err := StandIns(*s, c.Name)
				require.NoError(t, err)
				_, err = Build(*s, c.Name, secrets)
				require.NoError(t, err)
			}
		})
	}
}
