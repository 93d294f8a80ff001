package workflows_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

// pushed runs a push to a cluster of a pair and returns the command it shows.
func pushed(t *testing.T, cluster string, prepare func(*pairWorld)) (*pairWorld, string) {
	w := newPairWorld(t)
	w.has("west", false)
	w.has("east", true)
	w.answer["LookUpPlatform"] = func() any { return activities.PlatformAddress{Cluster: w.name, Agreed: w.name != ""} }
	w.name = "west"
	if prepare != nil {
		prepare(w)
	}
	r := request
	r.Cluster, r.OnFailure, r.Push = cluster, workflows.OnFailureAbort, &activities.PackagePush{Package: "/packages/x.tgz", Clusters: []string{"w1"}}
	if err := w.runBook(workflows.PushPackagesName, r); err != nil {
		return w, err.Error()
	}
	return w, w.status().Steps[0].Evidence.Facts["command"]
}

func TestPushToThePrimaryGoesByThePlatformsName(t *testing.T) {
	w, command := pushed(t, "west", nil)
	assert.Equal(t, "violet push /packages/x.tgz --platform-address https://acp.example.com --platform-username admin --platform-password [redacted] --clusters w1", command)
	assert.Equal(t, []string{"VerifyPackage", "PushPackage"}, w.done()[len(w.done())-2:])
}

// DR-50: whatever is not the primary for sure gets its own address and registry.
func TestPushToTheStandbyGoesIntoItsOwnRegistry(t *testing.T) {
	const want = "--platform-address https://192.0.2.20 --platform-username admin --platform-password [redacted] --clusters w1 --dest-repo 192.0.2.20:11443 --username puller --password [redacted]"
	_, command := pushed(t, "east", nil)
	assert.Contains(t, command, want)
	_, command = pushed(t, "east", func(w *pairWorld) { w.name = "east" })
	assert.Contains(t, command, want, "it carries the synchronizer, whatever DNS says")
	_, command = pushed(t, "west", func(w *pairWorld) { w.name = "" })
	assert.Contains(t, command, "--dest-repo 192.0.2.10:11443", "DNS does not tell")
	_, command = pushed(t, "west", func(w *pairWorld) {
		w.answer["LoadSite"] = func() any { s := thePair(); s.DR.DNS = nil; return site.Snapshot{Name: "lab", SHA256: "1", Site: s} }
	})
	assert.Contains(t, command, "--dest-repo 192.0.2.10:11443", "nobody can be asked")
}

func TestPushRefusesAnIPv6Literal(t *testing.T) {
	w, said := pushed(t, "east", func(w *pairWorld) {
		w.answer["LoadSite"] = func() any {
			s := thePair()
			s.Clusters[1].Endpoint.VIP = "2001:db8::20"
			return site.Snapshot{Name: "lab", SHA256: "1", Site: s}
		}
	})
	assert.Contains(t, said, "DR-50")
	assert.False(t, w.called("PushPackage"))
}

func TestPushParks(t *testing.T) {
	for broken, next := range map[string]string{"ObserveInstall": "VerifyPackage", "LookUpPlatform": "VerifyPackage", "VerifyPackage": "PushPackage", "PushPackage": "nothing"} {
		w, said := pushed(t, "west", func(w *pairWorld) { w.breaks(broken, fault.Failed) })
		assert.Contains(t, said, broken+" is broken", broken)
		assert.False(t, w.called(next))
	}
}

func TestPushOfASiteWithOneCluster(t *testing.T) {
	w := newWorld(t)
	r := request
	r.Push = &activities.PackagePush{Package: "/packages/x.tgz"}
	require.NoError(t, w.runBook(workflows.PushPackagesName, r))
	assert.Contains(t, w.status().Steps[0].Evidence.Facts["command"], "https://acp.example.com ")
	assert.False(t, w.called("ObserveInstall"))
}

func TestPushDemandsAPackage(t *testing.T) {
	for want, p := range map[string]*activities.PackagePush{
		"push.package": nil, "from / on": {Package: "x.tgz"}, "exclude": {Package: "/x", SkipCRs: true, SkipPush: true},
		"names of clusters": {Package: "/x", Clusters: []string{"--no-auth"}}, "control": {Package: "/x\n"}, "is a name": {Package: "/x", CatalogSource: "--skip-crs"},
	} {
		w := newWorld(t)
		r := request
		r.Push = p
		err := w.runBook(workflows.PushPackagesName, r)
		require.Error(t, err)
		assert.Contains(t, err.Error(), want)
		assert.Contains(t, err.Error(), workflows.ErrInvalidInput)
		assert.Empty(t, w.done())
	}
	plan, err := workflows.PlanOf(workflows.PushPackagesBook, site.Snapshot{Name: "lab", Site: thePair()}, "east")
	require.NoError(t, err)
	assert.Len(t, plan.Steps[2].Calls, 2)
	assert.True(t, strings.HasSuffix(plan.Steps[2].Calls[1], "# as the standby"))
}
