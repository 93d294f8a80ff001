package main_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/installer"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/test/lab/corepackage"
	"github.com/acpflow/acpflow/test/lab/installer/server"
)

// One node from the bare machine to a cluster that lives: what is refused on
// the way, an installer that is killed, and what is done with the node later.
func TestInstallOnOneNode(t *testing.T) {
	d := bringUp(t, "i-one", 1)
	require.Contains(t, d.must("bash "+folder+"/res/init.sh"), "done")
	d.setUpRefuses()
	d.order(`{"neverRemoved": true}`)
	d.setUp()
	code, out := d.run("cd " + folder + "/installer && bash setup.sh")
	require.Equal(t, 1, code)
	require.Contains(t, out, "already runs")

	wrong := func(s *installer.Secrets) { s.SSHPassword = secret.NewValue([]byte("not the password")) }
	err := d.client().Post(t.Context(), d.configuration(wrong))
	require.True(t, fault.Is(err, fault.BadInput), "%v", err)
	require.ErrorContains(t, err, "with the password failed")

	require.NoError(t, d.client().Post(t.Context(), d.configuration(nil)))
	d.must("systemctl kill --signal=KILL minialauda-control-plane.service")
	d.awaitSuccess()
	d.order(`{"graceSeconds": 0}`) // only now: a poll that came too late would never see Success
	d.verify()
	d.installerIsGone()
	d.restartsTheAPIServerWithANewKey()
	d.installsProductDocs()
	d.looksUpNamesInAPod()
	d.addsAnArchitecture()
}

// setUpRefuses tries what setup.sh must not accept.
func (d *data) setUpRefuses() {
	const layer = folder + "/installer/res/images/amd64/layer-00.bin"
	d.must("cp " + layer + " /tmp/layer && truncate -s -1 " + layer)
	code, out := d.run("cd " + folder + "/installer && bash setup.sh")
	require.Equal(d, 1, code)
	require.Contains(d, out, "damaged or was not extracted completely")
	d.must("mv /tmp/layer " + layer)

	d.order(`{"setupFails": {"exitCode": 7, "message": "the lab says no"}}`)
	code, out = d.run("cd " + folder + "/installer && bash setup.sh")
	require.Equal(d, 7, code)
	require.Contains(d, out, "the lab says no")
	require.Empty(d, d.must("ls /etc/systemd/system | grep minialauda || true"), "a failed set-up must leave nothing")
}

// installerIsGone: after its grace it has removed itself, and one
// configuration was taken although the process was killed in between.
func (d *data) installerIsGone() {
	require.Eventually(d, func() bool {
		return strings.Count(d.must("docker ps --all"), "\n") == 1
	}, 2*time.Minute, 300*time.Millisecond)
	var r server.Record
	require.NoError(d, json.Unmarshal([]byte(d.must("cat "+server.RecordFile)), &r))
	require.Equal(d, server.Posts{Accepted: 1, Refused: 1}, r.Posts)
	d.Logf("from the POST to Success: %s", r.SuccessAt.Sub(r.AcceptedAt).Round(100*time.Millisecond))
	code, out := d.run("docker rm -f minialauda-control-plane")
	require.Equal(d, 1, code)
	require.Contains(d, out, "no such container")
}

// restartsTheAPIServerWithANewKey is what the runbooks do on every node.
func (d *data) restartsTheAPIServerWithANewKey() {
	id := strings.TrimSpace(d.must("crictl ps --name kube-apiserver --no-trunc --quiet"))
	require.Len(d, id, 64)
	code, _ := d.run("crictl rm " + id)
	require.Equal(d, 1, code, "a running container is not removed without force")
	d.must("systemctl restart kubelet.service && sleep 2")
	require.Equal(d, id, strings.TrimSpace(d.must("crictl ps --name kube-apiserver --no-trunc --quiet")),
		"a kubelet that restarts leaves containers alone")

	d.must(`sed -i "s|- name: key1|- name: added\n        secret: $(head -c 32 /dev/urandom | base64)\n      - name: key1|" /etc/kubernetes/encryption-provider.conf`)
	d.must("crictl rm --force " + id)
	require.Eventually(d, func() bool {
		now := strings.TrimSpace(d.must("crictl ps --name kube-apiserver --no-trunc --quiet"))
		if now == "" || now == id {
			return false
		}
		_, err := d.api().UID(d.Context())
		return err == nil
	}, 3*time.Minute, 500*time.Millisecond)
	d.createSecret()
	require.Eventually(d, func() bool {
		code, _ := d.run("grep -q k8s:enc:aescbc:v1:added: /var/lib/etcd/member/snap/db")
		return code == 0
	}, time.Minute, 500*time.Millisecond)
}

