package kube

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/internal/fault"
)

// Ready demands that the API server itself says it is ready. One that says
// otherwise is fault.Protocol: it may become so.
func (c *Client) Ready(ctx context.Context) error {
	body, err := c.typed.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	if err == nil && string(body) != "ok" {
		err = fmt.Errorf("/readyz says %q", shorten(string(body)))
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return fault.New(fault.Protocol, "ask whether the API server is ready", c.place, "", redacted{err})
	}
	if err != nil {
		return c.fault("ask whether the API server is ready", err)
	}
	return nil
}

// RewriteSecret has the API server store a Secret anew, unchanged, with the key
// that writes now. One that is gone is fine; one that somebody changed at the
// same moment was stored anew by that.
func (c *Client) RewriteSecret(ctx context.Context, namespace, name string) error {
	op := "store secret " + namespace + "/" + name + " anew"
	secrets := c.typed.CoreV1().Secrets(namespace)
	s, err := secrets.Get(ctx, name, metav1.GetOptions{})
	if err == nil {
		_, err = secrets.Update(ctx, s, metav1.UpdateOptions{FieldManager: "acpflow"})
	}
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return c.fault(op, err)
	}
	return nil
}
