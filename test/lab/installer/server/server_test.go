package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/installer"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab/installer/bundle"
	"github.com/acpflow/acpflow/test/lab/installer/config"
	"github.com/acpflow/acpflow/test/lab/installer/server"
)

// bench is an installer whose machines always fit and whose install ends when
// the test says so. Everything else is the real one.
type bench struct {
	url     string
	dir     string
	release chan struct{}
	runs    atomic.Int32
	options server.Options
}

func start(t *testing.T, faults string) *bench {
	t.Helper()
	b := &bench{dir: t.TempDir(), release: make(chan struct{})}
	b.order(t, faults)
	b.options = server.Options{
		Bundle: bundle.New([]string{"amd64"}), DataDir: filepath.Join(b.dir, "data"),
		Faults: filepath.Join(b.dir, "faults.json"), Record: filepath.Join(b.dir, "record.json"),
		Machines: func(context.Context, *config.Config) error { return nil },
		Execute: func(ctx context.Context, _ *config.Config) error {
			b.runs.Add(1)
			select {
			case <-b.release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	}
	b.serve(t)
	return b
}

// serve starts a process of the installer; a second call is one that came back.
func (b *bench) serve(t *testing.T) {
	t.Helper()
	s, err := server.New(t.Context(), b.options)
	require.NoError(t, err)
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	b.url = h.URL
}

func (b *bench) order(t *testing.T, faults string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "faults.json"), []byte(faults), 0o600))
}

func (b *bench) record(t *testing.T) (r server.Record) {
	t.Helper()
	data, err := os.ReadFile(b.options.Record)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &r))
	return r
}

func (b *bench) do(t *testing.T, method, path, contentType string, body []byte, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, b.url+path, bytes.NewReader(body))
	require.NoError(t, err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// configuration is what acpflow itself makes of a site document, so that the
// two sides of the interface are held against each other.
func configuration(t *testing.T) installer.Config {
	t.Helper()
	node := func(name, address string, role site.Role) site.Node {
		return site.Node{Name: name, Address: address, Role: role}
	}
	s := site.Site{
		Platform: site.Platform{Address: "acp.example.com", HTTPSPort: 443, AdminUser: "admin", Products: []string{"base", "acp"}},
		Clusters: []site.Cluster{{
			Name: "west", Endpoint: site.Endpoint{VIP: "192.0.2.10"},
			Kubernetes: site.Kubernetes{Version: "v1.32.6", ContainerRuntime: "containerd://1.7.27-4"},
			Network: site.Network{CNI: site.KubeOVN, IPFamily: site.IPv4, PodCIDRs: []string{"10.3.0.0/16"},
				ServiceCIDRs: []string{"10.4.0.0/16"}, JoinCIDRs: []string{"100.64.0.0/16"}, MaxPods: 110},
			SSH: site.SSH{User: "ops", Port: 22},
			Nodes: []site.Node{node("a", "192.0.2.11", site.ControlPlane), node("b", "192.0.2.12", site.ControlPlane),
				node("c", "192.0.2.13", site.ControlPlane), node("d", "192.0.2.14", site.Worker)},
			Monitoring: site.Monitoring{Elasticsearch: []string{"d"}, VictoriaMetrics: []string{"a", "d"}},
		}},
	}
	c, err := installer.Build(s, "west", installer.Secrets{
		AdminPassword: secret.NewValue([]byte("administrator's secret")), SSHPassword: secret.NewValue([]byte("node's secret")),
	})
	require.NoError(t, err)
	return c
}

func client(b *bench) *installer.Client {
	return installer.NewAt(http.DefaultTransport, b.url, "test")
}

func TestAcpflowsConfigurationIsTakenOnce(t *testing.T) {
	b := start(t, "{}")
	c := client(b)
	adopted, err := c.Start(t.Context(), configuration(t))
	require.NoError(t, err)
	require.False(t, adopted)

	err = c.Post(t.Context(), configuration(t))
	require.ErrorIs(t, err, installer.ErrAlreadyStarted)
	adopted, err = c.Start(t.Context(), configuration(t))
	require.NoError(t, err)
	require.True(t, adopted)

	p, err := c.Progress(t.Context())
	require.NoError(t, err)
	require.Equal(t, installer.Doing, p.Status)
	close(b.release)
	require.Eventually(t, func() bool {
		p, err := c.Progress(t.Context())
		return err == nil && p.Status == installer.Success
	}, time.Minute, 10*time.Millisecond)
	require.Equal(t, server.Posts{Accepted: 1, Conflict: 1}, b.record(t).Posts)
}

func TestAnotherBodyIsRefusedAndCounted(t *testing.T) {
	b := start(t, "{}")
	good := configuration(t).Revealed()
	code, text := b.do(t, http.MethodPost, "/api/config", "application/json", bytes.Replace(good, []byte("v1.32.6"), []byte("v1.2.3"), 1))
	require.Equal(t, http.StatusBadRequest, code)
	require.Contains(t, text, "cluster.version")
	code, _ = b.do(t, http.MethodPost, "/api/config", "text/plain", good)
	require.Equal(t, http.StatusBadRequest, code)
	require.Equal(t, server.Posts{Refused: 2}, b.record(t).Posts)
	code, text = b.do(t, http.MethodGet, "/api/progress", "", nil)
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, text, `"status": "Unknown",`)
}

