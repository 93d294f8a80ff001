package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/fault"
)

// canaryName is the ConfigMap that travels from the primary to the standby.
const (
	canaryName = "acpflow-canary"
	canaryKey  = "sent"
	canaryPoll = 200 * time.Millisecond
)

// MeasureLag writes the time into a ConfigMap on the primary and waits until the
// standby has it: twice as long as the site allows, so that the result tells how
// late it is. The namespace is made on the primary when it is not there. What
// does not arrive is a result, no error.
func (a *Sides) MeasureLag(ctx context.Context, in PairInput) (pair.Canary, error) {
	canary := in.Site.DR.Sync.Canary
	if canary == nil {
		return pair.Canary{}, fault.New(fault.BadInput, "measure the lag", "site "+in.Site.Name, "set dr.sync.canary.namespace", nil)
	}
	clusters := &Cluster{Hosts: a.Hosts}
	primary, err := clusters.open(ctx, in.primary())
	if err != nil {
		return pair.Canary{}, err
	}
	defer primary.Close()
	standby, err := clusters.open(ctx, in.standby())
	if err != nil {
		return pair.Canary{}, err
	}
	defer standby.Close()
	if err := primary.EnsureNamespace(ctx, canary.Namespace); err != nil {
		return pair.Canary{}, err
	}
	sent := time.Now().UTC()
	stamp := sent.Format(time.RFC3339Nano)
	if _, err := primary.EditConfigMap(ctx, canary.Namespace, canaryName, func(data map[string]string) error {
		data[canaryKey] = stamp
		return nil
	}); err != nil {
		return pair.Canary{}, err
	}
	for most := 2 * in.Site.DR.Sync.Lag(); ; {
		data, _, err := standby.ConfigMap(ctx, canary.Namespace, canaryName)
		if err != nil {
			return pair.Canary{}, err
		}
		lag := time.Since(sent)
		if later(data[canaryKey], sent) {
			return pair.Canary{Lag: lag, Arrived: true}, nil
		}
		if lag > most {
			return pair.Canary{Lag: lag}, nil
		}
		report(ctx, Progress{Text: fmt.Sprintf("the canary is on its way for %.0f s", lag.Seconds())})
		if err := pause(ctx, canaryPoll); err != nil {
			return pair.Canary{}, err
		}
	}
}

// later reports whether a stamp is not older than one that was sent: another
// check may have written after us.
func later(stamp string, sent time.Time) bool {
	at, err := time.Parse(time.RFC3339Nano, stamp)
	return err == nil && !at.Before(sent)
}
