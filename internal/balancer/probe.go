package balancer

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// DialFunc opens connections, for example through SSH.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Sight is what a look at a port shows.
type Sight struct {
	Refused bool   // the other side says that nothing listens there
	Silent  bool   // no answer at all: that tells nothing
	Hollow  bool   // it takes connections and closes them at once: nobody behind it
	Foreign bool   // something answers that is not TLS
	Leaf    string // hex SHA-256 of the certificate it presents
	Issuer  string // of that certificate
	Err     error  // why, when none of the last three is set
}

// Listens reports whether the port takes connections, whoever is behind it.
func (s Sight) Listens() bool { return s.Err == nil || s.Hollow || s.Foreign }

// Patience with a port.
const (
	probeTimeout = 4 * time.Second
	quietTime    = 700 * time.Millisecond // a balancer without a backend closes sooner
)

// Look connects to a port and, when it shall be TLS, reads the certificate that
// is presented there. Nothing is sent but a greeting, and nothing is believed.
func Look(ctx context.Context, dial DialFunc, address, serverName string, wantTLS bool) Sight {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		refused := errors.Is(err, syscall.ECONNREFUSED) || strings.Contains(strings.ToLower(err.Error()), "connection refused")
		return Sight{Refused: refused, Silent: !refused, Err: err}
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if !wantTLS {
		return lookPlain(conn)
	}
	var out Sight
	client := tls.Client(conn, &tls.Config{
		ServerName: serverName,
		MinVersion: tls.VersionTLS12,
		// The certificate is what is looked at; nothing is sent that needs protection.
		InsecureSkipVerify: true,
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			leaf, err := x509.ParseCertificate(raw[0])
			if err == nil {
				sum := sha256.Sum256(leaf.Raw)
				out.Leaf, out.Issuer = hex.EncodeToString(sum[:]), leaf.Issuer.String()
			}
			return err
		},
	})
	err = client.HandshakeContext(ctx)
	switch {
	case out.Leaf != "": // a server that wants a client's certificate ends the handshake after that
		return out
	case errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.ErrUnexpectedEOF):
		out.Hollow = true
	case ctx.Err() != nil:
		out.Silent = true
	default: // an alert, or bytes of another protocol
		out.Foreign = true
	}
	out.Err = err
	return out
}

// lookPlain waits a moment whether the connection stays.
func lookPlain(conn net.Conn) Sight {
	_ = conn.SetReadDeadline(time.Now().Add(quietTime)) // its failure shows in the read
	_, err := conn.Read(make([]byte, 1))
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return Sight{}
	}
	return Sight{Hollow: true, Err: err}
}
