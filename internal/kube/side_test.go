package kube

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// serve answers paths; what it does not know is 404.
func serve(t *testing.T, answers map[string]string) *Client {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		body, ok := answers[r.URL.Path]
		switch {
		case !ok:
			w.WriteHeader(http.StatusNotFound)
			body = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`
		case body == "":
			w.WriteHeader(http.StatusInternalServerError)
			body = `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"invalid padding on input","reason":"InternalError","code":500}`
		}
		_, _ = io.WriteString(w, body)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	ca := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	c, err := New(secret.NewValue(fmt.Appendf(nil, kubeconfigText, srv.URL, ca)), Options{})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// metas is a list of names as the API gives it with metadata only.
func metas(names ...string) string {
	var items []string
	for _, n := range names {
		items = append(items, fmt.Sprintf(`{"metadata":{"name":%q,"labels":{"service_name":%q}}}`, n, strings.TrimRight(n, "-0123456789")))
	}
	return `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":{},"items":[` + strings.Join(items, ",") + `]}`
}

func TestTokens(t *testing.T) {
	const config, jwks = "/.well-known/openid-configuration", "/openid/v1/jwks"
	read := func(answers map[string]string) (string, string, error) { return serve(t, answers).Tokens(t.Context()) }

	issuer, one, err := read(map[string]string{config: `{"issuer":"https://x"}`, jwks: `{"keys":[{"kid":"a","n":"1"},{"kid":"b","n":"2"}]}`})
	require.NoError(t, err)
	assert.Equal(t, "https://x", issuer)
	assert.Len(t, one, 64)
	_, other, err := read(map[string]string{config: `{"issuer":"https://x"}`, jwks: `{"keys":[{"n":"2","kid":"b"},{"kid":"a","n":"1"}]}`})
	require.NoError(t, err)
	assert.Equal(t, one, other, "the order means nothing")
	_, other, err = read(map[string]string{config: `{"issuer":"https://x"}`, jwks: `{"keys":[{"kid":"a","n":"1"}]}`})
	require.NoError(t, err)
	assert.NotEqual(t, one, other)

	for _, bad := range []map[string]string{{config: `{"issuer":"https://x"}`, jwks: `{"keys":[]}`}, {config: `{}`, jwks: `{"keys":[{"kid":"a"}]}`}, {config: `nonsense`, jwks: `{}`}} {
		_, _, err := read(bad)
		assert.True(t, fault.Is(err, fault.Protocol), "%v", err)
	}
}

func TestModuleAndVersion(t *testing.T) {
	c := serve(t, map[string]string{
		"/version": `{"gitVersion":"v1.32.1"}`,
		"/apis/cluster.alauda.io/v1alpha2/clustermodules/global": `{"kind":"ClusterModule","apiVersion":"cluster.alauda.io/v1alpha2","spec":{"version":"v4.1.0"},"status":{"phase":"Running"}}`,
	})
	version, phase, err := c.Module(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "v4.1.0 Running", version+" "+phase)
	kubernetes, err := c.Version(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "v1.32.1", kubernetes)
	_, _, err = serve(t, nil).Module(t.Context())
	assert.Error(t, err)
}

func TestInventory(t *testing.T) {
	c := serve(t, map[string]string{
		"/api/v1/namespaces":                         metas("default", "operators"),
		"/api/v1/namespaces/default/configmaps":      metas("kube-root-ca.crt", "b", "a"),
		"/api/v1/namespaces/operators/configmaps":    metas(),
		"/api/v1/namespaces/default/serviceaccounts": metas("default"),
	})
	got, err := c.Inventory(t.Context(), []string{"default", "kubevirt", "operators"})
	require.NoError(t, err)
	assert.Equal(t, []Holding{{Namespace: "default", Kind: "configmaps", Names: []string{"a", "b"}}}, got)
	for what, answers := range map[string]map[string]string{
		"a kind can't be listed":       {"/api/v1/namespaces": metas("default"), "/api/v1/namespaces/default/configmaps": ""},
		"namespaces can't be listed":   {"/api/v1/namespaces": "", "/api/v1/namespaces/default/configmaps": metas("a")},
		"nobody knows namespaces here": {"/api/v1/namespaces/default/configmaps": metas("a")},
	} {
		_, err = serve(t, answers).Inventory(t.Context(), []string{"default"})
		assert.Error(t, err, what)
	}
}

// One Secret that can't be decrypted fails the whole list: then each namespace
// tells for itself.
func TestReadableSecrets(t *testing.T) {
	read, failed, err := serve(t, map[string]string{"/api/v1/secrets": metas("a", "b")}).ReadableSecrets(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, read)
	assert.Empty(t, failed)

	answers := map[string]string{"/api/v1/secrets": "", "/api/v1/namespaces": metas("one", "two"),
		"/api/v1/namespaces/one/secrets": metas("a"), "/api/v1/namespaces/two/secrets": ""}
	read, failed, err = serve(t, answers).ReadableSecrets(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, read)
	require.Len(t, failed, 1)
	assert.Contains(t, failed[0], "two: ")
	assert.Contains(t, failed[0], "invalid padding")

	answers["/api/v1/namespaces/two/secrets"] = metas()
	_, _, err = serve(t, answers).ReadableSecrets(t.Context())
	assert.Error(t, err, "no namespace is to blame, and still not all could be read")
}

func TestLabelledAndMachines(t *testing.T) {
	c := serve(t, map[string]string{
		"/api/v1/namespaces/cpaas-system/pods": metas("vmselect-0", "vmselect-1", "alertmanager-0"),
		"/apis/platform.tkestack.io/v1/machines": `{"kind":"MachineList","apiVersion":"platform.tkestack.io/v1","items":[
			{"kind":"Machine","apiVersion":"platform.tkestack.io/v1","metadata":{"name":"a"},"status":{"phase":"Running"}},
			{"kind":"Machine","apiVersion":"platform.tkestack.io/v1","metadata":{"name":"b","deletionTimestamp":"2026-01-01T00:00:00Z"}}]}`,
	})
	counts, err := c.Labelled(t.Context(), "cpaas-system", "service_name in (vmselect)", "service_name")
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"vmselect": 2, "alertmanager": 1}, counts)
	machines, err := c.Machines(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []MachineState{{Name: "a", Phase: "Running"}, {Name: "b", Deleting: true}}, machines)
}
