package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/internal/fault"
)

// caches are the checks of an API server that has not read all it keeps in
// memory. With Secrets that it can't decrypt they fail for ever, and all else works.
var caches = []string{"informer-sync", "poststarthook/storage-readiness"}

// Ready demands that the API server itself says it is ready. One that says
// otherwise is fault.Protocol: it may become so.
func (c *Client) Ready(ctx context.Context) error {
	failing, err := c.failing(ctx)
	if err == nil && len(failing) > 0 {
		err = c.unready(failing)
	}
	return err
}

// Serving is Ready of an API server that may have Secrets which it can't decrypt.
func (c *Client) Serving(ctx context.Context) error {
	failing, err := c.failing(ctx)
	failing = slices.DeleteFunc(failing, func(n string) bool { return slices.Contains(caches, n) })
	if err == nil && len(failing) > 0 {
		err = c.unready(failing)
	}
	return err
}

func (c *Client) unready(failing []string) error {
	return fault.New(fault.Protocol, "ask whether the API server is ready", c.place, "", fmt.Errorf("not yet: %s", shorten(strings.Join(failing, ", "))))
}

// failing names the checks of /readyz that fail.
func (c *Client) failing(ctx context.Context) ([]string, error) {
	const op = "ask whether the API server is ready"
	answer := c.typed.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx)
	body, err := answer.Raw()
	if err == nil && string(body) == "ok" {
		return nil, nil
	}
	var out []string
	for line := range strings.Lines(string(body)) {
		if name, ok := strings.CutPrefix(line, "[-]"); ok {
			name, _, _ = strings.Cut(strings.TrimSpace(name), " ")
			out = append(out, name)
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	if err == nil {
		return nil, fault.New(fault.Protocol, op, c.place, "", fmt.Errorf("/readyz says %q", shorten(string(body))))
	}
	return nil, c.fault(op, err)
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
