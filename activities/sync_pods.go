package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/syncplugin"
)

// SyncPodInput says whose Pods are meant and how that version works.
type SyncPodInput struct {
	Scope
	Way    syncplugin.Way `json:"way"`
	Settle time.Duration  `json:"settle"`
}

// SyncPod is a Pod of the synchronizer that has copied everything once.
type SyncPod struct {
	Evidence
	Pod  kube.Pod `json:"pod"`
	Seen []string `json:"seen"` // UIDs of all its Pods at that time
}

// WaitFirstSync waits until the first copy is done: the log of a Pod says so,
// where there is a leader that of the leader (DR-32, DR-35).
func (a *Sync) WaitFirstSync(ctx context.Context, in SyncPodInput) (SyncPod, error) {
	return a.waitSynced(ctx, in, nil)
}

// RecreateInput names what WaitFirstSync saw.
type RecreateInput struct {
	SyncPodInput
	Pod  kube.Pod `json:"pod"`
	Seen []string `json:"seen,omitempty"`
}

// RecreateSyncPod deletes the Pod that was seen before, by its UID, and waits
// until another one has copied everything, so that objects whose owners arrived
// after them are copied again (DR-32, DR-35). When that Pod is gone, or leads no
// longer, nothing is deleted.
func (a *Sync) RecreateSyncPod(ctx context.Context, in RecreateInput) (SyncPod, error) {
	client, err := a.open(ctx, in.Scope)
	if err != nil {
		return SyncPod{}, err
	}
	view, err := readSync(ctx, client, in.Scope)
	if err == nil && in.stillCounts(view) {
		_, err = client.DeletePod(ctx, in.Pod)
	}
	client.Close()
	if err != nil {
		return SyncPod{}, err
	}
	out, err := a.waitSynced(ctx, in.SyncPodInput, in.notAgain())
	if err != nil {
		return SyncPod{}, err
	}
	out.Summary = fmt.Sprintf("Pod %s is recreated: %s", in.Pod.Name, out.Summary)
	out.Facts["before"] = in.Pod.UID
	return out, nil
}

// stillCounts reports whether the Pod is there and, where one leads, leads.
func (in RecreateInput) stillCounts(view PluginView) bool {
	there := slices.ContainsFunc(view.Pods, func(p kube.Pod) bool { return p.UID == in.Pod.UID && !p.Deleting })
	return there && (!in.Way.HasLeader() || view.Leader == "" || view.Leader == in.Pod.Name)
}

// notAgain are the Pods that do not count afterwards: the one that was deleted
// and, where no leader shows who copies, those that were there beside it.
func (in RecreateInput) notAgain() []string {
	if in.Way.HasLeader() {
		return []string{in.Pod.UID}
	}
	return append([]string{in.Pod.UID}, in.Seen...)
}

// waitSynced waits for a ready Pod, other than some, that has copied everything.
func (a *Sync) waitSynced(ctx context.Context, in SyncPodInput, others []string) (SyncPod, error) {
	client, err := a.open(ctx, in.Scope)
	if err != nil {
		return SyncPod{}, err
	}
	defer client.Close()
	for end := time.Now().Add(in.Settle); ; {
		view, err := readSync(ctx, client, in.Scope)
		if err != nil {
			return SyncPod{}, err
		}
		pod, why, err := syncedPod(ctx, client, view, in.Way, others)
		if err != nil {
			return SyncPod{}, err
		}
		if why == "" {
			return syncedEvidence(in, pod, view.Pods), nil
		}
		if time.Now().After(end) {
			return SyncPod{}, fault.New(fault.Stalled, "wait for the first full sync", "cluster "+in.Cluster,
				"kubectl -n "+syncplugin.Namespace+" logs -l "+syncplugin.PodSelector+" says why; is port 2379 of the primary open, and does the platform's domain lead to it?",
				errors.New(strings.Join(append([]string{why}, view.Troubles()...), "; ")))
		}
		report(ctx, Progress{Text: "first full sync: " + why})
		if err := pause(ctx, settlePoll); err != nil {
			return SyncPod{}, err
		}
	}
}

func syncedEvidence(in SyncPodInput, pod kube.Pod, all []kube.Pod) SyncPod {
	out := SyncPod{Pod: pod}
	for _, p := range all {
		out.Seen = append(out.Seen, p.UID)
	}
	out.Evidence = Evidence{
		Summary: fmt.Sprintf("Pod %s says %q", pod.Name, syncplugin.FirstSyncDone), Host: in.Cluster,
		Facts: map[string]string{"pod": pod.Name, "uid": pod.UID, "node": pod.Node},
	}
	if in.Way.HasLeader() {
		out.Summary = "the leader, " + out.Summary
	}
	return out
}

// syncedPod finds the Pod that counts and has copied everything; why tells what
// there is to wait for.
func syncedPod(ctx context.Context, c *kube.Client, view PluginView, way syncplugin.Way, others []string) (pod kube.Pod, why string, err error) {
	candidates := slices.DeleteFunc(slices.Clone(view.Pods), func(p kube.Pod) bool {
		return p.Deleting || slices.Contains(others, p.UID) || way.HasLeader() && p.Name != view.Leader
	})
	switch {
	case len(view.Pods) == 0:
		return pod, "there is no Pod with label " + syncplugin.PodSelector, nil
	case way.HasLeader() && view.Leader == "":
		return pod, "no Pod holds the Lease " + syncplugin.LeaseName, nil
	case len(candidates) == 0:
		return pod, "there is no other Pod yet", nil
	}
	for _, p := range candidates {
		if !p.Ready {
			why = fmt.Sprintf("Pod %s is not ready: %s", p.Name, p.Why)
			continue
		}
		done, err := c.LogHas(ctx, p, syncplugin.FirstSyncDone)
		if err != nil {
			return pod, "", err
		}
		if done {
			return p, "", nil
		}
		why = fmt.Sprintf("the log of Pod %s has no %q yet", p.Name, syncplugin.FirstSyncDone)
	}
	return pod, why, nil
}
