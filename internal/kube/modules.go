package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/acpflow/acpflow/checks"
)

// healthyPhases are the words of status.phase that mean healthy; the vendor
// publishes no list, so every other word is "not (yet) healthy".
var healthyPhases = []string{"Running", "Ready", "Healthy"}

// failedPhases are words that mean failure; others mean "not yet, or unknown".
var failedPhases = []string{"Failed", "Error", "Degraded", "Abnormal"}

// ModuleResult is the verdict on ClusterModule global.
type ModuleResult struct {
	Phase    string           `json:"phase"`
	Findings []checks.Finding `json:"findings"`
}

// VerifyClusterModule demands a healthy ClusterModule `global` (VER-05).
func (c *Client) VerifyClusterModule(ctx context.Context) (ModuleResult, error) {
	obj, err := c.dynamic.Resource(clusterModules).Get(ctx, globalName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		f := moduleFinding()
		f.Outcome, f.Seen = checks.Fail, "there is no ClusterModule global"
		return ModuleResult{Findings: []checks.Finding{f}}, nil
	}
	if err != nil {
		return ModuleResult{}, c.fault("read ClusterModule global", err)
	}
	return judgeModule(obj), nil
}

// judgeModule reads what the documentation names (status.phase), what the
// published schema has (status.base, status.appReleases), and lets the worst
// of them speak.
func judgeModule(obj *unstructured.Unstructured) ModuleResult {
	phase, _, _ := unstructured.NestedString(obj.Object, "status", "phase")
	votes := []vote{votePhase(phase), voteBase(obj), voteReleases(obj)}
	f := moduleFinding()
	f.Outcome, f.Reason = checks.Error, "the status is not filled in or has another shape"
	var seen []string
	for _, v := range votes {
		if v.seen == "" {
			continue
		}
		seen = append(seen, v.seen)
		if len(seen) == 1 || rank[v.outcome] > rank[f.Outcome] {
			f.Outcome, f.Reason = v.outcome, v.reason
		}
	}
	f.Seen = strings.Join(seen, ", ")
	return ModuleResult{Phase: phase, Findings: []checks.Finding{f}}
}

// vote is what one part of a status says; no text = the part is absent.
type vote struct {
	outcome checks.Outcome
	seen    string
	reason  string
}

var rank = map[checks.Outcome]int{checks.Pass: 0, checks.Error: 1, checks.Fail: 2}

func votePhase(phase string) vote {
	v := vote{outcome: checks.Error, seen: "phase " + phase, reason: fmt.Sprintf("the phase %q is not known to mean healthy", phase)}
	switch {
	case phase == "":
		return vote{}
	case slices.Contains(healthyPhases, phase):
		return vote{outcome: checks.Pass, seen: v.seen}
	case slices.Contains(failedPhases, phase):
		return vote{outcome: checks.Fail, seen: v.seen}
	}
	return v
}

// voteBase reads the module "base": it must be deployed and run healthily.
func voteBase(obj *unstructured.Unstructured) vote {
	deploy, _, _ := unstructured.NestedString(obj.Object, "status", "base", "deployStatus")
	running, _, _ := unstructured.NestedString(obj.Object, "status", "base", "runningStatus")
	if deploy == "" && running == "" {
		return vote{}
	}
	v := vote{outcome: checks.Error, seen: fmt.Sprintf("base %s and %s", deploy, running), reason: "the base module is not Completed and Healthy (yet)"}
	switch {
	case strings.HasSuffix(deploy, "Failed") || running == "Abnormal":
		message, _, _ := unstructured.NestedString(obj.Object, "status", "base", "message")
		v.outcome, v.reason = checks.Fail, shorten(message)
	case deploy == "Completed" && running == "Healthy":
		v.outcome, v.reason = checks.Pass, ""
	}
	return v
}

// voteReleases reads the summary of the module's charts.
func voteReleases(obj *unstructured.Unstructured) vote {
	releases, _, _ := unstructured.NestedMap(obj.Object, "status", "appReleases")
	var failed, waiting []string
	for name, raw := range releases {
		r, _ := raw.(map[string]any)
		switch {
		case r["failed"] == true:
			failed = append(failed, name)
		case r["ready"] != true || r["synced"] != true:
			waiting = append(waiting, name)
		}
	}
	slices.Sort(failed)
	slices.Sort(waiting)
	switch {
	case len(failed) > 0:
		return vote{outcome: checks.Fail, seen: shorten("failed charts: " + strings.Join(failed, ", "))}
	case len(waiting) > 0:
		return vote{outcome: checks.Error, seen: shorten("charts not ready: " + strings.Join(waiting, ", ")), reason: "some charts are not ready and synced (yet)"}
	case len(releases) > 0:
		return vote{outcome: checks.Pass, seen: fmt.Sprintf("%d charts ready", len(releases))}
	}
	return vote{}
}

func moduleFinding() checks.Finding {
	return checks.Finding{
		Rule: "VER-05", Title: "ClusterModule global is healthy", Source: "Verify",
		Want: "phase " + strings.Join(healthyPhases, " or "), Fix: "kubectl describe clustermodule global",
	}
}
