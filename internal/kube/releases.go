package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/acpflow/acpflow/checks"
)

// ReleasesResult is the verdict on the charts of the platform.
type ReleasesResult struct {
	Total    int              `json:"total"`
	Healthy  int              `json:"healthy"`
	Findings []checks.Finding `json:"findings"` // one per release that is not healthy, or one pass for all
}

// VerifyAppReleases demands that no chart failed (VER-02, VER-05). No release
// at all, or one whose status is not understood, is never healthy.
func (c *Client) VerifyAppReleases(ctx context.Context) (ReleasesResult, error) {
	items, err := c.list(ctx, appReleases, "")
	if err != nil {
		return ReleasesResult{}, err
	}
	return judgeReleases(items), nil
}

func judgeReleases(items []unstructured.Unstructured) ReleasesResult {
	out := ReleasesResult{Total: len(items)}
	if len(items) == 0 {
		f := releaseFinding()
		f.Outcome, f.Reason = checks.Error, "the cluster has no AppRelease at all"
		out.Findings = []checks.Finding{f}
		return out
	}
	for _, item := range items {
		outcome, seen := judgeRelease(item)
		if outcome == checks.Pass {
			out.Healthy++
			continue
		}
		f := releaseFinding()
		f.Outcome, f.Seen = outcome, fmt.Sprintf("%s/%s: %s", item.GetNamespace(), item.GetName(), seen)
		f.Fix = fmt.Sprintf("kubectl -n %s describe apprelease %s", item.GetNamespace(), item.GetName())
		if outcome == checks.Error {
			f.Reason = "the status does not say that the release is healthy"
		}
		out.Findings = append(out.Findings, f)
	}
	if len(out.Findings) == 0 {
		f := releaseFinding()
		f.Outcome, f.Seen = checks.Pass, fmt.Sprintf("%d of %d healthy", out.Healthy, out.Total)
		out.Findings = []checks.Finding{f}
	}
	return out
}

// goodConditions hold when True; the platform's own are Sync and Health.
var goodConditions = []string{"sync", "synced", "health", "healthy", "ready", "available", "deployed"}

// badConditions hold when False.
var badConditions = []string{"failed", "error", "degraded", "stalled"}

// judgeRelease reads the conditions: every known good one must be True, no
// known bad one may be, and at least one good one must be there.
func judgeRelease(item unstructured.Unstructured) (checks.Outcome, string) {
	conditions, _, err := unstructured.NestedSlice(item.Object, "status", "conditions")
	if err != nil || len(conditions) == 0 {
		return checks.Error, "no conditions"
	}
	good := 0
	outcome, seen := checks.Pass, ""
	worse := func(o checks.Outcome, text string) {
		if outcome != checks.Fail { // a failure outranks "could not tell"
			outcome, seen = o, text
		}
	}
	for _, raw := range conditions {
		cond, ok := raw.(map[string]any)
		if !ok {
			worse(checks.Error, "a condition of another shape")
			continue
		}
		kind, status := text(cond["type"]), text(cond["status"])
		isGood := slices.Contains(goodConditions, strings.ToLower(kind))
		isBad := slices.Contains(badConditions, strings.ToLower(kind))
		says := shorten(strings.TrimSpace(fmt.Sprintf("%s=%s %s %s", kind, status, text(cond["reason"]), text(cond["message"]))))
		switch {
		case !isGood && !isBad: // not known: says nothing
		case status == "Unknown" || status == "":
			worse(checks.Error, says)
		case isGood && status == "True":
			good++
		case isGood, isBad && status == "True":
			worse(checks.Fail, says)
		}
	}
	if outcome == checks.Pass && good == 0 {
		return checks.Error, "no condition that means healthy"
	}
	return outcome, seen
}

func releaseFinding() checks.Finding {
	return checks.Finding{Rule: "VER-02", Title: "No failed charts", Source: "Verify", Want: "every AppRelease synced and healthy"}
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// shorten makes a message fit a finding: one line, bounded.
func shorten(s string) string {
	const limit = 300
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return s
}
