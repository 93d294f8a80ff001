package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"time"

	"github.com/acpflow/acpflow/internal/probe/wire"
)

// Source is a place from which the balancer is tried.
type Source struct {
	Name string // "the worker", "the jump host", "node w-1"
	knock
}

type knock func(context.Context, wire.Knock) ([]wire.Knocks, error)

// Dial is net.Dialer's DialContext, or an SSH connection's.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Outside is a source that connects by itself, not from a member.
func (f *Fleet) Outside(name string, dial Dial) Source {
	return Source{name, func(ctx context.Context, order wire.Knock) ([]wire.Knocks, error) {
		out := wire.KnockAll(order, f.token, func(address string, port int, patience time.Duration) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			return dial(ctx, "tcp", wire.At(address, port))
		})
		return out, context.Cause(ctx)
	}}
}

// source is a member as a place to try from.
func (m *member) source() Source {
	return Source{"node " + m.Name, func(ctx context.Context, order wire.Knock) ([]wire.Knocks, error) {
		answer, err := m.agent.Ask(ctx, wire.Order{Knock: &order})
		return answer.Knock, err
	}}
}

// Openings that show a balancer which speaks for itself.
var openHTTP = []byte("GET / HTTP/1.0\r\n\r\n")

// openTLS is the first flight of a TLS client, recorded from one.
func openTLS(name string) []byte {
	client, server := net.Pipe()
	defer server.Close()
	go func() {
		// Nothing is trusted here: the handshake ends after its first flight.
		_ = tls.Client(client, &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12}).Handshake()
		_ = client.Close()
	}()
	_ = server.SetDeadline(time.Now().Add(time.Second)) // a pipe has deadlines
	head := make([]byte, 5)
	if _, err := io.ReadFull(server, head); err != nil {
		return nil
	}
	body := make([]byte, int(head[3])<<8|int(head[4]))
	if _, err := io.ReadFull(server, body); err != nil {
		return nil
	}
	return append(head, body...)
}

// layer says what spoke instead of an agent: http, tls, or "" for neither.
func layer(first []byte) string {
	switch {
	case bytes.HasPrefix(first, []byte("HTTP/")):
		return "http"
	case len(first) > 2 && (first[0] == 0x15 || first[0] == 0x16) && first[1] == 3: // an alert, or a server's hello
		return "tls"
	}
	return ""
}
