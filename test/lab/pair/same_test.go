package pair

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/acpflow/acpflow/test/lab/labtest"
	"github.com/acpflow/acpflow/test/lab/synchronizer"
	"github.com/acpflow/acpflow/test/lab/workload"
)

// seeded is how many teams and workload clusters the pair has.
const seeded = 5

// same: what a platform in use holds is in both etcds, byte by byte, although
// the controllers of both sides work on it.
func (r *rig) same() {
	require.NoError(r, workload.Seed(r.Context(), r.West.API, r.West.Dynamic, seeded))
	require.NoError(r, workload.Seed(r.Context(), r.West.API, r.West.Dynamic, seeded), "twice is once")
	r.awaitCheck(clean)
	west, east := r.etcd(r.West), r.etcd(r.East)
	labtest.Await(r, patience, "the same values", func() error {
		a, b := r.mirrored(west), r.mirrored(east)
		var diff []string
		for key, value := range a {
			if b[key] != value {
				diff = append(diff, key)
			}
		}
		if len(diff) > 0 || len(a) != len(b) {
			return fmt.Errorf("%d and %d keys; different: %s", len(a), len(b), strings.Join(diff, ", "))
		}
		require.Greater(r, len(a), seeded*(2+workload.ConfigMapsEach+workload.SecretsEach+workload.MachinesEach))
		r.Logf("%d keys are the same on both sides", len(a))
		return nil
	})
}

// etcd is a side's own, through its VIP.
func (r *rig) etcd(s *labtest.Side) *clientv3.Client {
	read := func(name string) []byte {
		text, err := s.First.Exec(r.Context(), "cat", "/etc/kubernetes/pki/"+name)
		require.NoError(r, err)
		return []byte(text)
	}
	pair, err := tls.X509KeyPair(read("apiserver-etcd-client.crt"), read("apiserver-etcd-client.key"))
	require.NoError(r, err)
	roots := x509.NewCertPool()
	require.True(r, roots.AppendCertsFromPEM(read("etcd/ca.crt")))
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{"https://" + s.Cluster.Endpoint.VIP + ":2379"}, Logger: zap.NewNop(),
		DialTimeout: 5 * time.Second, TLS: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, MinVersion: tls.VersionTLS12}})
	require.NoError(r, err)
	r.Cleanup(func() { _ = c.Close() })
	return c
}

func (r *rig) mirrored(c *clientv3.Client) map[string]string {
	resp, err := c.Get(r.Context(), "/registry/", clientv3.WithPrefix())
	require.NoError(r, err)
	out := map[string]string{}
	for _, kv := range resp.Kvs {
		if key := string(kv.Key); synchronizer.Mirrored(key) {
			out[key] = string(kv.Value)
		}
	}
	return out
}
