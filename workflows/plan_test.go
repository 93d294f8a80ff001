package workflows_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

func TestPlanIsWhatARunRecords(t *testing.T) {
	snapshot := site.Snapshot{Name: "lab", SHA256: "5111", Site: theSite()}
	plan, err := workflows.PlanOf(workflows.InstallBook, snapshot, "west")
	require.NoError(t, err)
	w := newWorld(t)
	require.NoError(t, w.run(request))
	assert.Equal(t, plan.Digest(), w.status().PlanDigest)
}

func TestEveryStepOfEveryRunbookIsDescribed(t *testing.T) {
	doc, two := theSite(), thePair()
	doc.Platform.ProductDocs, two.Platform.ProductDocs = true, true
	for _, book := range workflows.Books {
		of, cluster := doc, ""
		if book.Pair {
			of, cluster = two, "west"
			_, err := workflows.PlanOf(book, site.Snapshot{Name: "lab", Site: doc}, "")
			assert.ErrorContains(t, err, "needs a pair")
		}
		plan, err := workflows.PlanOf(book, site.Snapshot{Name: "lab", Site: of}, cluster)
		require.NoError(t, err)
		seen := map[string]bool{}
		returns := 0
		for _, s := range plan.Steps {
			assert.Regexp(t, regexp.MustCompile(`^((west|east)\.)?(prepare|fix|execute|verify|pair|sync|check|keys|push|switchover|failover|reprotect|drill)\.\d\d-[a-z0-9-]+$`), s.ID)
			assert.False(t, seen[s.ID], "%s: %s twice", book.Name, s.ID)
			seen[s.ID] = true
			assert.NotEmpty(t, s.Title, s.ID)
			assert.NotEmpty(t, s.Source, "%s must name its requirements", s.ID)
			assert.Contains(t, []workflows.Effect{workflows.Read, workflows.Write, workflows.Destructive}, s.Effect, s.ID)
			if s.PointOfNoReturn {
				returns++
			}
		}
		if book.Name != workflows.InstallPairName && book.Name != workflows.MergeKeysName { // two halves each
			assert.LessOrEqual(t, returns, 1, "%s must have one point of no return", book.Name)
		}
		if !book.Changes && book.Name != workflows.CheckSyncName && book.Name != workflows.DrillName { // which write what the site allows
			assert.True(t, readsOnly(plan), "%s must change nothing", book.Name)
		}
	}
}

func readsOnly(p workflows.Plan) bool {
	return !slices.ContainsFunc(p.Steps, func(s workflows.StepInfo) bool {
		return s.Effect != workflows.Read || s.PointOfNoReturn || s.Reversible
	})
}

func TestPlanRefusesUnknownCluster(t *testing.T) {
	_, err := workflows.PlanOf(workflows.InstallBook, site.Snapshot{Name: "lab", Site: theSite()}, "east")
	assert.ErrorContains(t, err, `no cluster "east"`)
}
