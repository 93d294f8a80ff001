package platform

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/fault"
)

const domain = "acp.example.com"

// selfSigned makes a certificate for the names, valid around now.
func selfSigned(t *testing.T, notAfter time.Time, names ...string) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: notAfter.Add(-365 * 24 * time.Hour), NotAfter: notAfter,
	}, &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: names[0]}}, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// site serves a page behind a certificate; sni receives the name asked for.
func site(t *testing.T, cert tls.Certificate, page http.HandlerFunc) (dial DialFunc, sni, connected *string) {
	t.Helper()
	sni, connected = new(string), new(string)
	srv := httptest.NewUnstartedServer(page)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		*sni = h.ServerName
		return &cert, nil
	}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		*connected = address
		return (&net.Dialer{}).DialContext(ctx, network, srv.Listener.Addr().String())
	}, sni, connected
}

func page(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "<html><head><TITLE>\n global of west </TITLE></head>"+r.Host)
}

func outcomes(r Result) (status, certificate checks.Outcome) {
	return r.Findings[0].Outcome, r.Findings[1].Outcome
}

func TestFetch(t *testing.T) {
	cert, chain := selfSigned(t, time.Now().Add(time.Hour), domain)
	dial, sni, connected := site(t, cert, page)
	got, err := Fetch(t.Context(), dial, Target{Address: domain, Connect: "192.0.2.10", Port: 443, Certificate: chain}, time.Now())
	require.NoError(t, err)
	assert.Equal(t, "192.0.2.10:443", *connected, "the VIP, not what DNS says")
	assert.Equal(t, domain, *sni)
	assert.Equal(t, "https://acp.example.com/", got.URL)
	assert.Equal(t, "global of west", got.Title)
	assert.Equal(t, 200, got.Status)
	status, certificate := outcomes(got)
	assert.Equal(t, checks.Pass, status)
	assert.Equal(t, checks.Pass, certificate, got.Findings[1])
}

func TestCertificates(t *testing.T) {
	now := time.Now()
	own, ownChain := selfSigned(t, now.Add(time.Hour), domain)
	_, otherChain := selfSigned(t, now.Add(time.Hour), domain)
	foreign, foreignChain := selfSigned(t, now.Add(time.Hour), "another.example.com")
	expired, expiredChain := selfSigned(t, now.Add(-time.Hour), domain)
	recorded := fingerprint(own.Certificate[0])
	cases := map[string]struct {
		served tls.Certificate
		target Target
		want   checks.Outcome
	}{
		"the site's own":              {own, Target{Certificate: ownChain}, checks.Pass},
		"another than the site's":     {own, Target{Certificate: otherChain}, checks.Fail},
		"the site's lacks the domain": {foreign, Target{Certificate: foreignChain}, checks.Fail},
		"expired":                     {expired, Target{Certificate: expiredChain}, checks.Fail},
		"self-signed, first time":     {own, Target{}, checks.Pass},
		"self-signed, as recorded":    {own, Target{Fingerprint: strings.ToUpper(recorded)}, checks.Pass},
		"self-signed, changed":        {foreign, Target{Fingerprint: recorded}, checks.Fail},
		"self-signed, other name":     {foreign, Target{}, checks.Warn},
		"self-signed, expired":        {expired, Target{}, checks.Fail},
		"document without PEM":        {own, Target{Certificate: []byte("junk")}, checks.Error},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dial, _, _ := site(t, c.served, page)
			c.target.Address, c.target.Port = domain, 8443
			got, err := Fetch(t.Context(), dial, c.target, now)
			require.NoError(t, err)
			_, certificate := outcomes(got)
			assert.Equal(t, c.want, certificate, got.Findings[1])
			assert.Equal(t, "https://acp.example.com:8443/", got.URL)
		})
	}
}

func TestStatuses(t *testing.T) {
	cert, chain := selfSigned(t, time.Now().Add(time.Hour), domain)
	for code, want := range map[int]checks.Outcome{200: checks.Pass, 302: checks.Pass, 404: checks.Fail, 503: checks.Fail} {
		followed := false
		dial, _, _ := site(t, cert, func(w http.ResponseWriter, r *http.Request) {
			followed = followed || r.URL.Path != "/"
			w.Header().Set("Location", "/console")
			w.WriteHeader(code)
		})
		got, err := Fetch(t.Context(), dial, Target{Address: domain, Port: 443, Certificate: chain}, time.Now())
		require.NoError(t, err)
		status, _ := outcomes(got)
		assert.Equal(t, want, status, "HTTP %d", code)
		assert.False(t, followed, "redirects are not followed")
	}
}

func TestNoPage(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(page))
	t.Cleanup(plain.Close)
	to := func(address string) DialFunc {
		return func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	for name, c := range map[string]struct {
		dial DialFunc
		want fault.Class
	}{
		"nothing listens": {to(closed.Addr().String()), fault.Unreachable},
		"plain HTTP":      {to(plain.Listener.Addr().String()), fault.Protocol},
		"dialer's fault": {func(context.Context, string, string) (net.Conn, error) {
			return nil, fault.New(fault.Auth, "connect", "m1", "", errors.New("rejected"))
		}, fault.Auth},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Fetch(t.Context(), c.dial, Target{Address: domain, Port: 443}, time.Now())
			require.Error(t, err)
			assert.Equal(t, c.want, fault.ClassOf(err), err)
		})
	}
}
