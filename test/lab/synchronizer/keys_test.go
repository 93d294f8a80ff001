package synchronizer

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab/synchronizer/faults"
)

func TestMirrored(t *testing.T) {
	for key, want := range map[string]bool{
		"/registry/configmaps/team/settings":                                            true,
		"/registry/configmaps/team/kube-root-ca.crt":                                    false,
		"/registry/configmaps/cpaas-system/settings":                                    false,
		"/registry/namespaces/team":                                                     true,
		"/registry/namespaces/operators":                                                false,
		"/registry/clusterroles/operators":                                              true,
		"/registry/operators.coreos.com/operators/some":                                 true,
		"/registry/operators.coreos.com/subscriptions/operators/some":                   false,
		"/registry/services/specs/team/web":                                             true,
		"/registry/services/specs/default/kubernetes":                                   false,
		"/registry/services/endpoints/team/web":                                         false,
		"/registry/apiregistration.k8s.io/apiservices/v1.apps":                          false,
		"/registry/apiextensions.k8s.io/customresourcedefinitions/machines.example.com": true,
		"/registry/platform.tkestack.io/clusters/global":                                false,
		"/registry/platform.tkestack.io/clusters/global-2":                              true,
		"/registry/platform.tkestack.io/machines/global-192.0.2.1":                      false,
		"/registry/platform.tkestack.io/machines/work-192.0.2.1":                        true,
		"/registry/cluster.alauda.io/moduleinfoes/global-0123":                          false,
		"/registry/cluster.alauda.io/moduleinfoes/work-0123":                            true,
		"/registry/cluster.alauda.io/moduleconfigs/etcd-sync-v4.1.0":                    false,
		"/registry/minions/192.0.2.1":                                                   false,
		"/registry/ranges/serviceips":                                                   false,
		"/other/configmaps/team/settings":                                               false,
		"/registry/health":                                                              false,
	} {
		require.Equal(t, want, Mirrored(key), key)
	}
	require.ElementsMatch(t, site.ExcludedNamespaces(), ExcludedNamespaces, "DR-07 is one list")
}

// TestFreshModules: before the platform gives an installed plugin its name, only
// the label says whose it is.
func TestFreshModules(t *testing.T) {
	const key = "/registry/cluster.alauda.io/moduleinfoes/temporary"
	value := func(cluster string) string {
		return `{"kind":"ModuleInfo","metadata":{"name":"temporary","labels":{"cpaas.io/cluster-name":"` + cluster + `"}}}`
	}
	require.True(t, ownModule(key, value("global")))
	require.False(t, ownModule(key, value("work")))
	require.False(t, ownModule(key, ""))
	require.False(t, ownModule("/registry/configmaps/team/temporary", value("global")))
	put := func(cluster string) []*clientv3.Event {
		return []*clientv3.Event{{Type: clientv3.EventTypePut, Kv: &mvccpb.KeyValue{Key: []byte(key), Value: []byte(value(cluster))}}}
	}
	require.Empty(t, changesOf(put("global"), faults.Faults{}))
	require.Len(t, changesOf(put("work"), faults.Faults{}), 1)
}

func TestWays(t *testing.T) {
	for version, want := range map[string]Way{
		"v4.1.0": {}, "v4.2.9": {}, "v4.3.0": {Lease: true}, "v4.3.0-rc.1": {Lease: true}, "4.3.1": {Lease: true, Token: true},
		"v4.10.0": {Lease: true, Token: true}, "v5.0.0": {Lease: true, Token: true},
	} {
		got, err := WayOf(version)
		require.NoError(t, err)
		require.Equal(t, want, got, version)
	}
	_, err := WayOf("latest")
	require.Error(t, err)
}

func TestSettingsTakeWhatPeopleWrite(t *testing.T) {
	s, err := readSettings(`{"activeETCDEndpoints": "192.0.2.10:2379, https://192.0.2.11:2379", "standbyETCDEndpoints": ["192.0.2.20:2379"], "syncInterval": 5}`)
	require.NoError(t, err)
	require.Equal(t, endpoints{"https://192.0.2.10:2379", "https://192.0.2.11:2379"}, s.Active)
	require.Equal(t, endpoints{"https://192.0.2.20:2379"}, s.Standby)
	require.Equal(t, 5*time.Second, s.every())
	for _, w := range []Way{{}, {Lease: true, Token: true}} {
		defaults, err := json.Marshal(w.Defaults())
		require.NoError(t, err)
		s, err = readSettings(string(defaults))
		require.NoError(t, err)
		require.Equal(t, time.Minute, s.every())
	}
}

func TestFaultsAreStrict(t *testing.T) {
	f, err := faults.Parse([]byte(`{"ownerOrder": true, "lagSeconds": 3}`))
	require.NoError(t, err)
	require.Equal(t, faults.Faults{OwnerOrder: true, LagSeconds: 3}, f)
	_, err = faults.Parse([]byte(`{"ownerorders": true}`))
	require.ErrorContains(t, err, "ownerorders")
	_, err = faults.Parse([]byte(`{"lagSeconds": -1}`))
	require.ErrorContains(t, err, "negative")
}
