package pair

import (
	"crypto/rand"
	"fmt"
	"net"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness/pairs"
	"github.com/acpflow/acpflow/test/harness/runs"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
	"github.com/acpflow/acpflow/workflows"
)

// enable makes east the standby and returns the run's end.
func (r *stage) enable(name, version string) (string, *workflows.Progress) {
	r.Helper()
	id := r.start("enable-sync", r.document(name, nil), "east")
	p := r.succeeds(id)
	assert.Equal(r, version, runs.Step(p, "sync.03-version").Evidence.Facts["version"])
	for _, side := range []string{"west", "east"} {
		assert.True(r, r.listens(r.side(side)), "port 2379 of %s", side)
	}
	clean := runs.Step(p, "sync.11-consistent")
	assert.NotEqual(r, "0", clean.Evidence.Facts["compared"])
	assert.Len(r, clean.Evidence.Facts["digest"], 64)
	r.mirrors()
	return id, p
}

func (r *stage) side(name string) *labtest.Side {
	if name == "west" {
		return r.West
	}
	return r.East
}

// listens reports whether the VIP of a side forwards the etcd port.
func (r *stage) listens(side *labtest.Side) bool {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(side.Cluster.Endpoint.VIP, "2379"), 3*time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// mirrors writes on the primary and reads on the standby.
func (r *stage) mirrors() {
	r.Helper()
	name := "proof-" + fmt.Sprint(time.Now().UnixNano())
	const space = lab.CanaryNamespace
	_, err := r.West.API.CoreV1().Namespaces().Create(r.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: space}}, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		require.NoError(r, err)
	}
	value := rand.Text()
	_, err = r.West.API.CoreV1().Secrets(space).Create(r.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name},
		StringData: map[string]string{"value": value}}, metav1.CreateOptions{})
	require.NoError(r, err)
	labtest.Await(r, 3*time.Minute, "what is written in the west is read in the east", func() error {
		got, err := r.East.API.CoreV1().Secrets(space).Get(r.Context(), name, metav1.GetOptions{})
		if err == nil && string(got.Data["value"]) != value {
			err = fmt.Errorf("another value")
		}
		return err
	})
}

func (r *stage) seedWay() {
	defer pairs.RemovePlugin(r, r.East)
	_, p := r.enable("seed", "v4.1.0")
	assert.Equal(r, "seed", runs.Step(p, "sync.03-version").Evidence.Facts["way"])
	assert.Empty(r, runs.Step(p, "sync.03-version").Evidence.Findings)
	assert.Contains(r, runs.Step(p, "sync.06-token").Evidence.Summary, "not needed")
	sides := runs.Step(p, "sync.01-sides").Evidence.Facts
	assert.NotEqual(r, sides["uid.west"], sides["uid.east"])

	before, after := runs.Step(p, "sync.09-first-sync").Evidence.Facts["uid"], runs.Step(p, "sync.10-recreate").Evidence.Facts["uid"]
	assert.NotEqual(r, before, after)
	pods := pairs.Synchronizers(r, r.East)
	require.Len(r, pods, 1)
	assert.Equal(r, after, string(pods[0].UID), "recreated once, not more")

	// Enabling once more finds the work done and installs nothing.
	again := r.succeeds(r.start("enable-sync", "seed", "east"))
	assert.Contains(r, runs.Step(again, "sync.07-install").Evidence.Summary, "was installed already")
	// The other way round would be two synchronizers.
	id := r.start("enable-sync", "seed", "west")
	assert.Contains(r, r.gate(id, "sync.01-sides").Error, "opposite directions")
	r.decide(id, "abort", "as it should be")
	r.aborted(id)
	assert.Len(r, pairs.Synchronizers(r, r.East), 1)
	assert.True(r, r.listens(r.West))
}

