package platform

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/test/lab/installer/pki"
	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

// The API behind the platform's address knows its user by the token alone.
func TestGateway(t *testing.T) {
	const path = "/api/v1/namespaces/kube-system"
	ca, err := pki.NewCA("test")
	require.NoError(t, err)
	serving, err := ca.Issue(pki.Request{CommonName: "server", Hosts: []string{"127.0.0.1"}, Server: true})
	require.NoError(t, err)
	pair, err := tls.X509KeyPair(serving.Cert, serving.Key)
	require.NoError(t, err)
	api := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Empty(t, r.TLS.PeerCertificates, "the gateway must lend nobody rights of its own")
		require.Empty(t, r.Header.Get("X-Remote-User"))
		require.Empty(t, r.Header.Get("Impersonate-User"))
		if r.URL.Path != path || r.Header.Get("Authorization") != "Bearer right" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		require.NoError(t, json.NewEncoder(w).Encode(object{"metadata": object{"uid": "the-uid"}}))
	}))
	api.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert}
	api.StartTLS()
	defer api.Close()
	gateway, err := newGateway(kubeapi.Kubeconfig{Server: api.URL, CA: ca.Cert})
	require.NoError(t, err)
	get := func(path, authorization string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		req.Header.Set("X-Remote-User", "root")
		req.Header.Set("Impersonate-User", "root")
		w := httptest.NewRecorder()
		gateway.ServeHTTP(w, req)
		return w
	}
	answer := get(GatewayPath+path, "Bearer right")
	require.Equal(t, http.StatusOK, answer.Code)
	require.Contains(t, answer.Body.String(), "the-uid")
	require.Equal(t, http.StatusUnauthorized, get(GatewayPath+path, "Bearer wrong").Code)
	require.Equal(t, http.StatusUnauthorized, get(GatewayPath+path, "").Code)
	require.Equal(t, http.StatusUnauthorized, get(GatewayPath+path, "Basic cm9vdDpyb290").Code)

	api.Close()
	require.Equal(t, http.StatusBadGateway, get(GatewayPath+path, "Bearer right").Code)
}
