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
// reads where it stands, is refused a second change of the same site, and answers
// the step that failed.
func TestInstallFromTheBrowser(t *testing.T) {
	world.pristine(t)
	world.orders(t, "solo-1", faults.Faults{SetupFails: &faults.SetupFails{ExitCode: 3, Message: "port 8080 is in use by pid 4711"}})
	site := world.site(t, "browser", "solo", nil)
	tab, err := harness.StartBrowser(t.Context(), world.Dir)
	require.NoError(t, err)
	t.Cleanup(tab.Close)

	const first, second = "from-the-browser", "another-id-altogether"
	startInForm(t, tab, first, site)
	t.Cleanup(func() { world.End(first) })
	gate := world.Gate(t, first, "execute.05-setup") // and stays there for as long as the pages are read

	t.Run("a second changing run is refused under whatever id", func(t *testing.T) {
		startInForm(t, tab, second, site)
		require.ErrorContains(t, world.Failure(t, second), "is being changed by")
		require.NoError(t, tab.Open(runPage(t, second, "/history")))
		page, err := tab.WaitFor("FAILED", "site browser is being changed by Install of cluster solo", "workflow "+first)
		require.NoError(t, err)
		assert.Contains(t, page, "Fix: wait until it ends")
	})

	t.Run("the checklist shows every step", func(t *testing.T) {
		p := world.Now(t, first)
		require.NoError(t, tab.Open(runPage(t, first, "/user-metadata")))
		words := []string{"Install of cluster solo, site browser", "port 8080 is in use by pid 4711", "Answer with the Update decide"}
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
		require.NoError(t, tab.Open(runPage(t, first, "/history?per-page=250")))
		_, err := tab.WaitFor("Load and validate site browser", "Check solo-1", "Upload to solo-1", "setup.sh on solo-1")
		require.NoError(t, err)
	})

	answerInForm(t, tab, first, gate)
	p := world.Succeeds(t, first)
	assert.Equal(t, "CHG-7", p.Request.Change)
	require.Len(t, p.Decisions, 1)
	assert.Equal(t, "the port is free", p.Decisions[0].Reason)
	require.NoError(t, tab.Open(runPage(t, first, "/history?per-page=250")))
	_, err = tab.WaitFor("COMPLETED")
	require.NoError(t, err)
}

// answerInForm answers the gate where setup.sh failed: wrongly first, and then so
// that the run goes on.
func answerInForm(t *testing.T, tab *harness.Browser, id string, gate *workflows.Gate) {
	t.Run("an answer that must not count shows why", func(t *testing.T) {
		for _, answer := range []struct{ update, input, says string }{
			{workflows.ApproveUpdate, `{"step":"execute.05-setup","by":"anna","reason":"go"}`, `action "approve" is not possible for step execute.05-setup; possible: retry`},
			{workflows.DecideUpdate, `{"step":"execute.06-wait-installer","action":"retry","by":"anna"}`, `the open gate is step "execute.05-setup", not "execute.06-wait-installer"`},
		} {
			require.NoError(t, tab.SendUpdate(runPage(t, id, ""), answer.update, answer.input))
			_, err := tab.WaitFor(answer.says)
			require.NoError(t, err)
		}
		p := world.Now(t, id)
		assert.Equal(t, gate, p.Gate, "nothing has changed")
		assert.Empty(t, p.Decisions)
	})

	world.orders(t, "solo-1", faults.Faults{})
	t.Run("an answer lets the run go on", func(t *testing.T) {
		require.NoError(t, tab.SendUpdate(runPage(t, id, ""), workflows.DecideUpdate, `{"step":"execute.05-setup","action":"retry","by":"anna","reason":"the port is free"}`))
		_, err := tab.WaitFor("retry of step execute.05-setup recorded for anna")
		require.NoError(t, err)
	})
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
	run, err := world.Server.LatestRunURL(t.Context(), world.Temporal, id)
	require.NoError(t, err)
	return run + page
}
