package kube

import (
	"crypto/tls"
	"crypto/x509"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// redacted keeps a foreign error's chain and masks secrets in its text.
type redacted struct{ error }

func (r redacted) Error() string { return secret.Redact(r.error.Error()) }
func (r redacted) Unwrap() error { return r.error }

// fault classifies an error of the API. A missing object or kind is
// fault.Protocol: in a cluster that is still being built it appears later.
func (c *Client) fault(op string, err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok { // the dialer knows better
		return f
	}
	class, fix := fault.Unreachable, "check that the API server runs and that the way to it is open"
	var status apierrors.APIStatus
	switch {
	case untrusted(err):
		class, fix = fault.HostKey, "the server's certificate does not fit the kubeconfig: fetch the kubeconfig again, or find out who answers"
	case apierrors.IsUnauthorized(err), apierrors.IsForbidden(err):
		class, fix = fault.Auth, "fetch the kubeconfig of an administrator again"
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		class, fix = fault.Conflict, "somebody else changed the object: look at it and try again"
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		class, fix = fault.BadInput, ""
	case errors.As(err, &status):
		class, fix = fault.Protocol, ""
	}
	return fault.New(class, op, c.place, fix, redacted{err})
}

func untrusted(err error) bool {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
	)
	return errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid) || errors.As(err, &verify)
}
