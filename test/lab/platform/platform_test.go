package platform

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/test/lab/installer/pki"
	"github.com/acpflow/acpflow/test/lab/kubeapi"
	"github.com/acpflow/acpflow/test/lab/synchronizer"
)

// newAPI is a client of a server that a test answers for.
func newAPI(t *testing.T, answer http.HandlerFunc) *kubeapi.Client {
	t.Helper()
	ca, err := pki.NewCA("test")
	require.NoError(t, err)
	serving, err := ca.Issue(pki.Request{CommonName: "server", Hosts: []string{"127.0.0.1"}, Server: true})
	require.NoError(t, err)
	user, err := ca.Issue(pki.Request{CommonName: "user", Client: true})
	require.NoError(t, err)
	pair, err := tls.X509KeyPair(serving.Cert, serving.Key)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.Cert)
	s := httptest.NewUnstartedServer(answer)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	client, err := kubeapi.Kubeconfig{Server: s.URL, CA: ca.Cert, ClientCert: user.Cert, Key: user.Key}.New("test")
	require.NoError(t, err)
	return client
}

func TestRegistry(t *testing.T) {
	api := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, imagesPath, r.URL.Path)
		require.NoError(t, json.NewEncoder(w).Encode(object{"data": object{archKey: "amd64,arm64"}}))
	})
	r := &registry{config: ConsoleConfig{RegistryUser: "robot", RegistryPassword: "secret"}, api: api}
	get := func(path, password string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		if password != "" {
			req.SetBasicAuth("robot", password)
		}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		return w
	}
	require.Equal(t, http.StatusUnauthorized, get("/v2/", "").Code)
	require.Equal(t, http.StatusUnauthorized, get("/v2/", "wrong").Code)
	require.Equal(t, http.StatusOK, get("/v2/", "secret").Code)
	require.Contains(t, get("/v2/_catalog", "secret").Body.String(), "acp/sentry")
	index := get("/v2/acp/sentry/manifests/latest", "secret")
	require.Equal(t, indexType, index.Header().Get("Content-Type"))
	require.Contains(t, index.Body.String(), `"architecture":"arm64"`)
	require.Equal(t, http.StatusNotFound, get("/v2/acp/unknown/manifests/latest", "secret").Code)
	require.Equal(t, http.StatusNotFound, get("/v3", "secret").Code)
}

func TestObjectsCanBeApplied(t *testing.T) {
	v := Values{ClusterAddress: "192.0.2.10", PlatformAddress: "acp.example.com", Architectures: []string{"amd64"},
		Elasticsearch: true, VictoriaMetrics: true, Machines: []Machine{{Name: "a", IP: "192.0.2.11", Port: 22, Master: true}}}
	var all []object
	for _, objects := range [][]object{Definitions(), AddOns(v), Core(v), Plugins(v), Finished(v)} {
		all = append(all, objects...)
	}
	for _, o := range all {
		require.NotEmpty(t, o["apiVersion"])
		require.NotEmpty(t, o["kind"])
		require.NotContains(t, Describe(o), "<nil>")
		_, err := json.Marshal(o)
		require.NoError(t, err)
	}
	require.Equal(t, map[string]string{ArchConstraint: "amd64"}, clusterObject(v)["metadata"].(object)["labels"])
	v.Architectures = []string{"amd64", "arm64"}
	require.NotContains(t, clusterObject(v)["metadata"], "labels", "a hybrid package sets no constraint")
}

// The console gives client certificates of its etcd to whoever knows the
// registry's credentials, over TLS only.
func TestEtcdClientCertificates(t *testing.T) {
	ca, err := pki.NewCA("etcd-ca")
	require.NoError(t, err)
	dir := t.TempDir()
	e := &etcdClient{registry: &registry{config: ConsoleConfig{RegistryUser: "robot", RegistryPassword: "secret"}},
		ca: filepath.Join(dir, "ca.crt"), key: filepath.Join(dir, "ca.key")}
	require.NoError(t, os.WriteFile(e.ca, ca.Cert, 0o600))
	require.NoError(t, os.WriteFile(e.key, ca.Key, 0o600))
	get := func(secure bool, password string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(http.MethodGet, synchronizer.ClientPath, http.NoBody)
		if secure {
			req.TLS = &tls.ConnectionState{}
		}
		req.SetBasicAuth("robot", password)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, req)
		return w
	}
	require.Equal(t, http.StatusUnauthorized, get(true, "wrong").Code)
	require.Equal(t, http.StatusUnauthorized, get(false, "secret").Code)
	var made struct{ CA, Cert, Key []byte }
	require.NoError(t, json.NewDecoder(get(true, "secret").Body).Decode(&made))
	require.Equal(t, ca.Cert, made.CA)
	pair, err := tls.X509KeyPair(made.Cert, made.Key)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(made.CA))
	_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	require.NoError(t, err)

	e.registry.config.RegistryUser = ""
	require.Equal(t, http.StatusUnauthorized, get(true, "secret").Code, "without credentials of the registry nobody gets one")
}
