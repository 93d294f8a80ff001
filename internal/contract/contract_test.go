package contract_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/contract"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/installer"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
)

// pair is a site whose second cluster fits the first.
func pair() site.Site {
	s := site.Site{
		Name: "moscow", Profile: "acp-4.1-seed",
		Platform: site.Platform{Address: "acp.example.com", HTTPSPort: 443, HTTPPort: 80, AdminUser: "admin", AdminPassword: "env:A",
			Products: []string{"base", "acp"}, Certificate: &site.Certificate{Certificate: "env:C", PrivateKey: "env:K"}},
		Registry: site.Registry{Username: "puller", Password: "env:R"},
		DR:       site.DR{Planned: true},
	}
	for i, name := range []string{"west", "east"} {
		vip := fmt.Sprintf("192.0.2.%d0", i+1)
		s.Clusters = append(s.Clusters, site.Cluster{
			Name: name, Endpoint: site.Endpoint{VIP: vip}, Other: []string{vip},
			Kubernetes: site.Kubernetes{Version: "v1.32.6", ContainerRuntime: "containerd://1.7.27-4"},
			Network: site.Network{CNI: site.KubeOVN, IPFamily: site.IPv4, MaxPods: 110,
				PodCIDRs: []string{"10.3.0.0/16"}, ServiceCIDRs: []string{"10.4.0.0/16"}, JoinCIDRs: []string{"100.64.0.0/16"}},
			SSH:   site.SSH{User: "ops", Port: 22, Password: "env:S"},
			Nodes: []site.Node{{Name: name + "-1", Address: fmt.Sprintf("192.0.2.%d1", i+1), Role: site.ControlPlane}},
		})
	}
	return s
}

