package lab

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPlatformCertificateServesDomainAndVIPs(t *testing.T) {
	now := time.Now()
	c, err := newCertificates([]Cluster{{"west", "198.18.7.10"}, {"east", "198.18.7.20"}}, now)
	require.NoError(t, err)
	pair, err := tls.X509KeyPair([]byte(c.chain), []byte(c.key))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(c.ca)))
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	require.NoError(t, err)
	for _, name := range []string{Domain, "east." + Zone, "198.18.7.10", "198.18.7.20"} {
		_, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: now})
		require.NoError(t, err, name)
	}
	_, err = leaf.Verify(x509.VerifyOptions{DNSName: "other.example.com", Roots: roots, CurrentTime: now})
	require.Error(t, err)
}
