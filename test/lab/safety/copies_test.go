package safety

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/test/harness/etcdfile"
	"github.com/acpflow/acpflow/test/lab/workload"
)

// keysIn lists what is in a snapshot.
func keysIn(t *testing.T, path string) map[string]string {
	t.Helper()
	out, err := etcdfile.Pairs(path)
	require.NoError(t, err)
	return out
}

func testSnapshot(t *testing.T, r *rig) {
	in := activities.SafetyInput{Scope: r.scope("east"), Run: "run-1", Label: "east"}
	first, err := r.safety().SnapshotEtcd(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, r.East.First.Name, first.Host)
	require.Equal(t, "/var/lib/acpflow/safety/run-1/east-etcd.db", first.Facts["file"])
	again, err := r.safety().SnapshotEtcd(t.Context(), in)
	require.NoError(t, err)
	assert.Contains(t, again.Summary, "taken before")
	for _, f := range []string{"file", "sha256", "bytes", "made"} {
		assert.Equal(t, first.Facts[f], again.Facts[f], f)
	}
	onlyRoot(t, r.East.First, "run-1", "east-etcd.db")
	silent(t, first, again)
	keys := keysIn(t, local(t, r.East.First, first.Facts["file"]))
	for _, key := range []string{"/registry/secrets/" + workload.Team(1) + "/password-1", "/registry/configmaps/" + workload.Team(seeded) + "/settings-1",
		"/registry/platform.tkestack.io/machines/" + workload.Cluster(1) + "-1", "/registry/namespaces/kube-system"} {
		assert.Contains(t, keys, key)
	}
	t.Logf("%s", first.Summary)

	_, err = r.safety().SnapshotEtcd(t.Context(), activities.SafetyInput{Scope: r.scope("east"), Run: "../../etc", Label: "east"})
	require.Equal(t, fault.BadInput, fault.ClassOf(err))

	_, err = r.East.First.Exec(t.Context(), "truncate", "--size=1000", first.Facts["file"])
	require.NoError(t, err)
	_, err = r.safety().SnapshotEtcd(t.Context(), in)
	require.Equal(t, fault.Corrupt, fault.ClassOf(err), "what was damaged is told, not overwritten")
}

// testNoSpace: a node whose disk would become too full keeps nothing, and says so.
func testNoSpace(t *testing.T, r *rig) {
	const at = "/var/lib/acpflow/safety"
	_, err := r.West.First.Script(t.Context(), "mkdir -p "+at+" && mount -t tmpfs -o size=16m none "+at)
	require.NoError(t, err)
	in := activities.SafetyInput{Scope: r.scope("west"), Run: "run-5", Label: "west"}
	_, err = r.safety().SnapshotEtcd(t.Context(), in)
	require.Equal(t, fault.DiskFull, fault.ClassOf(err), "%v", err)
	require.ErrorContains(t, err, "a tenth must stay free")
	out, err := r.West.First.Script(t.Context(), "ls "+at+"/run-5; umount "+at)
	require.NoError(t, err)
	assert.Empty(t, strings.TrimSpace(out))
	_, err = r.safety().SnapshotEtcd(t.Context(), in)
	require.NoError(t, err)
}

