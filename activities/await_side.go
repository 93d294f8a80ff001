package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
)

// AwaitInput names a side that was away.
type AwaitInput struct {
	Scope
	For time.Duration `json:"for"` // nanoseconds; how long this attempt waits
}

// Arrival says whether a side is back. That it is not is no error: the workflow
// waits on, for days if need be.
type Arrival struct {
	Evidence
	Back bool   `json:"back"` // every control plane answers over SSH and its API server is ready
	Why  string `json:"why,omitempty"`
}

// arrivalPoll is how often a side that is away is looked for.
const arrivalPoll = 5 * time.Second

// AwaitSide waits until a side is back: every control plane can be logged in to
// and its own API server says that it is ready. It looks at least once and
// returns when the side is there or the time is over. It fails only on bad input
// and when it was cancelled.
func (a *Sides) AwaitSide(ctx context.Context, in AwaitInput) (Arrival, error) {
	nodes, err := in.controlPlanes()
	if err != nil {
		return Arrival{}, err
	}
	if len(nodes) == 0 {
		return Arrival{}, fault.New(fault.BadInput, "await "+in.Cluster, "site "+in.Site.Name, "", nil)
	}
	start := time.Now()
	for end := start.Add(in.For); ; {
		err := onEach(ctx, nodes, func(ctx context.Context, i int) error { return a.isReady(ctx, nodes[i]) })
		if ctx.Err() != nil {
			return Arrival{}, ctx.Err()
		}
		if err == nil {
			return Arrival{Back: true, Evidence: Evidence{Host: in.Cluster,
				Summary: fmt.Sprintf("%s is back: %d control planes answer and their API servers are ready", in.Cluster, len(nodes)),
				Facts:   map[string]string{"waited": seconds(time.Since(start))}}}, nil
		}
		why := clip(message(err), 500)
		if !time.Now().Before(end) {
			return Arrival{Why: why, Evidence: Evidence{Host: in.Cluster, Summary: in.Cluster + " is not back: " + why, Facts: map[string]string{"waited": seconds(time.Since(start))}}}, nil
		}
		report(ctx, Progress{Text: in.Cluster + " is not back: " + why})
		if err := pause(ctx, min(arrivalPoll, max(time.Until(end), time.Millisecond))); err != nil {
			return Arrival{}, err
		}
	}
}

func (a *Sides) isReady(ctx context.Context, n Node) error {
	ctx, cancel := context.WithTimeout(ctx, sideRead)
	defer cancel()
	client, err := (&Cluster{Hosts: a.Hosts}).openThrough(ctx, n)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Ready(ctx)
}
