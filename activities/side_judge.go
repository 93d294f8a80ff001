package activities

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/etcd"
)

// JudgePairInput is what a check read of both sides and between them.
type JudgePairInput struct {
	Facts   pair.Facts `json:"facts"`             // Judged is set here
	Earlier *pair.Card `json:"earlier,omitempty"` // of the check that read the slow facts, when this one did not
}

// JudgePair judges the two sides against one another. Pure.
func (*Sides) JudgePair(_ context.Context, in JudgePairInput) (pair.Card, error) {
	in.Facts.Judged = time.Now().UTC()
	return pair.Make(in.Facts, in.Earlier), nil
}

// The facts of a pair, as the activities that read them give them.

// AddressFact is where the platform's name leads. A server that is silent is a
// server that does not say what the others say.
func AddressFact(a PlatformAddress) pair.Address {
	out := pair.Address{Cluster: a.Cluster, TTL: a.TTL}
	for _, server := range slices.Sorted(maps.Keys(a.Answers)) {
		out.Answers = append(out.Answers, pair.Answer{Server: server, Addresses: a.Answers[server]})
	}
	for _, server := range slices.Sorted(maps.Keys(a.Silent)) {
		out.Silent = append(out.Silent, server+": "+a.Silent[server])
	}
	if !a.Agreed && len(out.Silent) == 0 {
		out.Stale = true
	}
	return out
}

// VendorFact is what the synchronizer's own check says.
func VendorFact(v CheckView) pair.Vendor {
	if !v.Understood {
		return pair.Vendor{Unclear: v.String()}
	}
	return pair.Vendor{Missed: v.Missed, Surplus: v.Surplus, Samples: slices.Concat(v.MissedKeys, v.SurplusKeys)}
}

// maxProofSamples bounds the differing keys that a card names.
const maxProofSamples = 20

// ProofFact is acpflow's own comparison.
func ProofFact(p etcd.Proof) pair.Proof {
	out := pair.Proof{
		Mode: p.Mode, Taken: p.Taken, Primary: position(p.Primary), Standby: position(p.Standby),
		Compared: p.Compared, Missed: p.Missed, Surplus: p.Surplus, Different: p.Different, Dangling: p.Orphans, Owners: p.Owners,
		Clean: p.Clean(), Digest: p.Digest,
	}
	for _, r := range p.Resources {
		for _, s := range r.Samples {
			out.Samples = append(out.Samples, fmt.Sprintf("%s %s", s.Key, s.Kind))
		}
	}
	for _, d := range p.Dangling {
		out.Samples = append(out.Samples, fmt.Sprintf("%s without its owner %s %s", d.Key, d.OwnerKind, d.OwnerName))
	}
	out.Samples = out.Samples[:min(len(out.Samples), maxProofSamples)]
	return out
}

func position(p etcd.Position) pair.Position {
	return pair.Position{ClusterID: p.ClusterID, Revision: p.Revision}
}

// ContractFact is how both sides fit the contract.
func ContractFact(c ContractResult) pair.Contract {
	return pair.Contract{Compared: c.Compared, Differences: c.Differences}
}

// forwards reads what the VIP's load balancer passes on (DR-10, DR-30).
func (s side) forwards(ctx context.Context) ([]pair.Forward, error) {
	ports, err := (&Forwarding{Hosts: s.hosts}).ReadForwards(ctx, ClusterInput{Scope: s.scope})
	if err != nil {
		return nil, err
	}
	var out []pair.Forward
	for _, p := range ports {
		f := pair.Forward{Port: p.Port, Configured: p.Configured, Mode: p.Mode, Reachable: p.Reachable, Plain: p.PlainTCP, Error: clip(p.Error, 300)}
		out = append(out, f)
	}
	return out, nil
}