func testExport(t *testing.T, r *rig) {
	in := activities.SafetyInput{Scope: r.scope("east"), Run: "run-1", Label: "east"}
	first, err := r.safety().ExportObjects(t.Context(), in)
	require.NoError(t, err)
	t.Logf("%s", first.Summary)
	assert.Contains(t, first.Summary, "cluster.x-k8s.io is not served")
	onlyRoot(t, r.East.First, "run-1", "east-objects.yaml")
	text := string(fetch(t, r.East.First, first.Facts["file"]))
	clusters, err := r.East.Dynamic.Resource(workload.Clusters).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	machines, err := r.East.Dynamic.Resource(workload.Machines).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	assert.Equal(t, strconv.Itoa(len(clusters.Items)), first.Facts["clusters.platform.tkestack.io/v1"])
	assert.Equal(t, strconv.Itoa(len(machines.Items)), first.Facts["machines.platform.tkestack.io/v1"])
	assert.Equal(t, len(clusters.Items)+len(machines.Items), strings.Count(text, "\nkind: "), "each is one document")
	for _, o := range append(clusters.Items, machines.Items...) {
		assert.Contains(t, text, "uid: "+string(o.GetUID()), o.GetName())
	}
	assert.NotContains(t, text, "managedFields")

	require.NoError(t, r.East.Dynamic.Resource(workload.Machines).Delete(t.Context(), workload.Cluster(1)+"-1", metav1.DeleteOptions{}))
	again, err := r.safety().ExportObjects(t.Context(), in)
	require.NoError(t, err)
	assert.Equal(t, first.Facts["sha256"], again.Facts["sha256"], "it tells how it was before")
	require.NoError(t, workload.Seed(t.Context(), r.East.API, r.East.Dynamic, seeded))
}

func testDivergence(t *testing.T, r *rig) {
	capture := func(run string, since int64) activities.Divergence {
		t.Helper()
		d, err := r.safety().CaptureDivergence(t.Context(), activities.DivergenceInput{
			PairInput: activities.PairInput{Site: r.doc, Primary: "west", Standby: "east"}, Run: run, Since: since})
		require.NoError(t, err)
		silent(t, d)
		return d
	}
	before := capture("run-2", 0)
	require.NotEmpty(t, before.Samples)

	const secret = "only the old side has it"
	_, err := r.East.API.CoreV1().Secrets(workload.Team(1)).Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "planted"}, StringData: map[string]string{"a": secret}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = r.West.API.CoreV1().ConfigMaps(workload.Team(1)).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "planted-new"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	again := capture("run-2", 0)
	assert.True(t, again.Before)
	again.Before, again.Evidence = before.Before, before.Evidence
	assert.Equal(t, before, again, "the same run captures once")

	after := capture("run-3", before.OldAt)
	t.Logf("%s", after.Summary)
	assert.Equal(t, before.OnlyOld+1, after.OnlyOld)
	assert.Equal(t, before.OnlyNew+1, after.OnlyNew)
	assert.Zero(t, before.Created)
	assert.Equal(t, 1, after.Created, "what was there is not new, whatever happens to it")
	list := string(fetch(t, r.East.First, after.File))
	lines := map[string][]string{}
	for line := range strings.Lines(list) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(f) == 4 && line[0] != '#' {
			lines[f[1]] = f
		}
	}
	old := lines["/registry/secrets/"+workload.Team(1)+"/planted"]
	require.Len(t, old, 4)
	assert.Equal(t, "only-old", old[0])
	assert.Len(t, old[2], 64)
	assert.Equal(t, "-", old[3])
	assert.Equal(t, "only-new", lines["/registry/configmaps/"+workload.Team(1)+"/planted-new"][0])
	assert.Equal(t, "different", lines["/registry/platform.tkestack.io/clusters/"+workload.Cluster(1)][0], "of the same name, with another UID")
	assert.Len(t, lines, after.OnlyOld+after.OnlyNew+after.Different+after.Alike)
	for key := range lines {
		assert.False(t, strings.Contains(key, "/kube-system/") || strings.HasPrefix(key, "/registry/pods/"), key)
	}
	onlyRoot(t, r.East.First, "run-3", "east-divergence.tsv", "east-etcd.db")
	for _, hidden := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
		assert.NotContains(t, list, hidden, "keys and hashes only")
	}
	raw := local(t, r.East.First, after.Snapshot)
	assert.Contains(t, keysIn(t, raw), "/registry/secrets/"+workload.Team(1)+"/planted", "the value is in the snapshot")
	assert.False(t, bytes.Contains(fetch(t, r.East.First, after.Snapshot), []byte(secret)), "as etcd has it: encrypted")
	out, err := r.East.First.Script(t.Context(), "cd /var/lib/acpflow/safety/run-3 && sha256sum --check *.sha256")
	require.NoError(t, err, out)
}
