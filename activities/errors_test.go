package activities

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// through runs an activity that fails with err behind the Boundary.
func through(t *testing.T, err error) error {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&Boundary{}}})
	env.RegisterActivityWithOptions(func(context.Context) error { return err }, activity.RegisterOptions{Name: "Fails"})
	_, got := env.ExecuteActivity("Fails")
	return got
}

func TestBoundaryClassifiesFaults(t *testing.T) {
	for class, permanent := range map[fault.Class]bool{
		fault.Unreachable: false, fault.Protocol: false, fault.Internal: false,
		fault.BadInput: true, fault.HostKey: true, fault.Auth: true, fault.Sudo: true, fault.DiskFull: true, fault.Corrupt: true,
		fault.Architecture: true, fault.Command: true, fault.Stalled: true, fault.Conflict: true, fault.Failed: true, fault.Refused: true, fault.Gate: true,
	} {
		err := through(t, fault.New(class, "op", "place", "mend it", errors.New("cause")))
		var app *temporal.ApplicationError
		require.ErrorAs(t, err, &app, class)
		assert.Equal(t, string(class), app.Type())
		assert.Equal(t, permanent, app.NonRetryable(), class)
		assert.Contains(t, app.Message(), "op: place: cause. Fix: mend it")
	}
}

// Routine checks look inside their workflow tasks. Nothing beats there, and the
// class must still tell whether an activity of its own is worth trying.
func TestBoundaryClassifiesFaultsInPlace(t *testing.T) {
	for class, permanent := range map[fault.Class]bool{fault.Unreachable: false, fault.BadInput: true} {
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestActivityEnvironment()
		env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&Boundary{}}})
		_, err := env.ExecuteLocalActivity(func(ctx context.Context) error {
			report(ctx, Progress{Text: "on its way"})
			activity.RecordHeartbeat(ctx, "as the Boundary does")
			return fault.New(class, "op", "place", "mend it", errors.New("cause"))
		})
		var app *temporal.ApplicationError
		require.ErrorAs(t, err, &app, class)
		assert.Equal(t, string(class), app.Type())
		assert.Equal(t, permanent, app.NonRetryable(), class)
	}
}

func TestBoundaryTreatsUnclassifiedErrorsAsTransient(t *testing.T) {
	var app *temporal.ApplicationError
	require.ErrorAs(t, through(t, errors.New("what")), &app)
	assert.False(t, app.NonRetryable())
}

func TestBoundaryRedactsAndBoundsMessages(t *testing.T) {
	secret.NewValue([]byte("hunter2-hunter2"))
	long := strings.Repeat("x", 10_000) + " hunter2-hunter2"
	err := through(t, fault.New(fault.Command, "run", "m1", "look at the end", errors.New(long)))
	assert.NotContains(t, err.Error(), "hunter2")
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	assert.LessOrEqual(t, len(app.Message()), maxMessage+10)
	assert.Contains(t, app.Message(), "Fix: look at the end", "the fix must survive the cut")
	assert.True(t, strings.HasPrefix(app.Message(), "run: m1"), "the place must survive the cut")
}

func TestTailKeepsWholeLinesOfTheEnd(t *testing.T) {
	out := tail(strings.Repeat("line\n", 1000) + "the end")
	assert.LessOrEqual(t, len(out), maxTail+10)
	assert.True(t, strings.HasSuffix(out, "line\nthe end"))
	assert.True(t, strings.HasPrefix(out, "…\nline"))
}

func TestShellQuote(t *testing.T) {
	assert.Equal(t, `'it'\''s $(x)'`, shellQuote("it's $(x)"))
}

// A worker that is told to stop ends its long activities in time to say so:
// another attempt goes on at once instead of after a missed heartbeat.
func TestStoppingWorkerHandsItsActivitiesOver(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&Boundary{}}})
	stop := make(chan struct{})
	env.SetWorkerStopChannel(stop)
	env.RegisterActivityWithOptions(func(ctx context.Context) error {
		close(stop)
		<-ctx.Done()
		return ctx.Err()
	}, activity.RegisterOptions{Name: "Waits"})
	_, err := env.ExecuteActivity("Waits")
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	assert.Equal(t, "WorkerStopping", app.Type())
	assert.False(t, app.NonRetryable(), "another attempt must continue")
}
