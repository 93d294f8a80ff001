package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/workflows"
)

// Whoever ends the lease by hand lets another run in: this one must stop, and
// must not touch what may be the other's.
func TestRunWhoseLeaseIsEndedStopsAndUndoesNothing(t *testing.T) {
	w := newWorld(t)
	w.env.OnWorkflow(workflows.SiteLeaseName, mock.Anything, mock.Anything).After(time.Hour).Return(nil)
	w.breaks("RunSetup", fault.Failed)
	err := w.run(request)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	assert.Equal(t, workflows.ErrSiteBusy, app.Type())
	assert.Contains(t, app.Message(), "ended from outside")
	assert.False(t, w.called("RemoveInstaller"))
	assert.False(t, w.called("RemoveExtractedPackage"))
	assert.False(t, w.called("RemoveUploadedPackage"))
	assert.Equal(t, workflows.FailedRun, w.status().Outcome)
}

// A run that is cancelled just before the point of no return has not passed it.
func TestCancelJustBeforeThePointOfNoReturnUndoes(t *testing.T) {
	w := newWorld(t)
	w.during["WaitForInstaller"] = w.env.CancelWorkflow
	err := w.run(request)
	assert.True(t, temporal.IsCanceledError(err), "%v", err)
	assert.False(t, w.called("ConfigureInstaller"))
	assert.True(t, w.called("RemoveInstaller"))
	assert.True(t, w.called("RemoveUploadedPackage"))
}

// A run that never got to its steps ends with an outcome too.
func TestRefusedRunIsNotRunning(t *testing.T) {
	w := newWorld(t)
	w.breaks("LoadSite", fault.BadInput)
	require.Error(t, w.run(request))
	p := w.status()
	assert.Equal(t, workflows.FailedRun, p.Outcome)
	assert.NotNil(t, p.Ended)
	assert.NotNil(t, p.Steps)
}