// issue makes a certificate and its key in both PEM forms.
func issue(t *testing.T, name string) (cert, pkcs8, sec1 string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	p8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	s1, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	coded := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return coded("CERTIFICATE", der), coded("PRIVATE KEY", p8), coded("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}) + coded("EC PRIVATE KEY", s1)
}

func value(s string) secret.Value { return secret.NewValue([]byte(s)) }

func secrets(cert, key string) installer.Secrets {
	return installer.Secrets{AdminPassword: value("admin-password-1"), RegistryPassword: value("registry-password-1"),
		SSHPassword: value("ssh-password-1"), Certificate: value(cert), CertificateKey: value(key)}
}

func terms(t *testing.T, s site.Site, cluster string, sec installer.Secrets) contract.Terms {
	t.Helper()
	out, err := contract.Of(s, cluster, sec)
	require.NoError(t, err)
	return out
}

// stored is the contract after it lay on the primary.
func stored(t *testing.T, terms contract.Terms) contract.Contract {
	t.Helper()
	made, err := terms.Record()
	require.NoError(t, err)
	c, err := contract.Parse(made.Marshal(), "west")
	require.NoError(t, err)
	assert.Equal(t, made.Digest(), c.Digest())
	return c
}

func TestAFittingStandbyBreaksNothing(t *testing.T) {
	cert, key, sameKey := issue(t, "acp.example.com")
	west := terms(t, pair(), "west", secrets(cert, key))
	east := terms(t, pair(), "east", secrets("\n# a comment\n"+cert, sameKey))
	c := stored(t, west)
	assert.Empty(t, c.Compare(west))
	assert.Empty(t, c.Compare(east))
	assert.Empty(t, west.Own())
	assert.Empty(t, east.Own())
	rest := strings.Join(c.Rest(east), "\n")
	assert.Contains(t, rest, "cluster.features.ha.vip: 192.0.2.10 → 192.0.2.20")
	assert.Contains(t, rest, "console.host.0: 192.0.2.10 → 192.0.2.20")
	assert.NotContains(t, rest, "serviceCIDR")
}

func TestAContractHoldsNoSecret(t *testing.T) {
	cert, key, _ := issue(t, "acp.example.com")
	sec := secrets(cert, key)
	c := stored(t, terms(t, pair(), "west", sec))
	text := string(c.Marshal()) + fmt.Sprintf("%+v", terms(t, pair(), "west", sec))
	assert.NotContains(t, text, "\n")
	assert.Equal(t, secret.Redact(text), text, "nothing in it is known as a secret")
	for _, leak := range []string{"admin-password", "registry-password", "ssh-password", "PRIVATE KEY"} {
		assert.NotContains(t, text, leak)
	}
}

// Each broken term is found by itself, and named with its requirement.
func TestBrokenTerms(t *testing.T) {
	cert, key, _ := issue(t, "acp.example.com")
	renewed, renewedKey, _ := issue(t, "acp.example.com")
	c := stored(t, terms(t, pair(), "west", secrets(cert, key)))
	cases := map[string]struct {
		site func(*site.Site)
		sec  func(*installer.Secrets)
		want []string // fields
		id   string
	}{
		"address":           {site: func(s *site.Site) { s.Platform.Address = "b.example.com" }, want: []string{"console.globalHost", "registry.domain"}, id: "DR-22"},
		"HTTP":              {site: func(s *site.Site) { s.Platform.HTTPPort = 8080 }, want: []string{"console.httpPort"}, id: "DR-17"},
		"HTTPS":             {site: func(s *site.Site) { s.Platform.HTTPSPort = 8443 }, want: []string{"console.httpsPort"}, id: "DR-17"},
		"external registry": {site: func(s *site.Site) { s.Registry.External = "r.example.com" }, want: []string{"registry.domain", "registry.externalAddress"}, id: "DR-22"},
		"registry user":     {site: func(s *site.Site) { s.Registry.Username = "other" }, want: []string{"registry.username"}, id: "DR-16"},
		"registry password": {sec: func(s *installer.Secrets) { s.RegistryPassword = value("registry-password-2") }, want: []string{"registry.password"}, id: "DR-22"},
		"administrator":     {site: func(s *site.Site) { s.Platform.AdminUser = "root" }, want: []string{"basic.username"}, id: "DR-22"},
		"admin password":    {sec: func(s *installer.Secrets) { s.AdminPassword = value("admin-password-2") }, want: []string{"basic.password"}, id: "DR-22"},
		"certificate":       {sec: func(s *installer.Secrets) { s.Certificate, s.CertificateKey = value(renewed), value(renewedKey) }, want: []string{"console.cert, key SHA-256", "console.cert, leaf SHA-256"}, id: "DR-15"},
		"chain":             {sec: func(s *installer.Secrets) { s.Certificate = value(cert + renewed) }, want: []string{"console.cert, chain SHA-256"}, id: "DR-15"},
		"key":               {sec: func(s *installer.Secrets) { s.CertificateKey = value(renewedKey) }, want: []string{"console.cert, key SHA-256"}, id: "DR-15"},
		"self-signed":       {site: func(s *site.Site) { s.Platform.Certificate = nil }, sec: func(s *installer.Secrets) { s.Certificate, s.CertificateKey = secret.Value{}, secret.Value{} }, want: []string{"console.cert, key SHA-256", "console.cert, leaf SHA-256"}, id: "DR-15"},
		"Kubernetes":        {site: func(s *site.Site) { s.Clusters[1].Kubernetes.Version = "v1.33.1" }, want: []string{"cluster.version"}, id: "PAR-01"},
		"container runtime": {site: func(s *site.Site) { s.Clusters[1].Kubernetes.ContainerRuntime = "" }, want: []string{"cluster.annotations.cpaas.io/container-runtime"}, id: "PAR-01"},
		"CNI":               {site: func(s *site.Site) { s.Clusters[1].Network.CNI = site.Calico }, want: []string{"cluster.annotations.cpaas.io/network-type"}, id: "GEN-07"},
		"service range":     {site: func(s *site.Site) { s.Clusters[1].Network.ServiceCIDRs = []string{"10.5.0.0/16"} }, want: []string{"cluster.serviceCIDR"}, id: "PAR-14"},
		"products":          {site: func(s *site.Site) { s.Platform.Products = append(s.Platform.Products, "devops") }, want: []string{"product"}, id: "DR-22"},
		"node isolation":    {site: func(s *site.Site) { s.Clusters[1].Isolation = true }, want: []string{"deployMode"}, id: "PAR-20"},
		"order of products": {site: func(s *site.Site) { s.Platform.Products = []string{"acp", "base"} }},
		"pods of their own": {site: func(s *site.Site) { s.Clusters[1].Network.PodCIDRs = []string{"10.9.0.0/16"} }},
		"more nodes": {site: func(s *site.Site) {
			s.Clusters[1].Nodes = append(s.Clusters[1].Nodes, site.Node{Name: "w", Address: "192.0.2.29", Role: site.Worker})
		}},
		"another SSH secret": {sec: func(s *installer.Secrets) { s.SSHPassword = value("ssh-password-2") }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s, sec := pair(), secrets(cert, key)
			if tc.site != nil {
				tc.site(&s)
			}
			if tc.sec != nil {
				tc.sec(&sec)
			}
			var fields []string
			said := ""
			for _, d := range c.Compare(terms(t, s, "east", sec)) {
				fields = append(fields, d.Field)
				said += d.String() + "\n"
			}
			assert.ElementsMatch(t, tc.want, fields)
			assert.Contains(t, said, tc.id)
			assert.NotContains(t, said, "password-")
			assert.Equal(t, said, secret.Redact(said))
		})
	}
}