// An answer that nobody understands is never good: a person is asked, and while
// it is so the synchronizer is not removed either.
func (r *stage) checkNotUnderstood() {
	defer pairs.RemovePlugin(r, r.East)
	require.NoError(r, r.Lab.BreakSync(r.Context(), "east", lab.SyncFaults{CheckText: "everything is fine"}))
	defer func() { _ = r.Lab.MendSync(r.Context(), "east") }()
	id := r.start("enable-sync", r.document("garbled", func(s *site.Site) { s.Policy.StallAfter = "45s" }), "east")
	gate := r.gate(id, "sync.11-consistent")
	assert.Contains(r, gate.Error, "not understood")
	assert.Contains(r, gate.Error, "everything is fine")
	r.decide(id, "abort", "try the undo")
	p := r.until(id, "gate of the undo", func(p *workflows.Progress) bool { return p.Gate != nil && p.Gate.Undo })
	assert.Equal(r, "sync.07-install", p.Gate.Step)
	assert.Contains(r, p.Gate.Error, "can delete Machine objects")
	assert.NotEmpty(r, pairs.Synchronizers(r, r.East))
	assert.True(r, r.listens(r.West))

	require.NoError(r, r.Lab.MendSync(r.Context(), "east"))
	r.decide(id, "retry", "mended")
	p = r.aborted(id)
	assert.Equal(r, workflows.Undone, runs.Step(p, "sync.07-install").State)
	assert.Empty(r, pairs.Synchronizers(r, r.East))
}

func (r *stage) leaseWay() {
	require.NoError(r, r.Lab.PublishSync(r.Context(), "east", "v4.3.0"))
	defer pairs.RemovePlugin(r, r.East)
	_, p := r.enable("lease", "v4.3.0")
	version := runs.Step(p, "sync.03-version").Evidence
	assert.Equal(r, "lease", version.Facts["way"])
	require.Len(r, version.Findings, 1, "the site's profile is another edition: said, not refused")
	before, after := runs.Step(p, "sync.09-first-sync").Evidence, runs.Step(p, "sync.10-recreate").Evidence
	assert.Contains(r, before.Summary, "the leader")
	assert.NotEqual(r, before.Facts["uid"], after.Facts["uid"])
	lease, err := r.East.API.CoordinationV1().Leases(syncplugin.Namespace).Get(r.Context(), syncplugin.LeaseName, metav1.GetOptions{})
	require.NoError(r, err)
	assert.Equal(r, after.Facts["pod"], *lease.Spec.HolderIdentity)
	for _, pod := range pairs.Synchronizers(r, r.East) {
		assert.NotEqual(r, before.Facts["uid"], string(pod.UID), "the old leader is gone")
	}
}

func (r *stage) tokenWay() {
	require.NoError(r, r.Lab.PublishSync(r.Context(), "east", "v4.3.1"))
	defer pairs.RemovePlugin(r, r.East)
	id, p := r.enable("token", "v4.3.1")
	assert.Equal(r, "token", runs.Step(p, "sync.03-version").Evidence.Facts["way"])
	assert.Contains(r, runs.Step(p, "sync.08-bootstrap").Evidence.Summary, "remote-etcd-client")
	source, err := r.West.API.CoreV1().Secrets(syncplugin.Namespace).Get(r.Context(), syncplugin.AdminSecret, metav1.GetOptions{})
	require.NoError(r, err)
	copied, err := r.East.API.CoreV1().Secrets(syncplugin.Namespace).Get(r.Context(), syncplugin.TokenSecret, metav1.GetOptions{})
	require.NoError(r, err)
	token := source.Data[syncplugin.TokenKey]
	assert.NotEmpty(r, token)
	assert.Equal(r, token, copied.Data[syncplugin.TokenKey])
	assert.NotContains(r, string(r.world.Bytes(r, id)), string(token), "the token is not in history")
	assert.NotContains(r, r.world.Worker.Log(), string(token))
}

func (r *stage) unknownVersion() {
	require.NoError(r, r.Lab.PublishSync(r.Context(), "east", "v4.7.0"))
	id := r.start("enable-sync", r.document("unknown", nil), "east")
	gate := r.gate(id, "sync.03-version")
	assert.Contains(r, gate.Error, `"v4.7.0"`)
	assert.Contains(r, gate.Error, "Fix: publish a version that is known")
	r.decide(id, "abort", "nobody knows it")
	p := r.aborted(id)
	for _, s := range p.Steps[3:] {
		assert.Equal(r, workflows.NotRun, s.State, s.ID)
	}
	assert.Empty(r, pairs.Synchronizers(r, r.East))
}
