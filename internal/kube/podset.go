package kube

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Pod is what runbooks look at in one Pod.
type Pod struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	UID       string    `json:"uid"`
	Node      string    `json:"node,omitempty"`
	Phase     string    `json:"phase"`
	Ready     bool      `json:"ready"` // and not about to go
	Deleting  bool      `json:"deleting,omitempty"`
	Restarts  int32     `json:"restarts,omitempty"`
	Why       string    `json:"why,omitempty"`   // it is not ready
	Maker     string    `json:"maker,omitempty"` // kind of the object that makes another one when it goes; "" = none does
	Created   time.Time `json:"created"`

	Containers []string `json:"containers,omitempty"`
}

// Ended reports that nothing of it runs any more, and never will again: it is only
// kept to be looked at, as a Pod that was evicted is.
func (p Pod) Ended() bool {
	return p.Phase == string(corev1.PodFailed) || p.Phase == string(corev1.PodSucceeded)
}

// Alive reports that it neither has ended nor is about to go.
func (p Pod) Alive() bool { return !p.Ended() && !p.Deleting }

// StaysBehind reports that, while it is about to go and can't, because the node
// under it is lost, nothing comes in its place: a ReplicaSet does not wait for it,
// what makes Pods with a fixed name or node does.
func (p Pod) StaysBehind() bool { return p.Maker != "ReplicaSet" && p.Maker != "ReplicationController" }

// Pods lists the Pods of a namespace that a label selector finds, the oldest first;
// those of all namespaces when it is "".
func (c *Client) Pods(ctx context.Context, namespace, selector string) ([]Pod, error) {
	var out []Pod
	where := "-n " + namespace
	if namespace == "" {
		where = "-A"
	}
	opts := metav1.ListOptions{LabelSelector: selector, Limit: pageSize}
	for {
		page, err := c.typed.CoreV1().Pods(namespace).List(ctx, opts)
		if err != nil {
			return nil, c.fault("list pods "+where+" -l "+selector, err)
		}
		for _, p := range page.Items {
			out = append(out, readPod(p))
		}
		if opts.Continue = page.Continue; opts.Continue == "" {
			break
		}
	}
	slices.SortFunc(out, func(a, b Pod) int {
		if d := a.Created.Compare(b.Created); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out, nil
}

// Pod reads one Pod; found is false when there is none of that name.
func (c *Client) Pod(ctx context.Context, namespace, name string) (pod Pod, found bool, err error) {
	p, err := c.typed.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return pod, false, c.unlessMissing("read pod "+namespace+"/"+name, err)
	}
	return readPod(*p), true, nil
}

func readPod(p corev1.Pod) Pod {
	out := Pod{Namespace: p.Namespace, Name: p.Name, UID: string(p.UID), Node: p.Spec.NodeName, Phase: string(p.Status.Phase),
		Deleting: p.DeletionTimestamp != nil, Restarts: restarts(p), Created: p.CreationTimestamp.UTC()}
	out.Ready = p.Status.Phase == corev1.PodRunning && podReady(p) && !out.Deleting
	for _, container := range p.Spec.Containers {
		out.Containers = append(out.Containers, container.Name)
	}
	if !out.Ready {
		out.Why = why(p)
	}
	if maker := metav1.GetControllerOf(&p); maker != nil {
		out.Maker = maker.Kind
	}
	return out
}

// DeletePod deletes the very Pod that was seen before. One that is gone, or whose
// name another Pod has by now, is fine: deleted reports whether this call did it.
func (c *Client) DeletePod(ctx context.Context, pod Pod) (deleted bool, err error) {
	err = c.typed.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, deleteByUID(pod.UID))
	switch {
	case apierrors.IsNotFound(err), apierrors.IsConflict(err): // conflict: the UID is another one
		return false, nil
	case err != nil:
		return false, c.fault("delete pod "+pod.Namespace+"/"+pod.Name, err)
	}
	return true, nil
}

func deleteByUID(uid string) metav1.DeleteOptions {
	id := types.UID(uid)
	return metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &id}}
}

// maxLog and maxLine bound what is read of a Pod's log; a longer line is
// searched in its first part only.
const (
	maxLog  = 64 << 20
	maxLine = 64 << 10
)

// LogHas looks for a line of a Pod's log that contains the text, in any case,
// from its start. It stops at the first. A Pod without a log yet has no line; a
// log that is longer than what is searched is fault.Protocol, because then
// nothing is known of its rest.
func (c *Client) LogHas(ctx context.Context, pod Pod, text string) (bool, error) {
	for _, container := range pod.Containers {
		found, err := c.containerLogHas(ctx, pod, container, text)
		if err != nil || found {
			return found, err
		}
	}
	return false, nil
}

func (c *Client) containerLogHas(ctx context.Context, pod Pod, container, text string) (bool, error) {
	op := "read the log of pod " + pod.Namespace + "/" + pod.Name
	stream, err := c.typed.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: container}).Stream(ctx)
	if err != nil {
		if apierrors.IsNotFound(err) || apierrors.IsBadRequest(err) { // gone meanwhile, or its container does not run yet
			return false, nil
		}
		return false, c.fault(op, err)
	}
	defer stream.Close()
	found, err := hasLine(stream, text)
	if err != nil {
		return false, c.fault(op, err)
	}
	return found, nil
}

func hasLine(stream io.Reader, text string) (bool, error) {
	text = strings.ToLower(text)
	limited := &io.LimitedReader{R: stream, N: maxLog}
	lines := bufio.NewReaderSize(limited, maxLine)
	for rest := false; ; {
		line, more, err := lines.ReadLine()
		if !rest && strings.Contains(strings.ToLower(string(line)), text) {
			return true, nil
		}
		rest = more
		switch {
		case errors.Is(err, io.EOF) && limited.N == 0:
			return false, fmt.Errorf("it has more than %d MiB, and the line %q is not in them", maxLog>>20, text)
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return false, err
		}
	}
}
