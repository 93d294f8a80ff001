package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/test/lab/installer/pki"
)

// expired issues a client certificate whose time is over.
func expired(t *testing.T, ca pki.Pair, end time.Time) pki.Pair {
	t.Helper()
	caPair, err := tls.X509KeyPair(ca.Cert, ca.Key)
	require.NoError(t, err)
	parent, err := x509.ParseCertificate(caPair.Certificate[0])
	require.NoError(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "old-client"}, NotBefore: end.Add(-time.Hour), NotAfter: end,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, parent, key.Public(), caPair.PrivateKey)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	return pki.Pair{Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Key: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})}
}

// refused opens a client that must fail, quickly, and returns why.
func refused(t *testing.T, o etcd.Options, class fault.Class, words ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	began := time.Now()
	c, err := etcd.Open(ctx, o)
	if err == nil {
		c.Close()
	}
	require.Error(t, err)
	assert.Equal(t, class, fault.ClassOf(err), "%v", err)
	assert.Less(t, time.Since(began), 25*time.Second, "a request may take longer, a connection not: %v", err)
	for _, w := range append(words, o.Address) {
		assert.Contains(t, err.Error(), w)
	}
	for line := range strings.Lines(string(o.Key.Reveal())) {
		assert.NotContains(t, err.Error(), strings.TrimSpace(line))
	}
}

func TestCertificates(t *testing.T) {
	s := start(t, "one")
	end := time.Now().Add(-24 * time.Hour).Truncate(time.Second)
	old := expired(t, s.ca, end)
	o := s.options()
	o.Certificate, o.Key = old.Cert, secret.NewValue(old.Key)
	refused(t, o, fault.Auth, "old-client", end.UTC().Format(time.RFC3339), "refused the client certificate")

	other, err := pki.NewCA("etcd-ca")
	require.NoError(t, err)
	foreign, err := other.Issue(pki.Request{CommonName: "foreign-client", Client: true})
	require.NoError(t, err)
	o = s.options()
	o.Certificate, o.Key = foreign.Cert, secret.NewValue(foreign.Key)
	refused(t, o, fault.Auth, "foreign-client")

	o = s.options()
	o.CA = other.Cert
	refused(t, o, fault.HostKey, "certificate")

	o = s.options()
	o.Key = secret.NewValue(foreign.Key)
	refused(t, o, fault.Corrupt, "no PEM pair")
	o = s.options()
	o.CA = []byte("nonsense")
	refused(t, o, fault.Corrupt, "authority")
}

// TestWhatIsNoEtcd: programs that a wrong address or a balancer of the wrong
// kind puts in etcd's place.
func TestWhatIsNoEtcd(t *testing.T) {
	s := start(t, "one")
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	plain := httptest.NewServer(page)
	defer plain.Close()
	o := s.options()
	o.Address = strings.TrimPrefix(plain.URL, "http://")
	refused(t, o, fault.Protocol, "does not speak TLS", "DR-30")

	for name, http2 := range map[string]bool{"HTTP/1 over TLS": false, "HTTP/2 over TLS": true} {
		t.Run(name, func(t *testing.T) {
			serving, err := s.ca.Issue(pki.Request{CommonName: "balancer", Hosts: []string{"127.0.0.1"}, Server: true})
			require.NoError(t, err)
			pair, err := tls.X509KeyPair(serving.Cert, serving.Key)
			require.NoError(t, err)
			balancer := httptest.NewUnstartedServer(page)
			balancer.EnableHTTP2 = http2
			balancer.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
			balancer.Config.ErrorLog = log.New(io.Discard, "", 0)
			balancer.StartTLS()
			defer balancer.Close()
			o := s.options()
			o.Address = strings.TrimPrefix(balancer.URL, "https://")
			refused(t, o, fault.Protocol, "does not speak as etcd does")
		})
	}
}

func TestUnreachable(t *testing.T) {
	s := start(t, "one")
	o := s.options()
	o.Address = freeAddresses(t, 1)[0] // nobody listens
	refused(t, o, fault.Unreachable, "refused", "Fix:")

	deaf, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	require.NoError(t, err)
	defer deaf.Close()
	o.Address = deaf.Addr().String()
	refused(t, o, fault.Unreachable)

	o = s.options()
	o.Dial = func(context.Context, string, string) (net.Conn, error) {
		return nil, fault.New(fault.Refused, "connect", "jump", "mend it", errors.New("the way there is closed"))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = etcd.Open(ctx, o)
	assert.Equal(t, fault.Refused, fault.ClassOf(err), "the way there knows better: %v", err)

	o = s.options()
	dialled := ""
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled = address
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	c, err := etcd.Open(ctx, o)
	require.NoError(t, err)
	defer c.Close()
	assert.Equal(t, s.address, dialled)

	stopped, stop := context.WithCancel(t.Context())
	stop()
	_, err = c.Position(stopped)
	assert.ErrorIs(t, err, context.Canceled)

	_, err = etcd.Prove(t.Context(), c, c, etcd.Request{})
	assert.Equal(t, fault.BadInput, fault.ClassOf(err), "an etcd equals itself: %v", err)
}
