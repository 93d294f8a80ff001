package kube

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/internal/fault"
)

// LeaseState is a leader election's record.
type LeaseState struct {
	Holder   string        `json:"holder,omitempty"` // holderIdentity
	Renewed  time.Time     `json:"renewed,omitzero"`
	Duration time.Duration `json:"duration,omitempty"` // nanoseconds for which a renewal holds
}

// Lease reads a Lease; found is false when there is none.
func (c *Client) Lease(ctx context.Context, namespace, name string) (state LeaseState, found bool, err error) {
	l, err := c.typed.CoordinationV1().Leases(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return state, false, c.unlessMissing("read lease "+namespace+"/"+name, err)
	}
	if l.Spec.HolderIdentity != nil {
		state.Holder = *l.Spec.HolderIdentity
	}
	if l.Spec.RenewTime != nil {
		state.Renewed = l.Spec.RenewTime.UTC()
	}
	if l.Spec.LeaseDurationSeconds != nil {
		state.Duration = time.Duration(*l.Spec.LeaseDurationSeconds) * time.Second
	}
	return state, true, nil
}

// JobState is how far a Job is.
type JobState struct {
	Complete bool   `json:"complete"`
	Failed   bool   `json:"failed,omitempty"`
	Message  string `json:"message,omitempty"`
}

// Job reads a Job; found is false when there is none.
func (c *Client) Job(ctx context.Context, namespace, name string) (state JobState, found bool, err error) {
	j, err := c.typed.BatchV1().Jobs(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return state, false, c.unlessMissing("read job "+namespace+"/"+name, err)
	}
	for _, cond := range j.Status.Conditions {
		if cond.Status != corev1.ConditionTrue {
			continue
		}
		switch cond.Type {
		case batchv1.JobComplete:
			state.Complete = true
		case batchv1.JobFailed:
			state.Failed, state.Message = true, shorten(cond.Reason+" "+cond.Message)
		}
	}
	return state, true, nil
}

// DeploymentState is how many Pods of a Deployment are there.
type DeploymentState struct {
	Wanted int32 `json:"wanted"`
	Ready  int32 `json:"ready"`
	Done   bool  `json:"done"` // all wanted Pods are of the newest kind and available
}

// Deployment reads a Deployment; found is false when there is none.
func (c *Client) Deployment(ctx context.Context, namespace, name string) (state DeploymentState, found bool, err error) {
	d, err := c.typed.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return state, false, c.unlessMissing("read deployment "+namespace+"/"+name, err)
	}
	return readDeployment(d), true, nil
}

func readDeployment(d *appsv1.Deployment) DeploymentState {
	out := DeploymentState{Wanted: 1, Ready: d.Status.ReadyReplicas}
	if d.Spec.Replicas != nil {
		out.Wanted = *d.Spec.Replicas
	}
	s := d.Status
	out.Done = s.ObservedGeneration >= d.Generation && s.UpdatedReplicas == out.Wanted && s.Replicas == out.Wanted && s.AvailableReplicas == out.Wanted
	return out
}

// ServiceIP reads the cluster IP of a Service; found is false when there is no
// Service. One without an address is fault.Protocol.
func (c *Client) ServiceIP(ctx context.Context, namespace, name string) (ip string, found bool, err error) {
	s, err := c.typed.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", false, c.unlessMissing("read service "+namespace+"/"+name, err)
	}
	if _, err := netip.ParseAddr(s.Spec.ClusterIP); err != nil {
		return "", true, fault.New(fault.Protocol, "read service "+namespace+"/"+name, c.place, "", fmt.Errorf("its cluster IP is %q", s.Spec.ClusterIP))
	}
	return s.Spec.ClusterIP, true, nil
}

// unlessMissing is nil for an object that does not exist.
func (c *Client) unlessMissing(op string, err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return c.fault(op, err)
}
