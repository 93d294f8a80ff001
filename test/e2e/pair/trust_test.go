package pair

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/encryption"
	"github.com/acpflow/acpflow/test/harness/pairs"
	"github.com/acpflow/acpflow/test/lab/labtest"
	"github.com/acpflow/acpflow/test/lab/workload"
	"github.com/acpflow/acpflow/workflows"
)

func asked(p *workflows.Progress) bool { return p.Gate != nil }

// One control plane of the standby with another key file: the card names it
// before anybody fails over to it.
func TestOneNodeWithAnotherKey(t *testing.T) {
	r := built(t)
	right := r.Script(t, "east-2", "cat "+encryption.Path)
	mend := func() {
		require.NoError(t, r.Node(t, "east-2").WriteFile(context.WithoutCancel(t.Context()), encryption.Path, []byte(right+"\n"), "0600"))
	}
	t.Cleanup(mend)
	require.NoError(t, r.Node(t, "east-2").WriteFile(t.Context(), encryption.Path, []byte(keyFile(newKey(t, "key1"))), "0600"))
	v := r.Check(t, 1, "--full")
	f := pairs.Found(v, "DR-24")
	assert.Equal(t, checks.Fail, f.Outcome, "%+v", f)
	assert.Contains(t, f.Seen+f.Reason, "east-2")
	mend()
	r.Clean(t)
}

// A standby that was installed without the primary's key cannot read one Secret
// that is synchronised to it. enable-sync refuses it, the card says why, and
// merging the keys mends it.
func TestWithoutTheKeySecretsAreLost(t *testing.T) {
	r := built(t)
	r.seeded(t)
	r.newSecret(t, "before", "under the primary's key")
	r.secretReadable(t, "before", "under the primary's key")
	r.estrange(t)

	id := r.Start(t, "enable-sync", name, "--cluster", east)
	assert.Contains(t, r.Gate(t, id, "sync.02-keys").Error, "east-1")
	r.Decide(t, id, "abort", "first see what happens without it")
	require.Error(t, r.Failure(t, id))

	r.installByHand(t, "v4.1.0")
	var card *workflows.SyncVerdict
	labtest.Await(t, 2*time.Minute, "the Secret is there and cannot be read", func() error {
		_, err := r.East.API.CoreV1().Secrets(team).Get(t.Context(), "before", metav1.GetOptions{})
		if err == nil || !strings.Contains(err.Error(), "Internal error") && !strings.Contains(err.Error(), "no matching") {
			return fmt.Errorf("reading it gives another answer: %w", err)
		}
		return nil
	})
	card = r.Check(t, 1, "--full")
	keys := pairs.Found(card, "DR-24")
	assert.Equal(t, checks.Fail, keys.Outcome, "%+v", keys)
	assert.Equal(t, checks.Fail, pairs.Found(card, "CARD-09").Outcome, "%+v", pairs.Found(card, "CARD-09"))

	id = r.Start(t, "merge-keys", name, "--cluster", west)
	p := r.Until(t, id, "the approval", asked)
	assert.Contains(t, p.Gate.Question, "WITHDRAWN")
	r.Decide(t, id, "approve", "the standby was installed without the key")
	plan := r.Gate(t, id, "keys.03-back-up")
	assert.Contains(t, plan.Question, `merged: secrets: aescbc "key1"=`)
	r.Decide(t, id, "approve", "both keys are in it")
	r.Succeeds(t, id)
	r.Record(t, id, "merge-keys")
	r.secretReadable(t, "before", "under the primary's key")
	r.newSecret(t, "after", "under the merged keys")
	r.secretReadable(t, "after", "under the merged keys")
	r.sameKeyEverywhere(t)
	r.Clean(t)
}

// key is one aescbc key of the key file.
type key struct{ name, secret string }

func newKey(t *testing.T, name string) key {
	t.Helper()
	b := make([]byte, 32)
	_, err := rand.Read(b)
	require.NoError(t, err)
	return key{name, base64.StdEncoding.EncodeToString(b)}
}

func keyFile(keys ...key) string {
	var b strings.Builder
	b.WriteString("apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources:\n  - secrets\n  providers:\n  - aescbc:\n      keys:\n")
	for _, k := range keys {
		fmt.Fprintf(&b, "      - name: %s\n        secret: %s\n", k.name, k.secret)
	}
	b.WriteString("  - identity: {}\n")
	return b.String()
}

// estrange turns the standby into one that was installed with a key of its own:
// no synchronizer, nothing synchronised, every Secret under that key alone.
func (r *rig) estrange(t *testing.T) {
	t.Helper()
	r.uninstall(t)
	for i := 1; i <= 3; i++ {
		require.NoError(t, r.East.API.CoreV1().Secrets(workload.Team(i)).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}))
	}
	shared := r.Script(t, "east-1", "sed -n 's/^ *secret: //p' "+encryption.Path)
	own := newKey(t, "strange1")
	r.useKeys(t, keyFile(own, key{"key1", shared}))
	secrets, err := r.East.API.CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, s := range secrets.Items {
		_, err := r.East.API.CoreV1().Secrets(s.Namespace).Update(t.Context(), &s, metav1.UpdateOptions{})
		require.NoError(t, err, s.Name)
	}
	r.useKeys(t, keyFile(own))
}

// useKeys gives every control plane of the standby a key file and restarts its API server.
func (r *rig) useKeys(t *testing.T, file string) {
	t.Helper()
	client := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	for _, n := range r.ControlPlanes(t, east) {
		node := r.Node(t, n)
		require.NoError(t, node.WriteFile(t.Context(), encryption.Path, []byte(file), "0600"))
		r.Script(t, n, "crictl rm --force $(crictl ps --name kube-apiserver --no-trunc --quiet); systemctl restart kubelet.service")
		time.Sleep(2 * time.Second)
		labtest.Await(t, 5*time.Minute, "the API server of "+n+" is ready", func() error {
			answer, err := client.Get("https://" + node.Address + ":6443/readyz")
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			if text, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
				return fmt.Errorf("%d %s %w", answer.StatusCode, text, err)
			}
			return nil
		})
	}
}

// installByHand asks for the synchronizer as a person does in the console.
func (r *rig) installByHand(t *testing.T, version string) {
	t.Helper()
	_, err := r.East.Dynamic.Resource(pairs.Modules).Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cluster.alauda.io/v1alpha1", "kind": "ModuleInfo",
		"metadata": map[string]any{"name": "by-hand", "labels": map[string]any{
			"cpaas.io/cluster-name": "global", "cpaas.io/module-name": "etcd-sync", "cpaas.io/module-type": "plugin"}},
		"spec": map[string]any{"version": version, "config": map[string]any{}},
	}}, metav1.CreateOptions{})
	require.NoError(t, err)
}
