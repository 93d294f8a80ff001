package syncplugin_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/syncplugin"
)

func TestWayOf(t *testing.T) {
	for ver, want := range map[string]syncplugin.Way{
		"v4.0.0": syncplugin.WaySeed, "v4.0.9": syncplugin.WaySeed, "v4.1.0": syncplugin.WaySeed, "v4.1.12": syncplugin.WaySeed,
		"v4.1.0-rc.2": syncplugin.WaySeed, "4.2.3": syncplugin.WaySeed, "v4.2.0+build.7": syncplugin.WaySeed, " v4.2.0\n": syncplugin.WaySeed,
		"v4.3.0": syncplugin.WayLease, "v4.3.0+build.7": syncplugin.WayLease,
		"v4.3.1": syncplugin.WayToken, "v4.3.20": syncplugin.WayToken, "v4.4.0": syncplugin.WayToken, "v4.4.0-alpha.1": syncplugin.WayToken,
	} {
		got, err := syncplugin.WayOf(ver)
		require.NoError(t, err, ver)
		assert.Equal(t, want, got, ver)
	}
	for _, ver := range []string{"", "latest", "v4", "v4.1", "v4.3", "v3.18.0", "v5.0.0", "v4.5.0", "v4.5.0-rc.1", "v4.3.1-rc.1", "v4.3.0-beta.1", "v04.1.0", "v4.1.0; v4.3.1"} {
		way, err := syncplugin.WayOf(ver)
		require.Error(t, err, ver)
		assert.Empty(t, way)
		assert.Equal(t, fault.Gate, fault.ClassOf(err))
		assert.ErrorContains(t, err, `etcd-sync "`+ver+`"`)
		assert.ErrorContains(t, err, "Fix: publish a version that is known")
	}
}

func TestHasLeader(t *testing.T) {
	assert.False(t, syncplugin.WaySeed.HasLeader())
	assert.True(t, syncplugin.WayLease.HasLeader())
	assert.True(t, syncplugin.WayToken.HasLeader())
}

func TestDoubt(t *testing.T) {
	assert.Empty(t, syncplugin.Doubt("acp-4.1-seed", "v4.1.3"))
	assert.Empty(t, syncplugin.Doubt("acp-4.1", "v4.0.3"))
	assert.Empty(t, syncplugin.Doubt("acp-4.3", "v4.3.0"))
	assert.Empty(t, syncplugin.Doubt("acp-4.4-dev", "v4.4.0-alpha.1"))
	assert.Equal(t, "the site's profile is acp-4.1-seed, the synchronizer is v4.3.1", syncplugin.Doubt("acp-4.1-seed", "v4.3.1"))
	assert.NotEmpty(t, syncplugin.Doubt("acp-4.2", "v5.2.0"))
	assert.NotEmpty(t, syncplugin.Doubt("acp-4.2", "junk"))
	assert.Contains(t, syncplugin.Doubt("acp-9", "v4.1.0"), `"acp-9" names no edition`)
}

func TestParametersKeepTheDefaults(t *testing.T) {
	defaults := map[string]any{"syncInterval": "60s", "printDetailLogs": false, "nested": map[string]any{"a": int64(1)}}
	for _, way := range []syncplugin.Way{syncplugin.WaySeed, syncplugin.WayLease} {
		got, err := syncplugin.Parameters(way, defaults, syncplugin.Sides{Primary: "192.0.2.10", Standby: "198.51.100.10"})
		require.NoError(t, err)
		assert.Equal(t, defaults, got)
		got["nested"].(map[string]any)["a"] = int64(2)
		assert.EqualValues(t, 1, defaults["nested"].(map[string]any)["a"], "a copy")
	}
}

func tokenDefaults() map[string]any {
	return map[string]any{"activeGlobalClusterVIP": "", "activeETCDEndpoints": nil, "standbyETCDEndpoints": "https://example.com:2379",
		"activeClusterTokenSecret": "", "dataCheckInterval": "60s", "printDetailLogs": false}
}

func TestParametersOfTheTokenWay(t *testing.T) {
	defaults := tokenDefaults()
	got, err := syncplugin.Parameters(syncplugin.WayToken, defaults, syncplugin.Sides{Primary: "192.0.2.10", Standby: "2001:db8::10"})
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"activeGlobalClusterVIP": "192.0.2.10", "activeETCDEndpoints": "https://192.0.2.10:2379",
		"standbyETCDEndpoints": "https://[2001:db8::10]:2379", "activeClusterTokenSecret": "etcd-sync-active-cluster-token",
		"dataCheckInterval": "60s", "printDetailLogs": false}, got)
	assert.Equal(t, tokenDefaults(), defaults)

	for name := range tokenDefaults() {
		if name == "dataCheckInterval" || name == "printDetailLogs" {
			continue
		}
		for _, change := range []func(map[string]any){func(m map[string]any) { delete(m, name) }, func(m map[string]any) { m[name] = []any{"x"} }} {
			defaults := tokenDefaults()
			change(defaults)
			_, err := syncplugin.Parameters(syncplugin.WayToken, defaults, syncplugin.Sides{Primary: "192.0.2.10", Standby: "192.0.2.20"})
			require.Error(t, err)
			assert.Equal(t, fault.Gate, fault.ClassOf(err))
			assert.ErrorContains(t, err, name)
		}
	}
}
