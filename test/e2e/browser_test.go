package e2e

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/lab/installer/faults"
	"github.com/acpflow/acpflow/workflows"
)

// A person with nothing but the Temporal UI: starts the install in the form,
// reads where it stands, and is refused a second change of the same site.
func TestInstallFromTheBrowser(t *testing.T) {
	world.pristine(t)
	// Long enough to look at every page while the run is under way.
	world.orders(t, "solo-1", faults.Faults{SlowPhase: &faults.SlowPhase{Phase: 1, Seconds: 20}})
	site := world.site(t, "browser", "solo", nil)
	tab, err := harness.StartBrowser(t.Context(), world.Dir)
	require.NoError(t, err)
	t.Cleanup(tab.Close)

	const first, second = "from-the-browser", "another-id-altogether"
	startInForm(t, tab, first, site)
	t.Cleanup(func() { world.End(first) })
	world.Until(t, first, "progress", func(p *workflows.Progress) bool { return len(p.Steps) > 0 })

	t.Run("a second changing run is refused under whatever id", func(t *testing.T) {
		startInForm(t, tab, second, site)
		require.ErrorContains(t, world.Failure(t, second), "is being changed by")
		require.NoError(t, tab.Open(runPage(t, second, "history")))
		page, err := tab.WaitFor("FAILED", "site browser is being changed by Install of cluster solo", "workflow "+first)
		require.NoError(t, err)
		assert.Contains(t, page, "Fix: wait until it ends")
	})

	t.Run("the checklist shows every step", func(t *testing.T) {
		p, err := world.Status(t.Context(), first)
		require.NoError(t, err)
		require.NoError(t, tab.Open(runPage(t, first, "user-metadata")))
		words := []string{"Install of cluster solo, site browser"}
		for _, step := range p.Steps {
			words = append(words, step.ID, step.Title)
		}
		page, err := tab.WaitFor(words...)
		require.NoError(t, err)
		assert.NotContains(t, page, "[ ]", "the UI shows no task lists")
		items, err := tab.CountInFrames("li")
		require.NoError(t, err)
		assert.Equal(t, len(p.Steps), items, "one list item per step")
	})

	t.Run("the history reads like the runbook", func(t *testing.T) {
		require.NoError(t, tab.Open(runPage(t, first, "history?per-page=250")))
		_, err := tab.WaitFor("Load and validate site browser", "Check solo-1", "Upload to solo-1", "setup.sh on solo-1")
		require.NoError(t, err)
	})

	p := world.Succeeds(t, first)
	assert.Equal(t, "CHG-7", p.Request.Change)
	require.NoError(t, tab.Open(runPage(t, first, "history?per-page=250")))
	_, err = tab.WaitFor("COMPLETED")
	require.NoError(t, err)
}

// startInForm fills in Temporal's start form as a person would.
func startInForm(t *testing.T, tab *harness.Browser, id, site string) {
	t.Helper()
	form := world.Server.UI + "/namespaces/" + world.Server.Namespace + "/workflows/start-workflow?" +
		url.Values{"taskQueue": {harness.TaskQueue}, "workflowType": {workflows.InstallName}}.Encode()
	require.NoError(t, tab.Open(form))
	_, err := tab.WaitFor("Task Queue is Active")
	require.NoError(t, err)
	require.NoError(t, tab.Type("#workflowId", id))
	require.NoError(t, tab.Type(`.cm-content[aria-label="Data"]`, fmt.Sprintf(`{"site":%q,"cluster":"solo","change":"CHG-7"}`, site)))
	require.NoError(t, tab.Press("Start Workflow"))
	_, err = tab.WaitFor("Workflow started successfully")
	require.NoError(t, err)
}

// runPage is a page of the latest run of a workflow.
func runPage(t *testing.T, id, page string) string {
	t.Helper()
	run, err := world.Temporal.DescribeWorkflowExecution(t.Context(), id, "")
	require.NoError(t, err)
	return world.Server.RunURL(id, run.GetWorkflowExecutionInfo().GetExecution().GetRunId()) + "/" + page
}
