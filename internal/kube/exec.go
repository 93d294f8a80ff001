package kube

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	utilexec "k8s.io/client-go/util/exec"
	streams "k8s.io/streaming/pkg/httpstream/spdy"

	"github.com/acpflow/acpflow/internal/fault"
)

// maxExecOutput bounds what is kept of a command's output, in bytes.
const maxExecOutput = 64 << 10

// ExecResult is how a command in a Pod ended.
type ExecResult struct {
	Output   string // standard output and error, the first 64 KiB
	ExitCode int
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ text []byte }

func (b *bounded) Write(p []byte) (int, error) {
	b.text = append(b.text, p[:min(len(p), maxExecOutput-len(b.text))]...)
	return len(p), nil
}

// DeploymentPods lists the Pods of a Deployment by its own selector, the oldest
// first; found is false when there is no such Deployment.
func (c *Client) DeploymentPods(ctx context.Context, namespace, name string) (pods []Pod, found bool, err error) {
	d, err := c.typed.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, false, c.unlessMissing("read deployment "+namespace+"/"+name, err)
	}
	pods, err = c.Pods(ctx, namespace, metav1.FormatLabelSelector(d.Spec.Selector))
	return pods, true, err
}

// Exec runs a command in the first container of a Pod and waits for its end, as
// `kubectl exec` does. That the command fails is a result; that it could not be
// run is an error: fault.Protocol when the Pod is gone or no container runs.
func (c *Client) Exec(ctx context.Context, pod Pod, command ...string) (ExecResult, error) {
	op := "run " + command[0] + " in pod " + pod.Namespace + "/" + pod.Name
	if c.config == nil {
		return ExecResult{}, fault.New(fault.Internal, op, c.place, "", errors.New("this client has no connection of its own"))
	}
	options := &corev1.PodExecOptions{Command: command, Stdout: true, Stderr: true}
	if len(pod.Containers) > 0 {
		options.Container = pod.Containers[0]
	}
	url := c.typed.CoreV1().RESTClient().Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).
		SubResource("exec").VersionedParams(options, scheme.ParameterCodec).URL()
	transport, err := newTransport(c.config)
	if err != nil {
		return ExecResult{}, c.fault(op, err)
	}
	transport.ForceAttemptHTTP2 = false // the connection is upgraded to streams
	upgrade, err := streams.NewRoundTripperWithConfig(streams.RoundTripperConfig{UpgradeTransport: transport})
	if err != nil {
		return ExecResult{}, c.fault(op, err)
	}
	wrapped, err := rest.HTTPWrappersForConfig(c.config, upgrade)
	if err != nil {
		return ExecResult{}, c.fault(op, err)
	}
	executor, err := remotecommand.NewSPDYExecutorForTransports(wrapped, spdy.NewUpgraderForStreaming(upgrade), "POST", url)
	if err != nil {
		return ExecResult{}, c.fault(op, err)
	}
	var out, errs bounded
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &errs})
	result := ExecResult{Output: string(out.text) + string(errs.text)}
	var exit utilexec.ExitError
	switch {
	case err == nil:
		return result, nil
	case errors.As(err, &exit) && exit.Exited():
		result.ExitCode = exit.ExitStatus()
		return result, nil
	case apierrors.IsNotFound(err), apierrors.IsBadRequest(err): // gone meanwhile, or its container does not run
		return result, fault.New(fault.Protocol, op, c.place, "", fmt.Errorf("it can't be run there now: %w", redacted{err}))
	}
	return result, c.fault(op, err)
}
