// Package keys tests what acpflow does with the encryption keys of a pair, on the
// lab's machines with their real API servers. It needs root on Debian 12.
package keys

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/encryption"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

// rig is an installed pair whose sides have keys of their own, both named key1.
type rig struct {
	*labtest.Pair
	keys *activities.Encryption
	pair activities.PairInput
	run  activities.MergeInput
	east []site.Node
}

func newRig(t *testing.T) *rig {
	t.Helper()
	p := labtest.InstallStrangers(t, "t-keys", lab.ClusterPlan{Name: "west", ControlPlanes: 1, Balancer: true}, lab.ClusterPlan{Name: "east", ControlPlanes: 3})
	pool := ssh.NewPool()
	t.Cleanup(pool.Close)
	r := &rig{Pair: p, keys: &activities.Encryption{Hosts: &activities.Hosts{Pool: pool}},
		pair: activities.PairInput{Site: *p.Site, Primary: "west", Standby: "east"}}
	r.run = activities.MergeInput{PairInput: r.pair, Run: "run-1"}
	r.east = p.East.Cluster.ControlPlanes()
	return r
}

func (r *rig) sh(t *testing.T, node, script string) string {
	t.Helper()
	n, err := r.Lab.Node(node)
	require.NoError(t, err)
	out, err := n.Script(t.Context(), script)
	require.NoError(t, err)
	return strings.TrimSpace(out)
}

// material is every key that a node's file has, as base64.
func (r *rig) material(t *testing.T, node string) []string {
	t.Helper()
	var out []string
	for _, m := range regexp.MustCompile(`secret: (\S+)`).FindAllStringSubmatch(r.sh(t, node, "cat "+encryption.Path), -1) {
		out = append(out, m[1])
	}
	require.NotEmpty(t, out)
	return out
}

func (r *rig) secret(t *testing.T, side *labtest.Side, name, text string) {
	t.Helper()
	_, err := side.API.CoreV1().Secrets("default").Create(t.Context(),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: map[string]string{"text": text}}, metav1.CreateOptions{})
	require.NoError(t, err)
}

// server is a client of one control plane's own API server.
func (r *rig) server(t *testing.T, n site.Node) kubernetes.Interface {
	t.Helper()
	conf := rest.CopyConfig(r.East.Config)
	conf.Host = "https://" + n.Address + ":6443"
	client, err := kubernetes.NewForConfig(conf)
	require.NoError(t, err)
	return client
}

// etcd opens a side's etcd with the certificates of its first control plane.
func (r *rig) etcd(t *testing.T, side *labtest.Side) *clientv3.Client {
	t.Helper()
	pki := "/etc/kubernetes/pki/"
	pair, err := tls.X509KeyPair([]byte(r.sh(t, side.First.Name, "cat "+pki+"apiserver-etcd-client.crt")), []byte(r.sh(t, side.First.Name, "cat "+pki+"apiserver-etcd-client.key")))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(r.sh(t, side.First.Name, "cat "+pki+"etcd/ca.crt"))))
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{"https://" + side.First.Address + ":2379"},
		TLS: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, MinVersion: tls.VersionTLS12}, DialTimeout: 10 * time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// synchronise copies a Secret's value from west's etcd to east's, as it lies there.
func (r *rig) synchronise(t *testing.T, name string) {
	t.Helper()
	key := "/registry/secrets/default/" + name
	got, err := r.etcd(t, r.West).Get(t.Context(), key)
	require.NoError(t, err)
	require.Len(t, got.Kvs, 1)
	_, err = r.etcd(t, r.East).Put(t.Context(), key, string(got.Kvs[0].Value))
	require.NoError(t, err)
}

