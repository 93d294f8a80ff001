package kube

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

const kubeconfigText = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "%s", certificate-authority-data: %s}}]
users: [{name: u, user: {token: bearer-token-of-the-admin}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`

// api serves one answer over TLS; its certificate names example.com.
func api(t *testing.T, status int, body string) (kubeconfig func(server string) secret.Value, address string, seen *http.Request) {
	t.Helper()
	seen = &http.Request{}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*seen = *r
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are part of the tests
	srv.StartTLS()
	t.Cleanup(srv.Close)
	ca := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	return func(server string) secret.Value {
		return secret.NewValue(fmt.Appendf(nil, kubeconfigText, server, ca))
	}, strings.TrimPrefix(srv.URL, "https://"), seen
}

const namespaceBody = `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"kube-system","uid":"0f0f"}}`

// TestServerNameSurvivesAnotherAddress: the connection goes through a dialer to
// an address of the caller, and TLS still verifies the kubeconfig's server.
func TestServerNameSurvivesAnotherAddress(t *testing.T) {
	kubeconfig, address, seen := api(t, 200, namespaceBody)
	var dialled string
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialled = addr
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	c, err := New(kubeconfig("https://example.com:6443"), Options{Dial: dial, Address: "127.0.0.1:6443"})
	require.NoError(t, err)
	uid, err := c.UID(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "0f0f", uid)
	assert.Equal(t, "127.0.0.1:6443", dialled)
	assert.Equal(t, "example.com", seen.TLS.ServerName)
	assert.Equal(t, "Bearer bearer-token-of-the-admin", seen.Header.Get("Authorization"))
}

func TestWrongServerIsRefused(t *testing.T) {
	kubeconfig, address, _ := api(t, 200, namespaceBody)
	c, err := New(kubeconfig("https://other.example.net:6443"), Options{Address: address})
	require.NoError(t, err)
	_, err = c.UID(t.Context())
	require.Error(t, err)
	assert.Equal(t, fault.HostKey, fault.ClassOf(err), err)
}

func TestAPIFaults(t *testing.T) {
	for status, want := range map[int]fault.Class{
		401: fault.Auth, 403: fault.Auth, 404: fault.Protocol, 409: fault.Conflict, 500: fault.Protocol, 503: fault.Protocol,
	} {
		kubeconfig, address, _ := api(t, status, fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d}`,
			map[int]string{401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 500: "InternalError", 503: "ServiceUnavailable"}[status], status))
		c, err := New(kubeconfig("https://example.com"), Options{Address: address})
		require.NoError(t, err)
		_, err = c.UID(t.Context())
		assert.Equal(t, want, fault.ClassOf(err), "HTTP %d: %v", status, err)
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	kubeconfig, _, _ := api(t, 200, namespaceBody)
	c, err := New(kubeconfig("https://example.com"), Options{Address: closed.Addr().String()})
	require.NoError(t, err)
	_, err = c.UID(t.Context())
	assert.Equal(t, fault.Unreachable, fault.ClassOf(err))
}

// TestKubeconfigIsNotTrusted: it comes from a node and must not make the
// worker run, read or trust anything.
func TestKubeconfigIsNotTrusted(t *testing.T) {
	const head = "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
	const goodCluster = "clusters: [{name: c, cluster: {server: 'https://example.com'}}]\n"
	const goodUser = "users: [{name: u, user: {token: some-secret-token}}]\n"
	for name, text := range map[string]string{
		"runs a command":   head + goodCluster + "users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: touch, args: [/tmp/x], interactiveMode: Never}}}]\n",
		"auth provider":    head + goodCluster + "users: [{name: u, user: {auth-provider: {name: oidc}}}]\n",
		"reads a file":     head + goodCluster + "users: [{name: u, user: {tokenFile: /etc/shadow}}]\n",
		"reads a key file": head + goodCluster + "users: [{name: u, user: {client-certificate: /a, client-key: /b}}]\n",
		"CA from a file":   head + "clusters: [{name: c, cluster: {server: 'https://example.com', certificate-authority: /a}}]\n" + goodUser,
		"not verified":     head + "clusters: [{name: c, cluster: {server: 'https://example.com', insecure-skip-tls-verify: true}}]\n" + goodUser,
		"behind a proxy":   head + "clusters: [{name: c, cluster: {server: 'https://example.com', proxy-url: 'http://192.0.2.1'}}]\n" + goodUser,
		"plain http":       head + "clusters: [{name: c, cluster: {server: 'http://example.com'}}]\n" + goodUser,
		"no kubeconfig":    "some-secret-token: [",
		"empty":            "",
		"unknown context":  strings.Replace(head, "current-context: x", "current-context: y", 1) + goodCluster + goodUser,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(secret.NewValue([]byte(text)), Options{})
			require.Error(t, err)
			assert.True(t, fault.ClassOf(err).Permanent())
			assert.NotContains(t, err.Error(), "some-secret-token")
		})
	}
}

// countedConn counts what is open.
type countedConn struct {
	net.Conn
	open *atomic.Int32
	once sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// TestCloseLeavesNoConnection: a runbook makes many clients over one SSH
// connection, and each of their connections is a channel of it.
func TestCloseLeavesNoConnection(t *testing.T) {
	kubeconfig, address, _ := api(t, 200, namespaceBody)
	var open atomic.Int32
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		open.Add(1)
		return &countedConn{Conn: conn, open: &open}, err
	}
	for range 5 {
		c, err := New(kubeconfig("https://example.com"), Options{Dial: dial})
		require.NoError(t, err)
		for range 3 {
			_, err = c.UID(t.Context())
			require.NoError(t, err)
		}
		assert.EqualValues(t, 1, open.Load(), "one connection serves all requests")
		c.Close()
		assert.Eventually(t, func() bool { return open.Load() == 0 }, 30*time.Second, 10*time.Millisecond)
	}
}
