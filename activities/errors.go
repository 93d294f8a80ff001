package activities

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// maxMessage bounds an error in history; the server cuts pending failures at 4 kB.
const maxMessage = 3000

// beatEvery is a third of the shortest heartbeat timeout that workflows use.
const beatEvery = 3 * time.Second

// Boundary is the worker interceptor at the border between activities and
// Temporal: the one place that turns fault classes into retryable or
// non-retryable failures, redacts them, and beats for every activity so that a
// dead worker is noticed within seconds.
type Boundary struct {
	interceptor.WorkerInterceptorBase
}

// InterceptActivity wraps each activity call.
func (*Boundary) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &boundary{interceptor.ActivityInboundInterceptorBase{Next: next}}
}

type boundary struct {
	interceptor.ActivityInboundInterceptorBase
}

// ExecuteActivity runs the activity with a heart beating beside it.
func (b *boundary) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	ctx, stop := withBeat(ctx)
	defer stop()
	ctx, end := untilWorkerStops(ctx)
	defer end()
	result, err := b.Next.ExecuteActivity(ctx, in)
	return result, toTemporal(ctx, err)
}

// stopGrace is what a short activity may still take when the worker stops; a
// long one is ended then and goes on in another worker. It must be well below
// the worker's stop timeout, or nobody hears of it.
const stopGrace = 5 * time.Second

// untilWorkerStops ends ctx soon after the worker was told to stop.
func untilWorkerStops(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-ctx.Done():
			return
		case <-activity.GetWorkerStopChannel(ctx):
		}
		select {
		case <-ctx.Done():
		case <-time.After(stopGrace):
			cancel()
		}
	}()
	return ctx, cancel
}

// toTemporal classifies err. Cancellation passes as it is; a stopping worker
// is transient, so that another attempt continues elsewhere.
func toTemporal(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	select {
	case <-activity.GetWorkerStopChannel(ctx):
		return temporal.NewApplicationError("the worker is stopping; another attempt continues", "WorkerStopping")
	default:
	}
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {
		return ctx.Err()
	}
	if errors.Is(err, activity.ErrResultPending) {
		return err
	}
	class := fault.ClassOf(err)
	return temporal.NewApplicationErrorWithOptions(message(err), string(class),
		temporal.ApplicationErrorOptions{NonRetryable: class.Permanent()})
}

// message is the redacted text of err, cut in the middle when too long: the
// start names the cause, the end holds the tail of the output and the fix.
func message(err error) string {
	s := strings.ToValidUTF8(secret.Redact(err.Error()), "?")
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage/2]+" … "+s[len(s)-maxMessage/2:], "")
	}
	return s
}
