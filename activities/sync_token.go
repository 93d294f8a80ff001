package activities

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/syncplugin"
)

// TokenInput names both sides and the run, which owns what it makes.
type TokenInput struct {
	PairInput
	Run string `json:"run"`
}

var (
	adminToken  = kube.SecretKey{Namespace: syncplugin.Namespace, Name: syncplugin.AdminSecret, Key: syncplugin.TokenKey}
	copiedToken = kube.SecretKey{Namespace: syncplugin.Namespace, Name: syncplugin.TokenSecret, Key: syncplugin.TokenKey}
)

// CopyToken copies the primary's administrator token to the standby, in memory,
// after the primary has accepted it (DR-36). The evidence names the user, never
// the token.
func (a *Sync) CopyToken(ctx context.Context, in TokenInput) (Evidence, error) {
	primary, err := a.open(ctx, in.primary())
	if err != nil {
		return Evidence{}, err
	}
	defer primary.Close()
	token, err := primary.SecretValue(ctx, adminToken)
	if err != nil {
		return Evidence{}, err
	}
	user, err := primary.CheckToken(ctx, token)
	if err != nil {
		return Evidence{}, err
	}
	standby, err := a.open(ctx, in.standby())
	if err != nil {
		return Evidence{}, err
	}
	defer standby.Close()
	changed, err := standby.EnsureSecret(ctx, copiedToken, token, in.Run)
	if err != nil {
		return Evidence{}, err
	}
	how := "was there already"
	if changed {
		how = "is copied"
	}
	return Evidence{
		Summary: fmt.Sprintf("the token of %s %s to Secret %s of %s; %s accepts it", in.Primary, how, copiedToken.Name, in.Standby, in.Primary),
		Host:    in.Standby, Facts: map[string]string{"user": user, "changed": strconv.FormatBool(changed)},
	}, nil
}

// RemoveToken takes back what CopyToken made in this run.
func (a *Sync) RemoveToken(ctx context.Context, in TokenInput) (Evidence, error) {
	standby, err := a.open(ctx, in.standby())
	if err != nil {
		return Evidence{}, err
	}
	defer standby.Close()
	removed, err := standby.RemoveSecret(ctx, copiedToken.Namespace, copiedToken.Name, in.Run)
	if err != nil {
		return Evidence{}, err
	}
	summary := "Secret " + copiedToken.Name + " was not made by this run, or is gone"
	if removed {
		summary = "Secret " + copiedToken.Name + " is removed"
	}
	return Evidence{Summary: summary, Host: in.Standby}, nil
}

// WaitBootstrap waits until the bootstrap Job is complete and what it makes is
// there (DR-36). A Job that failed is fault.Failed.
func (a *Sync) WaitBootstrap(ctx context.Context, in ClusterInput) (Evidence, error) {
	client, err := a.open(ctx, in.Scope)
	if err != nil {
		return Evidence{}, err
	}
	defer client.Close()
	const op = "wait for the Job " + syncplugin.BootstrapJob
	const fix = "kubectl -n " + syncplugin.Namespace + " logs job/" + syncplugin.BootstrapJob + ", mend what it says, delete the Job if it is not tried again, then retry"
	want := kube.Wanted{
		Namespace: syncplugin.Namespace, Secrets: []string{syncplugin.RemoteCA, syncplugin.RemoteClient},
		Issuers: []string{syncplugin.RemoteIssuer}, Certificates: []string{syncplugin.RemoteClient},
	}
	for end := time.Now().Add(in.Settle); ; {
		job, found, err := client.Job(ctx, syncplugin.Namespace, syncplugin.BootstrapJob)
		if err != nil {
			return Evidence{}, err
		}
		lacking, err := client.Lacking(ctx, want)
		if err != nil {
			return Evidence{}, err
		}
		if job.Failed {
			return Evidence{}, fault.New(fault.Failed, op, "cluster "+in.Cluster, fix, errors.New(job.Message))
		}
		if !found || !job.Complete {
			lacking = append(lacking, "the Job is not complete")
		}
		if len(lacking) == 0 {
			return Evidence{Summary: fmt.Sprintf("Job %s is complete; %s, %s and %s are there",
				syncplugin.BootstrapJob, syncplugin.RemoteCA, syncplugin.RemoteIssuer, syncplugin.RemoteClient), Host: in.Cluster}, nil
		}
		text := "missing: " + strings.Join(lacking, ", ")
		if time.Now().After(end) {
			return Evidence{}, fault.New(fault.Stalled, op, "cluster "+in.Cluster, fix, errors.New(text))
		}
		report(ctx, Progress{Text: text})
		if err := pause(ctx, settlePoll); err != nil {
			return Evidence{}, err
		}
	}
}
