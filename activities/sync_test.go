package activities

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/site"
)

func TestCheckURL(t *testing.T) {
	assert.Equal(t, "http://10.4.7.7/check", CheckURL("10.4.7.7"))
	assert.Equal(t, "http://[fd00:10:96::7]/check", CheckURL("fd00:10:96::7"))
}

// Whatever answers that is not the one understood answer is a result, and never a clean one.
func TestAskCheck(t *testing.T) {
	const clean = "LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus keys: 0\n"
	cases := map[string]struct {
		status int
		body   string
		clean  bool
		says   string
	}{
		"clean":                {200, clean, true, "0 missed keys, 0 surplus keys"},
		"missed":               {200, strings.Replace(clean, ": 0", ": 3", 1), false, "3 missed keys"},
		"clean text, bad code": {503, clean, false, "HTTP status 503"},
		"an error":             {503, "error: the first full sync is not done", false, "first full sync is not done"},
		"somewhere else":       {302, clean, false, "HTTP status 302"},
		"accepted":             {202, clean, false, "HTTP status 202"},
		"endless":              {200, clean + strings.Repeat("\n", syncplugin.MaxCheck), false, "longer"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer srv.Close()
			client := srv.Client()
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			got, err := askCheck(t.Context(), client, srv.URL)
			require.NoError(t, err)
			assert.Equal(t, c.clean, got.Clean())
			assert.Contains(t, got.String(), c.says)
			srv.Close()
			_, err = askCheck(t.Context(), client, srv.URL)
			assert.Equal(t, fault.Unreachable, fault.ClassOf(err))
		})
	}
}

func TestChooseByWhatIsThere(t *testing.T) {
	for name, c := range map[string]struct {
		view    PluginView
		profile string
		want    PluginView
	}{
		"nothing":            {view: PluginView{}},
		"published":          {view: PluginView{Published: []string{"v4.3.1", "v4.1.0"}}, profile: "acp-4.3", want: PluginView{Version: "v4.3.1", Way: syncplugin.WayToken}},
		"installed":          {view: PluginView{Published: []string{"v4.3.1"}, Installed: true, Plugin: kube.PluginState{Version: "v4.3.0"}}, profile: "acp-4.3", want: PluginView{Version: "v4.3.0", Way: syncplugin.WayLease}},
		"upgraded meanwhile": {view: PluginView{Installed: true, Plugin: kube.PluginState{Version: "v4.3.1", Installed: "v4.3.0"}}, profile: "acp-4.3", want: PluginView{Version: "v4.3.0", Way: syncplugin.WayLease}},
		"unknown":            {view: PluginView{Published: []string{"v9.0.0"}}, profile: "acp-4.3", want: PluginView{Version: "v9.0.0", Unknown: "?", Doubt: "?"}},
		"of another edition": {view: PluginView{Published: []string{"v4.3.1"}}, profile: "acp-4.1-seed", want: PluginView{Version: "v4.3.1", Way: syncplugin.WayToken, Doubt: "?"}},
	} {
		t.Run(name, func(t *testing.T) {
			v := c.view
			v.choose(c.profile)
			assert.Equal(t, c.want.Version, v.Version)
			assert.Equal(t, c.want.Way, v.Way)
			assert.Equal(t, c.want.Unknown != "", v.Unknown != "")
			assert.Equal(t, c.want.Doubt != "", v.Doubt != "")
		})
	}
}

func TestRecreateTouchesOnlyWhatWasSeen(t *testing.T) {
	old, other := kube.Pod{Name: "a", UID: "1"}, kube.Pod{Name: "b", UID: "2"}
	renewed := kube.Pod{Name: "a", UID: "3"}
	going := old
	going.Deleting = true
	for name, c := range map[string]struct {
		way    syncplugin.Way
		pods   []kube.Pod
		leader string
		want   bool
	}{
		"there":                     {syncplugin.WaySeed, []kube.Pod{old}, "", true},
		"gone":                      {syncplugin.WaySeed, []kube.Pod{other}, "", false},
		"another of that name":      {syncplugin.WaySeed, []kube.Pod{renewed}, "", false},
		"on its way":                {syncplugin.WaySeed, []kube.Pod{going}, "", false},
		"leads":                     {syncplugin.WayLease, []kube.Pod{old, other}, "a", true},
		"leads no longer":           {syncplugin.WayLease, []kube.Pod{old, other}, "b", false},
		"nobody leads":              {syncplugin.WayToken, []kube.Pod{old, other}, "", true},
		"gone and its name leads":   {syncplugin.WayToken, []kube.Pod{renewed, other}, "a", false},
		"there, another leads seed": {syncplugin.WaySeed, []kube.Pod{old, other}, "b", true},
	} {
		in := RecreateInput{SyncPodInput: SyncPodInput{Way: c.way}, Pod: old, Seen: []string{"1", "2"}}
		assert.Equal(t, c.want, in.stillCounts(PluginView{Pods: c.pods, Leader: c.leader}), name)
	}
	assert.Equal(t, []string{"1"}, RecreateInput{SyncPodInput: SyncPodInput{Way: syncplugin.WayLease}, Pod: old, Seen: []string{"1", "2"}}.notAgain(),
		"the Pod beside may lead next")
	assert.Contains(t, RecreateInput{SyncPodInput: SyncPodInput{Way: syncplugin.WaySeed}, Pod: old, Seen: []string{"1", "2"}}.notAgain(), "2")
}

func TestNeverRan(t *testing.T) {
	assert.False(t, neverRan(PluginView{}), "the Pod that copied may be gone")
	assert.True(t, neverRan(PluginView{Pods: []kube.Pod{{Phase: "Pending"}}}))
	assert.False(t, neverRan(PluginView{Pods: []kube.Pod{{Phase: "Pending"}, {Phase: "Running"}}}))
	assert.False(t, neverRan(PluginView{Pods: []kube.Pod{{Phase: "Pending", Restarts: 1}}}))
	assert.False(t, neverRan(PluginView{Lease: &kube.LeaseState{}}))
}

func TestSides(t *testing.T) {
	s := site.Site{Name: "s", Clusters: []site.Cluster{{Name: "west", Endpoint: site.Endpoint{VIP: "192.0.2.10"}}, {Name: "east", Endpoint: site.Endpoint{VIP: "192.0.2.20"}}}}
	got, err := PairInput{Site: s, Primary: "west", Standby: "east"}.sides()
	require.NoError(t, err)
	assert.Equal(t, syncplugin.Sides{Primary: "192.0.2.10", Standby: "192.0.2.20"}, got)
	for _, in := range []PairInput{{Site: s, Primary: "west", Standby: "west"}, {Site: s, Primary: "west"}, {Site: s, Primary: "x", Standby: "east"}} {
		_, err := in.sides()
		assert.Equal(t, fault.BadInput, fault.ClassOf(err))
	}
}
