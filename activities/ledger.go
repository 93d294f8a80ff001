package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
)

// ledgerName is the ConfigMap that remembers the checks of a pair. It stands in
// a namespace that is never synchronised, so the standby keeps its own.
const (
	ledgerName = "acpflow-sync-ledger"
	ledgerKey  = "ledger.json"
)

// LedgerConfigMap tells a person where the ledger of a side is.
const LedgerConfigMap = platformNamespace + "/" + ledgerName

// LedgerInput is what a check adds to the ledger of the cluster in its scope,
// which is the standby.
type LedgerInput struct {
	Scope
	Past pair.Past       `json:"past"`
	Good *pair.Good      `json:"good,omitempty"` // all was equal
	Mark json.RawMessage `json:"mark,omitempty"` // where the next proof may begin
	Full time.Time       `json:"full,omitzero"`  // set when every key was compared, and every owner looked for
	// Forget drops the mark: what this proof found wrong, an incremental one would not see.
	Forget bool `json:"forget,omitempty"`
}

// RecordCheck writes into the standby's ledger how a check ended. It may be
// repeated: a run is kept once. Another writer's entry is never overwritten.
func (a *Sides) RecordCheck(ctx context.Context, in LedgerInput) (Evidence, error) {
	client, err := (&Cluster{Hosts: a.Hosts}).openLately(ctx, in.Scope)
	if err != nil {
		return Evidence{}, err
	}
	var now pair.Ledger
	_, err = client.EditConfigMap(ctx, platformNamespace, ledgerName, func(data map[string]string) error {
		old, err := readLedger(data)
		if err != nil { // what nobody can read is worth less than a new beginning
			old = pair.Ledger{}
		}
		now = old.With(in.Past, in.Good)
		if len(in.Mark) > 0 || in.Forget {
			now.Mark = in.Mark
		}
		if in.Full.After(now.Full) {
			now.Full = in.Full
		}
		text, err := json.Marshal(now)
		if err != nil {
			return fault.New(fault.Internal, "write the ledger", in.Cluster, "", err)
		}
		data[ledgerKey] = string(text)
		return nil
	})
	if err != nil {
		return Evidence{}, err
	}
	out := Evidence{Host: in.Cluster, Summary: fmt.Sprintf("%d checks in the ledger of %s; both sides were never equal yet", len(now.Last), in.Cluster)}
	if now.Good != nil {
		out.Summary = fmt.Sprintf("%d checks in the ledger of %s; both sides were last equal at %s", len(now.Last), in.Cluster, now.Good.At.UTC().Format(time.RFC3339))
	}
	return out, nil
}

// ledger reads what the side remembers; a side without a ledger has an empty one.
func (s side) ledger(ctx context.Context) (pair.Ledger, error) {
	return ledgerOf(ctx, s.client)
}

func ledgerOf(ctx context.Context, client *kube.Client) (pair.Ledger, error) {
	data, _, err := client.ConfigMap(ctx, platformNamespace, ledgerName)
	if err != nil {
		return pair.Ledger{}, err
	}
	out, err := readLedger(data)
	if err != nil {
		return out, fault.New(fault.Corrupt, "read the ledger", client.Place(), "look at configmap "+platformNamespace+"/"+ledgerName+"; the next check begins a new one", err)
	}
	return out, nil
}

func readLedger(data map[string]string) (pair.Ledger, error) {
	var out pair.Ledger
	if data[ledgerKey] == "" {
		return out, nil
	}
	err := json.Unmarshal([]byte(data[ledgerKey]), &out)
	return out, err
}
