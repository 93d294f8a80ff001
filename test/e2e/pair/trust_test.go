package pair

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/encryption"
	"github.com/acpflow/acpflow/workflows"
)

func asked(p *workflows.Progress) bool { return p.Gate != nil }

// rekey gives a standby control plane a key file of its own and lets its API
// server take it: what an install without the copied key leaves behind.
const rekey = `cp -n ` + encryption.Path + ` /root/right.conf
key=$(head -c 32 /dev/urandom | base64)
sed -i -E "s#secret: .*#secret: $key#" ` + encryption.Path + restartAPIServer

const restartAPIServer = `
id=$(crictl ps --name kube-apiserver --no-trunc --quiet)
crictl rm --force $id >/dev/null
systemctl restart kubelet.service
for i in $(seq 60); do sleep 1; curl -sk --max-time 2 https://127.0.0.1:6443/readyz 2>/dev/null | grep -q ok && exit 0; done
echo "the API server did not come back" >&2; exit 1`

// One control plane of the standby with another key: the card names it before
// anybody fails over to it.
func TestOneNodeWithAnotherKey(t *testing.T) {
	r := built(t)
	r.script(t, "east-2", rekey)
	mend := func() { r.script(t, "east-2", "cp -p /root/right.conf "+encryption.Path+restartAPIServer) }
	v := r.check(t, 1, "--full")
	f := found(v, "DR-24")
	assert.Equal(t, checks.Fail, f.Outcome, "%+v", f)
	assert.Contains(t, f.Seen+f.Reason, "east-2")
	mend()
	r.clean(t)
}

// Without the primary's key no Secret of the primary can be read on the
// standby; the card says why, and merging the keys mends it.
func TestWithoutTheKeySecretsAreLost(t *testing.T) {
	r := built(t)
	r.seeded(t)
	r.newSecret(t, "before", "under the primary's key")
	r.secretReadable(t, "before", "under the primary's key")
	right := r.script(t, "east-1", "cat "+encryption.Path)
	r.script(t, "east-1", rekey)
	wrong := r.script(t, "east-1", "cat "+encryption.Path)
	require.NotEqual(t, right, wrong)
	for _, n := range []string{"east-2", "east-3"} {
		require.NoError(t, r.node(t, n).WriteFile(t.Context(), encryption.Path, []byte(wrong+"\n"), "0600"))
		r.script(t, n, "true"+restartAPIServer)
	}
	_, err := r.east.API.CoreV1().Secrets(team).Get(t.Context(), "before", metav1.GetOptions{})
	require.Error(t, err, "the Secret must not be readable with another key")
	v := r.check(t, 1, "--full")
	keys := found(v, "DR-24")
	assert.Equal(t, checks.Fail, keys.Outcome, "%+v", keys)
	assert.Contains(t, keys.Fix, "merge-keys")
	assert.Equal(t, checks.Fail, found(v, "CARD-09").Outcome, "%+v", found(v, "CARD-09"))

	id := r.Start(t, "merge-keys", name, "--cluster", east)
	p := r.Until(t, id, "the approval", asked)
	assert.Contains(t, p.Gate.Question, "withdr")
	r.Decide(t, id, "approve", "the standby was installed without the key")
	r.Succeeds(t, id)
	r.secretReadable(t, "before", "under the primary's key")
	r.newSecret(t, "after", "under the merged keys")
	r.secretReadable(t, "after", "under the merged keys")
	r.sameKeyEverywhere(t)
	r.clean(t)
}
