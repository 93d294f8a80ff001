package kube

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/checks"
)

// restartsWorthANote is the number of restarts of one container that a person
// should look at; during an install a few are normal.
const restartsWorthANote = 10

// maxPodFindings bounds the findings; the counts are always complete.
const maxPodFindings = 50

// PodsResult is the verdict on the Pods of the cluster.
type PodsResult struct {
	Total     int              `json:"total"`
	Ready     int              `json:"ready"`
	Completed int              `json:"completed"`
	Bad       int              `json:"bad"`
	Findings  []checks.Finding `json:"findings"` // one per Pod that is not fine, or one pass for all
}

// VerifyPods judges every Pod on its object, not on a printed column (VER-03):
// the vendor's command hides Pods that run without being ready and Pods that
// don't end. Completed Pods and failed tries of completed Jobs are fine.
func (c *Client) VerifyPods(ctx context.Context) (PodsResult, error) {
	pods, err := c.pods(ctx)
	if err != nil {
		return PodsResult{}, err
	}
	jobs, err := c.completedJobs(ctx)
	if err != nil {
		return PodsResult{}, err
	}
	return judgePods(pods, jobs), nil
}

func (c *Client) pods(ctx context.Context) ([]corev1.Pod, error) {
	var out []corev1.Pod
	opts := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := c.typed.CoreV1().Pods(metav1.NamespaceAll).List(ctx, opts)
		if err != nil {
			return nil, c.fault("list pods", err)
		}
		out = append(out, page.Items...)
		if opts.Continue = page.Continue; opts.Continue == "" {
			return out, nil
		}
	}
}

// completedJobs returns the UIDs of Jobs that ended well.
func (c *Client) completedJobs(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	opts := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := c.typed.BatchV1().Jobs(metav1.NamespaceAll).List(ctx, opts)
		if err != nil {
			return nil, c.fault("list jobs", err)
		}
		for _, j := range page.Items {
			for _, cond := range j.Status.Conditions {
				if cond.Type == batchv1.JobComplete && cond.Status == corev1.ConditionTrue {
					out[string(j.UID)] = true
				}
			}
		}
		if opts.Continue = page.Continue; opts.Continue == "" {
			return out, nil
		}
	}
}

func judgePods(pods []corev1.Pod, completedJobs map[string]bool) PodsResult {
	out := PodsResult{Total: len(pods)}
	if len(pods) == 0 {
		f := podFinding()
		f.Outcome, f.Reason = checks.Error, "the cluster has no Pod at all"
		out.Findings = []checks.Finding{f}
		return out
	}
	var notes []checks.Finding
	for _, p := range pods {
		outcome, seen := judgePod(p, completedJobs)
		switch {
		case outcome == checks.Fail:
			out.Bad++
		case p.Status.Phase == corev1.PodRunning:
			out.Ready++
		default:
			out.Completed++
		}
		f := podFinding()
		f.Outcome, f.Seen = outcome, fmt.Sprintf("%s/%s on %s: %s", p.Namespace, p.Name, p.Spec.NodeName, seen)
		f.Fix = fmt.Sprintf("kubectl -n %s describe pod %s", p.Namespace, p.Name)
		switch outcome {
		case checks.Fail:
			out.Findings = append(out.Findings, f)
		case checks.Warn:
			notes = append(notes, f)
		}
	}
	out.Findings = append(out.Findings, notes...) // failures first: the bound must not hide one behind a note
	out.Findings = out.Findings[:min(len(out.Findings), maxPodFindings)]
	if out.Bad == 0 {
		f := podFinding()
		f.Outcome, f.Seen = checks.Pass, fmt.Sprintf("%d ready, %d completed", out.Ready, out.Completed)
		out.Findings = append(out.Findings, f)
	}
	return out
}

func judgePod(p corev1.Pod, completedJobs map[string]bool) (checks.Outcome, string) {
	if p.DeletionTimestamp != nil {
		return checks.Fail, "Terminating since " + p.DeletionTimestamp.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	switch p.Status.Phase {
	case corev1.PodSucceeded:
		return checks.Pass, ""
	case corev1.PodFailed:
		if owner := metav1.GetControllerOf(&p); owner != nil && owner.Kind == "Job" && completedJobs[string(owner.UID)] {
			return checks.Pass, "" // a later try succeeded
		}
		return checks.Fail, "Failed " + shorten(p.Status.Reason+" "+p.Status.Message)
	case corev1.PodRunning:
		if !podReady(p) {
			return checks.Fail, "Running but not ready: " + why(p)
		}
		if n := restarts(p); n >= restartsWorthANote {
			return checks.Warn, fmt.Sprintf("ready after %d restarts: %s", n, why(p))
		}
		return checks.Pass, ""
	}
	return checks.Fail, fmt.Sprintf("%s: %s", p.Status.Phase, why(p))
}

func podReady(p corev1.Pod) bool {
	for _, cond := range p.Status.Conditions {
		if cond.Type == corev1.PodReady {
			return cond.Status == corev1.ConditionTrue
		}
	}
	return false
}

func restarts(p corev1.Pod) int32 {
	var most int32
	for _, s := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
		most = max(most, s.RestartCount)
	}
	return most
}

// why is the first reason the Pod gives: a waiting container, then a condition.
func why(p corev1.Pod) string {
	for _, s := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
		if w := s.State.Waiting; w != nil && w.Reason != "" && w.Reason != "PodInitializing" {
			return shorten(fmt.Sprintf("container %s %s %s", s.Name, w.Reason, w.Message))
		}
		if t := s.LastTerminationState.Terminated; t != nil && !s.Ready {
			return shorten(fmt.Sprintf("container %s ended with %d %s", s.Name, t.ExitCode, t.Reason))
		}
	}
	for _, cond := range p.Status.Conditions {
		if cond.Status != corev1.ConditionTrue && cond.Reason != "" && cond.Reason != "PodCompleted" {
			return shorten(cond.Reason + " " + cond.Message)
		}
	}
	return "no reason given"
}

func podFinding() checks.Finding {
	return checks.Finding{Rule: "VER-03", Title: "No failed Pods", Source: "Verify", Want: "Running and ready, or completed"}
}
