package keys

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/encryption"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

const text = `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - aescbc:
      keys:
      - name: key1
        secret: %s
  - identity: {}
`

// TestCopy gives the primary's key to bare machines, as it is before the
// standby's install, through an account that needs sudo.
func TestCopy(t *testing.T) {
	l := labtest.Up(t, lab.Options{Name: "t-keys", Clusters: []lab.ClusterPlan{{Name: "west", ControlPlanes: 1}, {Name: "east", ControlPlanes: 3}}})
	data, err := os.ReadFile(l.Describe().SiteFile)
	require.NoError(t, err)
	doc, err := site.Parse(lab.FileSite, data)
	require.NoError(t, err)
	pool := ssh.NewPool()
	t.Cleanup(pool.Close)
	r := &rig{Pair: &labtest.Pair{Lab: l, Site: doc}, keys: &activities.Encryption{Hosts: &activities.Hosts{Pool: pool}},
		pair: activities.PairInput{Site: *doc, Primary: "west", Standby: "east"}}
	ctx, all := t.Context(), []string{"east-1", "east-2", "east-3"}
	in := activities.CopyKeysInput{PairInput: r.pair, Run: "run-1"}
	file := "/etc/kubernetes/encryption-provider.conf"

	_, err = r.keys.CopyKeys(ctx, in)
	require.True(t, fault.Is(err, fault.Gate), "there is nothing to copy: %v", err)
	key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789ABCDEF"))
	r.sh(t, "west-1", "mkdir -p /etc/kubernetes; umask 077; cat >"+file+" <<'EOF'\n"+fmt.Sprintf(text, key)+"EOF\n")

	for range 2 { // acting twice is acting once
		evidence, err := r.keys.CopyKeys(ctx, in)
		require.NoError(t, err)
		assert.Equal(t, "4", evidence.Facts["nodes"])
		assert.NotContains(t, shown(t, evidence), key[:12])
	}
	want := r.sh(t, "west-1", "sha256sum <"+file)
	for _, n := range all {
		assert.Equal(t, want, r.sh(t, n, "sha256sum <"+file))
		assert.Equal(t, "root:root 600 root:root 755", r.sh(t, n, "stat -c '%U:%G %a' "+file+" /etc/kubernetes | tr '\\n' ' '"))
		assert.Equal(t, "encryption-provider.conf", r.sh(t, n, "ls -A /etc/kubernetes"))
		assert.Empty(t, r.sh(t, n, "grep -rlF "+key+" /tmp /var /root /home 2>/dev/null || true"), "the key is in no other file")
	}

	r.sh(t, "east-2", "chmod 644 "+file)
	_, err = r.keys.CompareKeys(ctx, r.pair)
	require.True(t, fault.Is(err, fault.Gate), "%v", err)
	assert.Contains(t, err.Error(), "east-2: it is root:root 644")
	_, err = r.keys.CopyKeys(ctx, in)
	require.NoError(t, err, "owner and mode are mended")
	assert.Equal(t, "600", r.sh(t, "east-2", "stat -c %a "+file))

	other := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 32)))
	r.sh(t, "east-3", "sed -i 's|"+key+"|"+other+"|' "+file)
	_, err = r.keys.CopyKeys(ctx, in)
	require.True(t, fault.Is(err, fault.Gate), "%v", err)
	assert.Contains(t, err.Error(), "east-3 has another key file")
	assert.NotContains(t, err.Error(), other[:12])

	evidence, err := r.keys.RemoveKeys(ctx, activities.CopyKeysInput{PairInput: r.pair, Run: "run-2"})
	require.NoError(t, err)
	assert.Equal(t, 3, strings.Count(evidence.Tail, "not written by this run, kept"), evidence.Tail)
	r.sh(t, "east-2", "mkdir -p /etc/kubernetes/manifests; touch /etc/kubernetes/manifests/kube-apiserver.yaml")
	for range 2 {
		_, err = r.keys.RemoveKeys(ctx, in)
		require.NoError(t, err)
	}
	assert.Equal(t, "gone", r.sh(t, "east-1", "[ -e "+file+" ] || echo gone"))
	assert.Equal(t, want, r.sh(t, "east-2", "sha256sum <"+file), "a kube-apiserver may use it")
	assert.Equal(t, "there", r.sh(t, "east-3", "[ -e "+file+" ] && echo there"), "it is another one")

	r.sh(t, "east-1", "printf 'secret: "+other+"' >"+file)
	files, err := r.keys.ReadKeys(ctx, activities.Scope{Site: *doc, Cluster: "east"})
	require.True(t, fault.Is(err, fault.Corrupt), "%v", err)
	assert.NotContains(t, err.Error()+shown(t, files), other[:12])
	assert.Contains(t, err.Error(), "east-1:"+encryption.Path)
}
