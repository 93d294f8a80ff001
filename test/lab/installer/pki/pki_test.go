package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/stretchr/testify/require"
)

func parse(t *testing.T, p Pair) *x509.Certificate {
	t.Helper()
	_, err := tls.X509KeyPair(p.Cert, p.Key)
	require.NoError(t, err, "certificate and key belong together")
	block, _ := pem.Decode(p.Cert)
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	return cert
}

func TestControlPlaneCertificatesVerify(t *testing.T) {
	a, err := NewAuthorities()
	require.NoError(t, err)
	pairs, err := a.ControlPlane(NodeNames{NodeName: "192.0.2.11", Hostname: "west-1", Addresses: []string{"192.0.2.11"},
		ClusterAddress: "192.0.2.10", ServiceIPs: []string{"10.4.0.1"}})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		ca    Pair
		usage x509.ExtKeyUsage
		names []string
	}{
		"apiserver": {a.Kubernetes, x509.ExtKeyUsageServerAuth,
			[]string{"192.0.2.10", "192.0.2.11", "10.4.0.1", "127.0.0.1", "west-1", "kubernetes.default.svc"}},
		"apiserver-kubelet-client": {a.Kubernetes, x509.ExtKeyUsageClientAuth, nil},
		"apiserver-etcd-client":    {a.Etcd, x509.ExtKeyUsageClientAuth, nil},
		"front-proxy-client":       {a.FrontProxy, x509.ExtKeyUsageClientAuth, nil},
		"etcd/server":              {a.Etcd, x509.ExtKeyUsageServerAuth, []string{"192.0.2.10", "192.0.2.11", "127.0.0.1"}},
		"etcd/peer":                {a.Etcd, x509.ExtKeyUsageClientAuth, []string{"192.0.2.11"}},
	} {
		t.Run(name, func(t *testing.T) {
			cert := parse(t, pairs[name])
			roots := x509.NewCertPool()
			roots.AddCert(parse(t, c.ca))
			_, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{c.usage}})
			require.NoError(t, err)
			for _, host := range c.names {
				require.NoError(t, cert.VerifyHostname(host))
			}
			require.Error(t, cert.VerifyHostname("192.0.2.99"))
		})
	}
}

func TestAuthoritiesAreApart(t *testing.T) {
	a, err := NewAuthorities()
	require.NoError(t, err)
	stranger, err := a.Etcd.Issue(Request{CommonName: "x", Client: true})
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parse(t, a.Kubernetes))
	_, err = parse(t, stranger).Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	require.Error(t, err)
}
