package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/acpflow/acpflow/internal/contract"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/installer"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/secret"
)

// Contract keeps the install parameters of a pair's primary, and holds the
// standby to them (DR-12, DR-22). Secrets are compared here and never returned.
type Contract struct{ Hosts *Hosts }

// contractKey is where a side keeps it.
var contractKey = kube.SecretKey{Namespace: contract.SecretNamespace, Name: contract.SecretName, Key: contract.SecretKey}

// termsOf resolves the secrets of a cluster and makes its terms.
func termsOf(in Scope) (contract.Terms, error) {
	cluster, err := in.cluster()
	if err != nil {
		return contract.Terms{}, err
	}
	secrets, err := installer.Resolve(in.Site, cluster.Name)
	if err != nil {
		return contract.Terms{}, err
	}
	return contract.Of(in.Site, cluster.Name, secrets)
}

// CheckParameters demands, before anything is done, that the parameters of both
// sides fit a pair and one another (DR-13…DR-18, DR-22, DR-23). fault.Gate lists
// every broken one with its requirement.
func (a *Contract) CheckParameters(_ context.Context, in PairInput) (Evidence, error) {
	primary, err := termsOf(in.primary())
	if err != nil {
		return Evidence{}, err
	}
	standby, err := termsOf(in.standby())
	if err != nil {
		return Evidence{}, err
	}
	made, err := primary.Record()
	if err != nil {
		return Evidence{}, err
	}
	var broken []string
	for _, side := range []contract.Terms{primary, standby} {
		for _, d := range side.Own() {
			broken = append(broken, side.Cluster+": "+d.String())
		}
	}
	for _, d := range made.Compare(standby) {
		broken = append(broken, standby.Cluster+" against "+primary.Cluster+": "+d.String())
	}
	if len(broken) > 0 {
		return Evidence{}, fault.New(fault.Gate, "compare the parameters of both sides", "site "+in.Site.Name,
			"mend the site document and start again", errors.New(strings.Join(broken, "; ")))
	}
	return Evidence{
		Summary: fmt.Sprintf("%d terms are the same for %s and %s", made.Compared(), in.Primary, in.Standby),
		Tail:    clip(strings.Join(made.Rest(standby), "\n"), maxTail), // what differs rightly
		Facts:   map[string]string{"certificate": made.Certificate},
	}, nil
}

// RecordContract keeps the parameters of an installed side as the pair's
// contract, on that side (DR-12). One that is there and says the same is left
// alone; one that says something else is fault.Gate.
func (a *Contract) RecordContract(ctx context.Context, in Scope) (Evidence, error) {
	terms, err := termsOf(in)
	if err != nil {
		return Evidence{}, err
	}
	client, err := (&Cluster{Hosts: a.Hosts}).open(ctx, in)
	if err != nil {
		return Evidence{}, err
	}
	defer client.Close()
	recorded, found, err := readContract(ctx, client)
	if err != nil {
		return Evidence{}, err
	}
	if found {
		if broken := recorded.Compare(terms); len(broken) > 0 {
			return Evidence{}, brokenContract(client.Place(), in.Cluster, lines(broken))
		}
		return contractEvidence(recorded, "the contract is recorded already"), nil
	}
	made, err := terms.Record()
	if err != nil {
		return Evidence{}, err
	}
	if _, err := client.EnsureSecret(ctx, contractKey, secret.NewValue(made.Marshal()), ""); err != nil {
		return Evidence{}, err
	}
	return contractEvidence(made, "the contract is recorded"), nil
}

func contractEvidence(c contract.Contract, summary string) Evidence {
	return Evidence{
		Summary: fmt.Sprintf("%s: %d parameters, SHA-256 %.12s", summary, len(c.Parameters), c.Digest()), Host: c.Cluster,
		Facts: map[string]string{"sha256": c.Digest(), "certificate": c.Certificate, "secret": contractKey.Namespace + "/" + contractKey.Name},
	}
}

// ContractResult is how both sides fit the contract.
type ContractResult struct {
	Compared    int      `json:"compared"`              // terms
	Differences []string `json:"differences,omitempty"` // each with its side and requirement, without secrets
	SHA256      string   `json:"sha256"`                // of the contract
}

// ReviewContract compares what the site document says of both sides now with the
// contract that the primary keeps. A missing contract is fault.Gate.
func (a *Contract) ReviewContract(ctx context.Context, in PairInput) (ContractResult, error) {
	client, err := (&Cluster{Hosts: a.Hosts}).open(ctx, in.primary())
	if err != nil {
		return ContractResult{}, err
	}
	defer client.Close()
	recorded, found, err := readContract(ctx, client)
	if err != nil {
		return ContractResult{}, err
	}
	if !found {
		return ContractResult{}, fault.New(fault.Gate, "read the contract of the pair", client.Place()+" "+contractKey.String(),
			"record it with acpflow install-pair, which leaves alone what is installed", errors.New("there is none"))
	}
	out := ContractResult{Compared: recorded.Compared(), SHA256: recorded.Digest()}
	for _, scope := range []Scope{in.primary(), in.standby()} {
		terms, err := termsOf(scope)
		if err != nil {
			return ContractResult{}, err
		}
		for _, d := range recorded.Compare(terms) {
			out.Differences = append(out.Differences, scope.Cluster+": "+d.String())
		}
	}
	return out, nil
}

// CompareContract is ReviewContract as a gate (DR-22).
func (a *Contract) CompareContract(ctx context.Context, in PairInput) (Evidence, error) {
	result, err := a.ReviewContract(ctx, in)
	if err != nil {
		return Evidence{}, err
	}
	if len(result.Differences) > 0 {
		return Evidence{}, brokenContract("site "+in.Site.Name, in.Primary, result.Differences)
	}
	return Evidence{Summary: fmt.Sprintf("both sides fit the contract: %d terms", result.Compared), Facts: map[string]string{"sha256": result.SHA256}}, nil
}

func brokenContract(place, primary string, broken []string) error {
	return fault.New(fault.Gate, "compare with the contract of the pair", place,
		"mend the site document; if both sides were changed since on purpose, delete Secret "+contractKey.Namespace+"/"+contractKey.Name+" on "+primary+
			" and run acpflow install-pair, which records it again", errors.New(strings.Join(broken, "; ")))
}

// readContract reads what a side keeps.
func readContract(ctx context.Context, client *kube.Client) (contract.Contract, bool, error) {
	value, err := client.SecretValue(ctx, contractKey)
	if fault.Is(err, fault.Gate) { // missing or empty
		return contract.Contract{}, false, nil
	}
	if err != nil {
		return contract.Contract{}, false, err
	}
	c, err := contract.Parse(value.Reveal(), client.Place()+" "+contractKey.String())
	return c, err == nil, err
}

func lines(list []contract.Difference) []string {
	out := make([]string, len(list))
	for i, d := range list {
		out[i] = d.String()
	}
	return out
}