func TestMachinesThatCannotBeUsedAreRefused(t *testing.T) {
	b := start(t, "{}")
	b.options.Machines = func(context.Context, *config.Config) error { return errors.New("192.0.2.12: login failed") }
	b.serve(t)
	code, text := b.do(t, http.MethodPost, "/api/config", "application/json", configuration(t).Revealed())
	require.Equal(t, http.StatusBadRequest, code)
	require.Contains(t, text, "192.0.2.12: login failed")
	require.Zero(t, b.runs.Load())
}

func TestProgressIsPrintedAsTheVendorsScriptReadsIt(t *testing.T) {
	b := start(t, "{}")
	b.do(t, http.MethodPost, "/api/config", "application/json", configuration(t).Revealed())
	_, text := b.do(t, http.MethodGet, "/api/progress", "", nil)
	require.Regexp(t, `(?m)^\s*"step": \d+,$`, text)
	require.Regexp(t, `(?m)^\s*"status": "Doing",$`, text)
	// It gives secrets away: "administrator's secret" in base64.
	require.Contains(t, text, `"password": "YWRtaW5pc3RyYXRvcidzIHNlY3JldA=="`)
}

func TestLostReplyIsStillAnInstall(t *testing.T) {
	b := start(t, `{"configReplyLost": true}`)
	adopted, err := client(b).Start(t.Context(), configuration(t))
	require.NoError(t, err)
	require.True(t, adopted, "the install that began must be adopted")
	require.Equal(t, server.Posts{Accepted: 1}, b.record(t).Posts)
}

func TestOrderedAnswers(t *testing.T) {
	t.Run("configuration errors", func(t *testing.T) {
		b := start(t, `{"configErrors": 1}`)
		err := client(b).Post(t.Context(), configuration(t))
		require.ErrorIs(t, err, installer.ErrAmbiguous)
		require.NoError(t, client(b).Post(t.Context(), configuration(t)))
		require.Equal(t, server.Posts{Accepted: 1, Errors: 1}, b.record(t).Posts)
	})
	t.Run("progress errors, then garbage, then truth", func(t *testing.T) {
		b := start(t, `{"progressErrors": 2, "progressGarbage": 1}`)
		require.NoError(t, client(b).Post(t.Context(), configuration(t)))
		for range 2 {
			code, _ := b.do(t, http.MethodGet, "/api/progress", "", nil)
			require.Equal(t, http.StatusInternalServerError, code)
		}
		code, text := b.do(t, http.MethodGet, "/api/progress", "", nil)
		require.Equal(t, http.StatusOK, code)
		require.Contains(t, text, "Success")
		require.False(t, json.Valid([]byte(text)))
		p, err := client(b).Progress(t.Context())
		require.NoError(t, err)
		require.Equal(t, installer.Doing, p.Status)
	})
	t.Run("Success in the log", func(t *testing.T) {
		b := start(t, `{"successInLog": true}`)
		require.NoError(t, client(b).Post(t.Context(), configuration(t)))
		_, text := b.do(t, http.MethodGet, "/api/progress", "", nil)
		require.Contains(t, text, "Success")
		p, err := client(b).Progress(t.Context())
		require.NoError(t, err)
		require.Equal(t, installer.Running, p.Status)
	})
	t.Run("an unknown order", func(t *testing.T) {
		b := start(t, `{"progressErors": 1}`)
		code, _ := b.do(t, http.MethodGet, "/api/progress", "", nil)
		require.Equal(t, http.StatusInternalServerError, code, "a misspelt order must not pass as none")
	})
}

func TestOfferedVersionsNeedTheToken(t *testing.T) {
	const path = "/api/v1/namespaces/kube-public/configmaps/base-component-version"
	b := start(t, "{}")
	code, _ := b.do(t, http.MethodGet, path, "", nil)
	require.Equal(t, http.StatusUnauthorized, code)
	code, text := b.do(t, http.MethodGet, "//cpaas-installer/api/token", "", nil)
	require.Equal(t, http.StatusOK, code)
	var answer struct{ Token string }
	require.NoError(t, json.Unmarshal([]byte(text), &answer))
	code, text = b.do(t, http.MethodGet, path, "", nil, "Authorization", "Bearer "+answer.Token)
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, text, "v1.32.6")
	b.order(t, `{"rawToken": true}`)
	_, text = b.do(t, http.MethodGet, "/cpaas-installer/api/token", "", nil)
	require.Equal(t, answer.Token+"\n", text)
}

func TestUnknownPathsAndMethods(t *testing.T) {
	b := start(t, "{}")
	for _, r := range [][2]string{{"GET", "/api/config"}, {"POST", "/api/progress"}, {"GET", "/cpaas-installer/api/progress"}, {"GET", "/"}} {
		code, _ := b.do(t, r[0], r[1], "", nil)
		require.Equal(t, http.StatusNotFound, code, "%v", r)
	}
}

func TestAnInstallerThatCameBackGoesOn(t *testing.T) {
	b := start(t, "{}")
	require.NoError(t, client(b).Post(t.Context(), configuration(t)))
	b.serve(t)
	p, err := client(b).Progress(t.Context())
	require.NoError(t, err)
	require.Equal(t, installer.Doing, p.Status)
	require.ErrorIs(t, client(b).Post(t.Context(), configuration(t)), installer.ErrAlreadyStarted)
	require.Equal(t, 1, b.record(t).Posts.Accepted)
}
