package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// madeBy is the annotation with the run that made an object, so that its undo
// removes what is its own and nothing else.
const madeBy = "acpflow.io/run"

// SecretKey is one value of a Secret.
type SecretKey struct{ Namespace, Name, Key string }

func (k SecretKey) String() string { return "secret " + k.Namespace + "/" + k.Name + " key " + k.Key }

// SecretValue reads one value of a Secret. A missing or empty one is fault.Gate.
func (c *Client) SecretValue(ctx context.Context, k SecretKey) (secret.Value, error) {
	op := "read " + k.String()
	s, err := c.typed.CoreV1().Secrets(k.Namespace).Get(ctx, k.Name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return secret.Value{}, c.fault(op, err)
	}
	if err != nil || len(s.Data[k.Key]) == 0 {
		return secret.Value{}, fault.New(fault.Gate, op, c.place, "", errors.New("it is missing or empty"))
	}
	return secret.NewValue(bytes.TrimSpace(s.Data[k.Key])), nil
}

// CheckToken demands that a token logs in to this cluster and returns the user it
// belongs to. A token that does not is fault.Auth.
func (c *Client) CheckToken(ctx context.Context, token secret.Value) (user string, err error) {
	review := &authv1.TokenReview{Spec: authv1.TokenReviewSpec{Token: string(token.Reveal())}}
	got, err := c.typed.AuthenticationV1().TokenReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return "", c.fault("verify a token", err)
	}
	if !got.Status.Authenticated {
		return "", fault.New(fault.Auth, "verify a token", c.place, "", errors.New("the cluster does not accept it"))
	}
	return got.Status.User.Username, nil
}

// EnsureSecret makes the one value of a Secret what it shall be and confirms it.
// A Secret that it makes carries the run; other values of it are left alone.
func (c *Client) EnsureSecret(ctx context.Context, k SecretKey, value secret.Value, run string) (changed bool, err error) {
	op := "write " + k.String()
	secrets := c.typed.CoreV1().Secrets(k.Namespace)
	old, err := secrets.Get(ctx, k.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		_, err = secrets.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: k.Name, Annotations: map[string]string{madeBy: run}},
			Type:       corev1.SecretTypeOpaque,
			Data:       map[string][]byte{k.Key: value.Reveal()},
		}, metav1.CreateOptions{FieldManager: "acpflow"})
	case err != nil:
		return false, c.fault(op, err)
	case bytes.Equal(bytes.TrimSpace(old.Data[k.Key]), value.Reveal()):
		return false, nil
	default:
		if old.Data == nil {
			old.Data = map[string][]byte{}
		}
		old.Data[k.Key] = value.Reveal()
		_, err = secrets.Update(ctx, old, metav1.UpdateOptions{FieldManager: "acpflow"}) // its resourceVersion refuses to overwrite somebody else's change
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return false, c.fault(op, err)
	}
	now, err := c.SecretValue(ctx, k)
	if err == nil && !bytes.Equal(now.Reveal(), value.Reveal()) {
		err = fault.New(fault.Conflict, op, c.place, "somebody else writes it: look who, then retry", errors.New("it has another value than the one written"))
	}
	return err == nil, err
}

// RemoveSecret deletes a Secret that the run made. One that is gone, or that
// somebody else made, is left alone.
func (c *Client) RemoveSecret(ctx context.Context, namespace, name, run string) (removed bool, err error) {
	op := "delete secret " + namespace + "/" + name
	secrets := c.typed.CoreV1().Secrets(namespace)
	old, err := secrets.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return false, c.unlessMissing(op, err)
	}
	if old.Annotations[madeBy] != run || run == "" {
		return false, nil
	}
	if err := secrets.Delete(ctx, name, deleteByUID(string(old.UID))); err != nil {
		return false, c.unlessMissing(op, err)
	}
	return true, nil
}

// CertManager's resources that a plugin may make.
var (
	issuers      = schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "issuers"}
	certificates = schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "certificates"}
)

// Wanted names objects of one namespace that something else must make.
type Wanted struct {
	Namespace    string
	Secrets      []string // with at least one value each
	Issuers      []string // of cert-manager
	Certificates []string // of cert-manager, Ready where they say
}

// Lacking tells which of the objects are not there, empty or not ready (yet).
func (c *Client) Lacking(ctx context.Context, w Wanted) ([]string, error) {
	var out []string
	for _, name := range w.Secrets {
		s, err := c.typed.CoreV1().Secrets(w.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, c.fault("read secret "+w.Namespace+"/"+name, err)
		}
		if err != nil || len(s.Data) == 0 {
			out = append(out, "secret "+name)
		}
	}
	for gvr, names := range map[schema.GroupVersionResource][]string{issuers: w.Issuers, certificates: w.Certificates} {
		for _, name := range names {
			lacks, err := c.lacksReady(ctx, gvr, w.Namespace, name)
			if err != nil {
				return nil, err
			}
			if lacks != "" {
				out = append(out, lacks)
			}
		}
	}
	slices.Sort(out)
	return out, nil
}

func (c *Client) lacksReady(ctx context.Context, gvr schema.GroupVersionResource, namespace, name string) (string, error) {
	what := fmt.Sprintf("%s %s", gvr.Resource[:len(gvr.Resource)-1], name)
	obj, err := c.dynamic.Resource(gvr).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return what, nil
	}
	if err != nil {
		return "", c.fault("read "+what, err)
	}
	conditions, _, _ := unstructured.NestedSlice(obj.Object, "status", "conditions")
	for _, raw := range conditions {
		cond, _ := raw.(map[string]any)
		if text(cond["type"]) == "Ready" && text(cond["status"]) != "True" {
			return shorten(what + ": " + text(cond["reason"]) + " " + text(cond["message"])), nil
		}
	}
	return "", nil
}
