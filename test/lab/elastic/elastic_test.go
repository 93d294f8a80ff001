package elastic

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStoreKnowsItsUsersAndTemplates(t *testing.T) {
	var login Login
	login.Data.Username, login.Data.Password = []byte("elastic"), []byte("right")
	dir := t.TempDir()
	orders := filepath.Join(dir, "faults.json")
	server := httptest.NewServer(newStore(login, filepath.Join(dir, "data"), orders))
	defer server.Close()
	url := server.URL + "/_template/" + Template

	stranger := login
	stranger.Data.Password = []byte("changed since")
	require.ErrorContains(t, ask(t.Context(), http.MethodPut, url, stranger), "401 Unauthorized")
	require.ErrorContains(t, ask(t.Context(), http.MethodGet, url, login), "404", "what was refused was not written")
	require.NoError(t, ask(t.Context(), http.MethodPut, url, login))
	require.NoError(t, ask(t.Context(), http.MethodGet, url, login))

	require.NoError(t, os.WriteFile(orders, []byte(`{"unauthorized": true}`), 0o600))
	require.ErrorContains(t, ask(t.Context(), http.MethodGet, url, login), "401 Unauthorized")
	require.NoError(t, os.WriteFile(orders, []byte(`{"unauthorised": true}`), 0o600))
	require.ErrorContains(t, ask(t.Context(), http.MethodGet, url, login), "500", "a misspelt order is an error")
	require.NoError(t, os.Remove(orders))
	require.NoError(t, ask(t.Context(), http.MethodGet, url, login))
}
