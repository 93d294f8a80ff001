package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// redacted keeps a foreign error's chain and masks secrets in its text.
type redacted struct{ error }

func (r redacted) Error() string { return secret.Redact(r.error.Error()) }
func (r redacted) Unwrap() error { return r.error }

const notEtcd = "connect to port 2379 of a control plane itself, or through a forwarding that only passes TCP on (DR-30)"

// classify tells why a request failed. What the dialer saw says more than what
// gRPC makes of it.
func (d *dialer) classify(ctx context.Context, op string, err error) error {
	if errors.Is(err, rpctypes.ErrCompacted) || errors.Is(err, rpctypes.ErrFutureRev) { // status.Code would say OutOfRange
		return fault.New(fault.Protocol, op, d.place, "try again: etcd dropped, or has not yet got, the revision that was read", redacted{err})
	}
	code := status.Code(err)
	if known, ok := errors.AsType[rpctypes.EtcdError](err); ok {
		code = known.Code()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		code = codes.DeadlineExceeded
	}
	switch code {
	case codes.Unavailable:
		seen := d.noted()
		if seen == nil {
			seen = d.listen(ctx)
		}
		if seen != nil {
			return d.connection(op, seen)
		}
		return d.unavailable(op, err)
	case codes.DeadlineExceeded, codes.Canceled:
		return fault.New(fault.Unreachable, op, d.place, "look whether this etcd has a leader and enough disk speed", fmt.Errorf("no answer in time: %w", redacted{err}))
	case codes.PermissionDenied, codes.Unauthenticated:
		return fault.New(fault.Auth, op, d.place, "use the client certificate of the API server", redacted{err})
	case codes.Unimplemented, codes.Internal, codes.Unknown:
		return fault.New(fault.Protocol, op, d.place, notEtcd, fmt.Errorf("what answers there does not speak as etcd does: %w", redacted{err}))
	}
	return fault.New(fault.Failed, op, d.place, "", redacted{err})
}

// unavailable is for connections that were made and then broke.
func (d *dialer) unavailable(op string, err error) error {
	text := err.Error()
	for _, sign := range []string{"preface", "http2", "frame", "unexpected HTTP status"} {
		if strings.Contains(text, sign) && !strings.Contains(text, "EOF") {
			return fault.New(fault.Protocol, op, d.place, notEtcd, fmt.Errorf("what answers there does not speak as etcd does: %w", redacted{err}))
		}
	}
	return d.unreachable(op, err)
}

func (d *dialer) unreachable(op string, err error) error {
	return fault.New(fault.Unreachable, op, d.place, "check that etcd runs and that the way to port 2379 is open", redacted{err})
}

// connection classifies what making a connection ran into.
func (d *dialer) connection(op string, err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok { // the way there knows better
		return f
	}
	var record tls.RecordHeaderError
	switch {
	case alerted(err) && !strings.Contains(err.Error(), "certificate"):
		return fault.New(fault.Protocol, op, d.place, notEtcd, fmt.Errorf("what answers there does not speak as etcd does: %w", redacted{err}))
	case alerted(err):
		return fault.New(fault.Auth, op, d.place, "renew the certificate of the API server for etcd (kubeadm certs renew apiserver-etcd-client), or find out whose etcd this is",
			fmt.Errorf("etcd refused the client certificate %q, valid until %s: %w", d.subject, d.expires.UTC().Format(time.RFC3339), redacted{err}))
	case untrusted(err):
		return fault.New(fault.HostKey, op, d.place, "the server's certificate does not fit the cluster's etcd authority: renew it, or find out who answers", redacted{err})
	case errors.As(err, &record):
		return fault.New(fault.Protocol, op, d.place, notEtcd, fmt.Errorf("what answers there does not speak TLS: %w", redacted{err}))
	}
	return d.unreachable(op, err)
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

// compacted reports whether the revision that was asked for is gone.
func compacted(err error) bool { return errors.Is(err, rpctypes.ErrCompacted) }