// createSecret writes a Secret through the node's own API server. The nodes
// have no HTTP client, but openssl speaks TLS.
func (d *data) createSecret() {
	d.must(`set -e; cd /etc/kubernetes/pki
body='{"apiVersion":"v1","kind":"Secret","metadata":{"name":"lab-probe"},"stringData":{"a":"b"}}'
{ printf 'POST /api/v1/namespaces/default/secrets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' ${#body} "$body"; sleep 2; } |
  openssl s_client -quiet -connect 127.0.0.1:6443 -CAfile ca.crt -cert apiserver-kubelet-client.crt -key apiserver-kubelet-client.key 2>/dev/null | grep -q '201 Created'`)
}

// installsProductDocs is VER-06.
func (d *data) installsProductDocs() {
	api := d.api()
	require.Eventually(d, func() bool {
		state, err := api.EnsurePlugin(d.Context(), kube.ProductDocs)
		return err == nil && state.Running()
	}, 3*time.Minute, 500*time.Millisecond)
}

// addsAnArchitecture is PKG-10.
func (d *data) addsAnArchitecture() {
	arch, err := d.api().ArchConstraint(d.Context())
	require.NoError(d, err)
	require.Equal(d, "amd64", arch)
	pkg, err := corepackage.Build(d.Context(), corepackage.Options{
		Path: filepath.Join(d.TempDir(), "hybrid.tar"), Architecture: corepackage.Hybrid, PayloadMB: 1})
	require.NoError(d, err)
	d.must("rm -rf " + folder)
	d.extract(pkg.Path)
	require.Contains(d, d.must("cd "+folder+"/installer && bash upgrade.sh --only-sync-image=true"), "amd64, arm64")
	removed, err := d.api().RemoveArchConstraint(d.Context())
	require.NoError(d, err)
	require.Equal(d, "amd64", removed)
}

// Three nodes behind a load balancer, with the encryption key of a primary in
// place; then one of them loses its power.
func TestInstallOnThreeNodes(t *testing.T) {
	d := bringUp(t, "i-three", 3)
	const key = `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - aescbc: {keys: [{name: primary, secret: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=}]}
  - identity: {}
`
	for _, n := range d.cluster.Nodes {
		require.NoError(t, d.node(n.Name).WriteFile(t.Context(), "/etc/kubernetes/encryption-provider.conf", []byte(key), "0600"))
	}
	d.order(`{"neverRemoved": true}`) // it must be there when it is removed by hand
	d.setUp()
	require.NoError(t, d.client().Post(t.Context(), d.configuration(nil)))
	d.awaitSuccess()
	d.verify()
	for _, n := range d.cluster.Nodes {
		got, err := d.node(n.Name).Exec(t.Context(), "cat", "/etc/kubernetes/encryption-provider.conf")
		require.NoError(t, err)
		require.Equal(t, key, got, "the key of the primary must stay on %s", n.Name)
	}
	var r server.Record
	require.NoError(t, json.Unmarshal([]byte(d.must("cat "+server.RecordFile)), &r))
	t.Logf("from the POST to Success: %s", r.SuccessAt.Sub(r.AcceptedAt).Round(100*time.Millisecond))
	require.Contains(t, d.must("docker rm -f minialauda-control-plane"), "minialauda-control-plane")

	require.NoError(t, d.node(d.cluster.Nodes[1].Name).PowerOff(t.Context()))
	api := d.api()
	require.Eventually(t, func() bool {
		nodes, err := api.VerifyNodes(t.Context(), *d.cluster)
		return err == nil && nodes.Ready == 2
	}, 5*time.Minute, time.Second, "the cluster must go on with two of three, and see the third one go")
}
