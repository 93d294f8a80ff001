package activities

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/acpflow/acpflow/internal/secret"
)

// pulse keeps the last progress of one activity attempt and beats it.
type pulse struct {
	mu   sync.Mutex
	last Progress
}

type pulseKey struct{}

// withBeat starts the heart of an activity. Without it a worker that dies
// would be noticed only at the end of the start-to-close timeout, and a
// cancellation not at all.
func withBeat(ctx context.Context) (context.Context, func()) {
	p := &pulse{}
	if activity.HasHeartbeatDetails(ctx) {
		_ = activity.GetHeartbeatDetails(ctx, &p.last) // unreadable details: begin anew
	}
	done := make(chan struct{})
	var once sync.Once
	go func() {
		ticker := time.NewTicker(beatEvery)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				activity.RecordHeartbeat(ctx, p.get())
			}
		}
	}()
	return context.WithValue(ctx, pulseKey{}, p), func() { once.Do(func() { close(done) }) }
}

func (p *pulse) get() Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// report publishes progress with the next beat. Texts are redacted: heartbeats
// are visible in the UI and kept by the server.
func report(ctx context.Context, progress Progress) {
	progress.Text = clip(secret.Redact(progress.Text), 500)
	if p, ok := ctx.Value(pulseKey{}).(*pulse); ok {
		p.mu.Lock()
		p.last = progress
		p.mu.Unlock()
	}
}