func TestDemandsOnEachSide(t *testing.T) {
	cert, key, _ := issue(t, "acp.example.com")
	for name, tc := range map[string]struct {
		change func(*site.Site, *installer.Secrets)
		want   []string
	}{
		"self-built VIP": {func(s *site.Site, _ *installer.Secrets) {
			s.Clusters[1].Endpoint.SelfBuilt, s.Clusters[1].Endpoint.VRID = true, 137
		}, []string{"DR-13"}},
		"IP as address": {func(s *site.Site, _ *installer.Secrets) { s.Platform.Address = "192.0.2.99" }, []string{"DR-14"}},
		"domain as VIP": {func(s *site.Site, _ *installer.Secrets) { s.Clusters[1].Endpoint.Domain = "east.example.com" }, []string{"DR-14", "DR-18"}},
		"self-signed": {func(s *site.Site, sec *installer.Secrets) {
			s.Platform.Certificate, sec.Certificate, sec.CertificateKey = nil, secret.Value{}, secret.Value{}
		}, []string{"DR-15"}},
		"no credentials": {func(s *site.Site, sec *installer.Secrets) {
			s.Registry, sec.RegistryPassword = site.Registry{}, secret.Value{}
		}, []string{"DR-16", "DR-16"}},
		"not planned":       {func(s *site.Site, _ *installer.Secrets) { s.DR.Planned = false }, []string{"DR-16"}},
		"ports":             {func(s *site.Site, _ *installer.Secrets) { s.Platform.HTTPPort, s.Platform.HTTPSPort = 0, 8443 }, []string{"DR-17", "DR-17"}},
		"VIP not mentioned": {func(s *site.Site, _ *installer.Secrets) { s.Clusters[1].Other = []string{"192.0.2.10"} }, []string{"DR-18"}},
		"external registry needs no credentials": {func(s *site.Site, sec *installer.Secrets) {
			s.Registry, sec.RegistryPassword = site.Registry{External: "r.example.com"}, secret.Value{}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, sec := pair(), secrets(cert, key)
			tc.change(&s, &sec)
			var ids []string
			for _, d := range terms(t, s, "east", sec).Own() {
				ids = append(ids, d.Source)
			}
			assert.Equal(t, tc.want, ids)
		})
	}
}

func TestLongPasswordsAreComparedWhole(t *testing.T) {
	cert, key, _ := issue(t, "acp.example.com")
	sec := secrets(cert, key)
	sec.AdminPassword = value(strings.Repeat("x", 100) + "1")
	c := stored(t, terms(t, pair(), "west", sec))
	assert.Empty(t, c.Compare(terms(t, pair(), "east", sec)))
	sec.AdminPassword = value(strings.Repeat("x", 100) + "2")
	assert.Len(t, c.Compare(terms(t, pair(), "east", sec)), 1)
}

func TestUnreadableContractsAreCorrupt(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "no JSON": "{", "another version": `{"version":2,"cluster":"west","parameters":{"a":"b"}}`,
		"a later field": `{"version":1,"cluster":"west","parameters":{"a":"b"},"new":1}`, "no parameters": `{"version":1,"cluster":"west"}`,
	} {
		_, err := contract.Parse([]byte(text), "west")
		assert.True(t, fault.Is(err, fault.Corrupt), "%s: %v", name, err)
	}
}

func TestUnreadableCertificatesAreRefused(t *testing.T) {
	cert, key, _ := issue(t, "acp.example.com")
	for name, sec := range map[string]installer.Secrets{
		"no certificate": secrets(key, key), "broken": secrets("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key),
		"no key": secrets(cert, cert), "key is no PEM": secrets(cert, "secret-text"),
	} {
		_, err := contract.Of(pair(), "west", sec)
		assert.True(t, fault.Is(err, fault.BadInput), "%s: %v", name, err)
		assert.NotContains(t, fmt.Sprint(err), "secret-text")
	}
}
