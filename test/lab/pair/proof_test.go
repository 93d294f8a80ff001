package pair

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
	"github.com/acpflow/acpflow/test/lab/workload"
)

// TestProof: acpflow reads both etcds through SSH and finds that the mirror of
// two living clusters is whole, and what one that fails leaves behind.
func TestProof(t *testing.T) {
	r := &rig{t, labtest.InstallPair(t, "t-proof")}
	r.installPlugin("v4.1.0", nil)
	r.awaitLog("Start Sync update")
	require.NoError(r, workload.Seed(r.Context(), r.West.API, r.West.Dynamic, seeded))
	r.awaitCheck(clean)

	pool := ssh.NewPool()
	defer pool.Close()
	a := activities.Consistency{Hosts: &activities.Hosts{Pool: pool}}
	site := *r.Site
	site.DR.Sync.MaxLag = "20s"
	prove := func(since *etcd.Mark) etcd.Proof {
		p, err := a.Prove(r.Context(), activities.ProveInput{Site: site, Primary: "west", Standby: "east", Since: since, Owners: since == nil})
		require.NoError(r, err)
		t.Logf("%s proof: %d keys in %.2f s, %d alike, %d moving, differences %+v, dangling %+v", p.Mode, p.Compared, p.Seconds, p.Alike, p.Moving, p.Resources, p.Dangling)
		return p
	}
	first := prove(nil)
	require.True(t, first.Clean(), "%+v", first)
	assert.Greater(t, first.Compared, seeded*(workload.ConfigMapsEach+workload.SecretsEach+workload.MachinesEach))

	require.NoError(t, r.Lab.BreakSync(r.Context(), "east", lab.SyncFaults{Stale: []string{"/registry/configmaps/"}}))
	maps := r.West.API.CoreV1().ConfigMaps(workload.Team(1))
	list, err := maps.List(r.Context(), metav1.ListOptions{FieldSelector: "metadata.name!=kube-root-ca.crt"})
	require.NoError(t, err)
	require.NotEmpty(t, list.Items)
	stale := list.Items[0]
	stale.Data = map[string]string{"changed": "in the west only"}
	_, err = maps.Update(r.Context(), &stale, metav1.UpdateOptions{})
	require.NoError(t, err)
	second := prove(&first.Mark)
	assert.Equal(t, etcd.Incremental, second.Mode, second.Why)
	assert.Equal(t, 1, second.Different)
	assert.Equal(t, []string{"/registry/configmaps/" + stale.Namespace + "/" + stale.Name}, second.Mark.Open)

	require.NoError(t, r.Lab.MendSync(r.Context(), "east"))
	r.recreatePod()
	third := prove(&second.Mark)
	assert.True(t, third.Clean(), "%+v", third.Resources)

	west, err := a.ReadMachines(r.Context(), activities.Scope{Site: site, Cluster: "west"})
	require.NoError(t, err)
	east, err := a.ReadMachines(r.Context(), activities.Scope{Site: site, Cluster: "east"})
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(west.Machines), seeded*workload.MachinesEach)
	assert.Equal(t, len(west.Machines), len(east.Machines), "the clusters' own machines are as many")
}