// watch reads east's own Secret through every API server again and again, until
// the returned function is called: that gives how often it was read, and every
// answer of a server that could not decrypt it. A server that is down says nothing.
func (r *rig) watch(t *testing.T, name string) (stop func() (reads int, failed []string)) {
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var wg sync.WaitGroup
	var failed []string
	reads := 0
	for _, n := range r.east {
		client := r.server(t, n)
		wg.Go(func() {
			for ctx.Err() == nil {
				bounded, end := context.WithTimeout(ctx, 3*time.Second)
				_, err := client.CoreV1().Secrets("default").Get(bounded, name, metav1.GetOptions{ResourceVersion: ""})
				end()
				mu.Lock()
				if err == nil {
					reads++
				} else if strings.Contains(err.Error(), "transform") || strings.Contains(err.Error(), "padding") || strings.Contains(err.Error(), "Internal") {
					failed = append(failed, n.Name+": "+err.Error())
				}
				mu.Unlock()
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	return func() (int, []string) {
		cancel()
		wg.Wait()
		return reads, failed
	}
}

func (r *rig) stage(kind encryption.Kind, cluster, node string) activities.StageInput {
	return activities.StageInput{PairInput: r.pair, Cluster: cluster, Node: node, Kind: kind}
}

func (r *rig) install(t *testing.T, kind encryption.Kind, cluster string, nodes ...string) {
	t.Helper()
	for _, n := range nodes {
		start := time.Now()
		evidence, err := r.keys.InstallKeys(t.Context(), r.stage(kind, cluster, n))
		require.NoError(t, err)
		t.Logf("%s in %s", evidence.Summary, time.Since(start).Round(time.Second/10))
	}
}

func shown(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b) + fmt.Sprintf("%+v", v)
}

// TestMerge walks a pair from two keys of one name to one file, while every API
// server is read all the time, with an interrupted step, a wrong order and an undo
// in between.
func TestMerge(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	all := []string{"east-1", "east-2", "east-3"}
	secrets := append(r.material(t, "west-1"), r.material(t, "east-1")...)
	r.secret(t, r.East, "own", "of the east")
	r.secret(t, r.West, "synced", "of the west")
	r.synchronise(t, "synced")
	_, err := r.server(t, r.east[0]).CoreV1().Secrets("default").Get(ctx, "synced", metav1.GetOptions{})
	require.Error(t, err, "the trouble that this runbook is for")

	_, err = r.keys.CompareKeys(ctx, r.pair)
	require.True(t, fault.Is(err, fault.Gate), "%v", err)
	for _, n := range all {
		assert.Contains(t, err.Error(), n)
	}
	_, err = r.keys.CopyKeys(ctx, activities.CopyKeysInput{PairInput: r.pair, Run: "x"})
	require.True(t, fault.Is(err, fault.Gate), "%v", err)
	assert.Contains(t, err.Error(), "merge-keys")

	preview, err := r.keys.PreviewMerge(ctx, r.pair)
	require.NoError(t, err)
	t.Log(preview.Text)
	assert.True(t, preview.Needed)
	assert.Len(t, preview.Stages, 4)
	for _, s := range secrets {
		raw, err := base64.StdEncoding.DecodeString(s)
		require.NoError(t, err)
		for _, leak := range []string{s, string(raw)} {
			assert.NotContains(t, shown(t, preview), leak)
		}
	}

	_, err = r.keys.InstallKeys(ctx, r.stage(encryption.PrimaryReadable, "west", "west-1"))
	require.True(t, fault.Is(err, fault.Gate), "without a backup nothing is changed: %v", err)
	for range 2 {
		_, err = r.keys.BackUpKeys(ctx, r.run)
		require.NoError(t, err)
	}
	assert.Equal(t, "root:root 600", r.sh(t, "east-2", "stat -c '%U:%G %a' "+encryption.Path+".acpflow.bak"))
	before := r.sh(t, "east-2", "sha256sum <"+encryption.Path)

	_, err = r.keys.InstallKeys(ctx, r.stage(encryption.NewNames, "east", "east-1"))
	require.True(t, fault.Is(err, fault.Gate), "the primary comes first: %v", err)
	stop := r.watch(t, "own")
	r.install(t, encryption.PrimaryReadable, "west", "west-1")

	// an undo while nothing was written with a new key
	r.install(t, encryption.NewNames, "east", "east-1")
	_, err = r.keys.InstallKeys(ctx, r.stage(encryption.WriteNewName, "east", "east-1"))
	require.True(t, fault.Is(err, fault.Gate), "east-2 can't read the new name yet: %v", err)
	_, err = r.keys.RestoreKeys(ctx, r.stage("", "east", "east-1"))
	require.NoError(t, err)
	assert.Equal(t, before, r.sh(t, "east-1", "sha256sum <"+encryption.Path))

	// a worker that dies after the file has its name and before the server restarts
	short, cancel := context.WithTimeout(ctx, 1500*time.Millisecond)
	_, err = r.keys.InstallKeys(short, r.stage(encryption.NewNames, "east", "east-1"))
	cancel()
	require.Error(t, err)
	r.install(t, encryption.NewNames, "east", all...)
	r.install(t, encryption.WriteNewName, "east", all...)
	evidence, err := r.keys.RewriteSecrets(ctx, r.pair)
	require.NoError(t, err)
	t.Log(evidence.Summary)
	evidence, err = r.keys.RestoreKeys(ctx, r.stage("", "east", "east-3"))
	require.NoError(t, err)
	assert.Contains(t, evidence.Summary, "keeps its file", "the old file lacks the key that wrote by now")
	r.install(t, encryption.PrimaryReadable, "east", all...)
	r.install(t, encryption.PrimaryWrites, "east", all...)

	reads, failed := stop()
	t.Logf("read %d times meanwhile", reads)
	assert.Greater(t, reads, 100)
	assert.Empty(t, failed, "no API server may fail to read its own Secret at any moment")

	evidence, err = r.keys.ProveSecrets(ctx, r.pair)
	require.NoError(t, err)
	t.Log(evidence.Summary, evidence.Tail)
	evidence, err = r.keys.FinishMerge(ctx, r.run)
	require.NoError(t, err)
	assert.Equal(t, "4", evidence.Facts["nodes"])
	assert.Equal(t, "root:root 600", r.sh(t, "east-3", "stat -c '%U:%G %a' "+encryption.Path+".run-1.bak"))
	for _, n := range r.east {
		got, err := r.server(t, n).CoreV1().Secrets("default").Get(ctx, "synced", metav1.GetOptions{})
		require.NoError(t, err)
		assert.Equal(t, "of the west", string(got.Data["text"]))
	}
	for _, n := range append(all, "west-1") {
		assert.Empty(t, r.sh(t, n, "ls -A /tmp | grep -i encryption || true"))
		assert.Empty(t, r.sh(t, n, "ls -A /etc/kubernetes | grep '^[.]encryption' || true"), "no temporary file is left")
	}

	preview, err = r.keys.PreviewMerge(ctx, r.pair)
	require.NoError(t, err)
	assert.False(t, preview.Needed, "a second merge has nothing to do")
}
