package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
)

// dialer makes the connections of a client, TLS included, and remembers what
// went wrong with the last one.
type dialer struct {
	place   string
	address string // host:port
	connect DialFunc
	tls     *tls.Config
	expires time.Time // of the client's certificate
	subject string

	mu   sync.Mutex
	last error
}

func newDialer(o Options) (*dialer, error) {
	d := &dialer{place: "etcd " + o.Address, address: o.Address, connect: o.Dial}
	host, _, err := net.SplitHostPort(o.Address)
	if err != nil {
		return nil, fault.New(fault.BadInput, "connect to etcd", o.Address, "give host:port", err)
	}
	if d.connect == nil {
		d.connect = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	if len(o.CA) == 0 {
		return d, nil
	}
	bad := func(what string) error {
		return fault.New(fault.Corrupt, "read the certificates for etcd", d.place, "kubeadm keeps them below /etc/kubernetes/pki; look at them on that node", errors.New(what))
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(o.CA) {
		return nil, bad("the authority is no PEM certificate")
	}
	pair, err := tls.X509KeyPair(o.Certificate, o.Key.Reveal())
	if err != nil { // its text may quote what it read
		return nil, bad("the client certificate and its key are no PEM pair")
	}
	if block, _ := pem.Decode(o.Certificate); block != nil {
		if leaf, err := x509.ParseCertificate(block.Bytes); err == nil {
			d.expires, d.subject = leaf.NotAfter, leaf.Subject.CommonName
		}
	}
	d.tls = &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, ServerName: host, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}
	return d, nil
}

// dial is what gRPC calls.
func (d *dialer) dial(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := d.connect(ctx, "tcp", address)
	if err != nil {
		return nil, d.note(err)
	}
	if d.tls != nil {
		secured := tls.Client(conn, d.tls)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = conn.Close() // nothing was sent yet
			return nil, d.note(err)
		}
		conn = secured
	}
	_ = d.note(nil)
	return &watched{Conn: conn, dialer: d}, nil
}

// listen returns the alert with which the server ends a new connection, nil if
// it sends none. With TLS 1.3 a client's handshake ends before the server has
// looked at its certificate: what the client writes may meet a closed connection
// before the alert is read. Here nothing is written, so the alert is read.
func (d *dialer) listen(ctx context.Context) error {
	if d.tls == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, listenTimeout)
	defer cancel()
	conn, err := d.dial(ctx, d.address)
	if err != nil {
		return nil // the first error says more
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) }) // a healthy etcd waits for the client to speak
	defer stop()
	if _, err = conn.Read(make([]byte, 1)); alerted(err) {
		return err
	}
	return nil
}

func (d *dialer) note(err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = err
	return err
}

func (d *dialer) noted() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

// watched remembers the server's alert: with TLS 1.3 a refused client
// certificate shows at the first read only.
type watched struct {
	net.Conn
	dialer *dialer
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if alerted(err) {
		_ = w.dialer.note(err)
	}
	return n, err
}

// alerted reports whether err is a TLS alert of the other end.
func alerted(err error) bool {
	var alert *net.OpError
	return errors.As(err, &alert) && alert.Op == "remote error"
}
