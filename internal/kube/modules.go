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

func judgeModule(obj *unstructured.Unstructured) ModuleResult {
	phase, _, _ := unstructured.NestedString(obj.Object, "status", "phase")
	f := moduleFinding()
	f.Seen = "phase " + phase
	switch {
	case phase == "":
		f.Outcome, f.Seen, f.Reason = checks.Error, "no status.phase", "the status is not filled in or has another shape"
	case slices.Contains(healthyPhases, phase):
		f.Outcome = checks.Pass
	case slices.Contains(failedPhases, phase):
		f.Outcome = checks.Fail
	default:
		f.Outcome, f.Reason = checks.Error, fmt.Sprintf("the phase %q is not known to mean healthy", phase)
	}
	return ModuleResult{Phase: phase, Findings: []checks.Finding{f}}
}

func moduleFinding() checks.Finding {
	return checks.Finding{
		Rule: "VER-05", Title: "ClusterModule global is healthy", Source: "Verify",
		Want: "phase " + strings.Join(healthyPhases, " or "), Fix: "kubectl describe clustermodule global",
	}
}
