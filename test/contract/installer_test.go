// Package contract holds acpflow's client of the installer against the strict
// stand-in, so that the two can't drift apart unnoticed.
package contract

import (
	"context"
	"encoding/json"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/installer"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab/installer/bundle"
	"github.com/acpflow/acpflow/test/lab/installer/config"
	"github.com/acpflow/acpflow/test/lab/installer/faults"
	"github.com/acpflow/acpflow/test/lab/installer/server"
)

// stand is the stand-in without machines: what it would do with them has tests
// of its own.
type stand struct {
	client *installer.Client
	orders string        // path of the faults
	record string        // path of the record
	finish chan struct{} // closed = the install succeeds
}

func serve(t *testing.T) *stand {
	t.Helper()
	dir := t.TempDir()
	s := &stand{orders: filepath.Join(dir, "faults.json"), record: filepath.Join(dir, "record.json"), finish: make(chan struct{})}
	handler, err := server.New(t.Context(), server.Options{
		Bundle: bundle.New([]string{"amd64"}), DataDir: filepath.Join(dir, "data"), Faults: s.orders, Record: s.record,
		Machines: func(context.Context, *config.Config) error { return nil },
		Execute:  func(context.Context, *config.Config) error { <-s.finish; return nil },
	})
	require.NoError(t, err)
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	s.client = installer.NewAt(installer.Transport((&net.Dialer{}).DialContext), srv.URL, "m1")
	return s
}

func (s *stand) order(t *testing.T, f faults.Faults) {
	t.Helper()
	data, err := json.Marshal(f)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.orders, data, 0o644))
}

func (s *stand) posts(t *testing.T) server.Posts {
	t.Helper()
	var r server.Record
	data, err := os.ReadFile(s.record)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &r))
	return r.Posts
}

const adminPassword = "contract-admin-password"

// build makes a configuration from the example document, which is changed first.
func build(t *testing.T, edit func(*site.Site, *site.Cluster)) installer.Config {
	t.Helper()
	s, err := site.Parse("moscow.yaml", site.Example())
	require.NoError(t, err)
	s.Platform.Certificate = nil
	edit(s, &s.Clusters[0])
	cfg, err := installer.Build(*s, s.Clusters[0].Name, installer.Secrets{
		AdminPassword: secret.NewValue([]byte(adminPassword)), SSHPassword: secret.NewValue([]byte("contract-ssh-password")),
	})
	require.NoError(t, err)
	return cfg
}

func unchanged(*site.Site, *site.Cluster) {}

func TestPostedOnceThenAdopted(t *testing.T) {
	s := serve(t)
	require.NoError(t, s.client.Ready(t.Context()))
	p, err := s.client.Progress(t.Context())
	require.NoError(t, err)
	assert.False(t, p.Started())

	cfg := build(t, unchanged)
	for _, adopted := range []bool{false, true} {
		got, err := s.client.Start(t.Context(), cfg)
		require.NoError(t, err)
		assert.Equal(t, adopted, got)
	}
	assert.Equal(t, server.Posts{Accepted: 1}, s.posts(t))
	require.ErrorIs(t, s.client.Post(t.Context(), cfg), installer.ErrAlreadyStarted)

	p, err = s.client.Progress(t.Context())
	require.NoError(t, err)
	assert.Equal(t, installer.Doing, p.Status)
	close(s.finish)
	assert.Eventually(t, func() bool {
		p, err := s.client.Progress(t.Context())
		return err == nil && p.Status == installer.Success
	}, time.Minute, 10*time.Millisecond)
}

func TestLostReplyIsAdopted(t *testing.T) {
	s := serve(t)
	s.order(t, faults.Faults{ConfigReplyLost: true})
	adopted, err := s.client.Start(t.Context(), build(t, unchanged))
	require.NoError(t, err)
	assert.True(t, adopted)
	assert.Equal(t, server.Posts{Accepted: 1}, s.posts(t))
}

func TestServerErrorIsNeverRepeatedBlindly(t *testing.T) {
	s := serve(t)
	s.order(t, faults.Faults{ConfigErrors: 1})
	cfg := build(t, unchanged)
	_, err := s.client.Start(t.Context(), cfg)
	require.ErrorIs(t, err, installer.ErrAmbiguous)
	assert.False(t, fault.ClassOf(err).Permanent(), "the next attempt finds out")
	adopted, err := s.client.Start(t.Context(), cfg)
	require.NoError(t, err)
	assert.False(t, adopted)
	assert.Equal(t, server.Posts{Accepted: 1, Errors: 1}, s.posts(t))
}

func TestRefusalNamesTheField(t *testing.T) {
	s := serve(t)
	_, err := s.client.Start(t.Context(), build(t, func(_ *site.Site, c *site.Cluster) { c.Kubernetes.Version = "v1.2.3" }))
	require.Error(t, err)
	assert.Equal(t, fault.BadInput, fault.ClassOf(err))
	assert.Contains(t, err.Error(), "cluster.version")
	assert.NotContains(t, err.Error(), adminPassword)
}

func TestWrongAnswersAreNoSuccess(t *testing.T) {
	for name, c := range map[string]struct {
		faults faults.Faults
		class  fault.Class // "" = understood
	}{
		"Success in the log": {faults.Faults{SuccessInLog: true}, ""},
		"HTTP 500":           {faults.Faults{ProgressErrors: -1}, fault.Protocol},
		"garbage":            {faults.Faults{ProgressGarbage: -1}, fault.Protocol},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			_, err := s.client.Start(t.Context(), build(t, unchanged))
			require.NoError(t, err)
			s.order(t, c.faults)
			p, err := s.client.Progress(t.Context())
			if c.class == "" {
				require.NoError(t, err)
				assert.Equal(t, installer.Running, p.Status)
				return
			}
			assert.Equal(t, c.class, fault.ClassOf(err), err)
		})
	}
}

// TestPinnedConfigsAreAccepted: every pinned configuration has exactly the
// stand-in's shape, and its content is valid too. The pinned certificate is no
// real one, which is the one thing the stand-in may refuse.
func TestPinnedConfigsAreAccepted(t *testing.T) {
	files, err := filepath.Glob("../../internal/installer/testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			body, err := os.ReadFile(file)
			require.NoError(t, err)
			c, err := config.Decode(body)
			require.NoError(t, err)
			offer := config.DefaultOffer()
			if strings.Contains(file, "calico") { // as setup.sh --network-mode calico sets it
				offer.NetworkType = config.Calico
			}
			err = c.Validate(offer)
			if c.Console.Cert.ThirdParty == nil {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			for line := range strings.Lines(err.Error()) {
				assert.Contains(t, line, "console.cert.thirdParty")
			}
		})
	}
}
