package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
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
	return slices.Concat(head, body)
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

// sources are the members as places to try from: workers first, because some
// balancers can't lead a control plane to itself.
func (f *Fleet) sources() []Source {
	var workers, others []Source
	for _, m := range f.members {
		switch {
		case m.fault() != nil:
		case len(m.Ports.TCP) == 0:
			workers = append(workers, m.source())
		default:
			others = append(others, m.source())
		}
	}
	return append(workers[:min(len(workers), 2)], others[:min(len(others), 1)]...)
}

// choose takes the first source that something answers, be it by refusing;
// when none is answered, the first source at all.
func (w *watch) choose(ctx context.Context, sources []Source) error {
	order := wire.Knock{Millis: knockMillis / 2}
	for _, d := range w.doors {
		order.Doors = append(order.Doors, wire.Door{Address: w.address, Port: d.port, Times: 1})
	}
	for _, s := range sources {
		got, err := s.knock(ctx, order)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil && slices.ContainsFunc(got, answered) {
			w.source = s
			return nil
		}
	}
	if len(sources) == 0 {
		return errors.New("there is no place to try the load balancer from")
	}
	w.source = sources[0]
	return nil
}

// answered reports whether anybody is at the address.
func answered(k wire.Knocks) bool {
	for cause := range k.Cause {
		if cause != "timed out" && cause != "no route" && cause != "forbidden by the node itself" {
			return true
		}
	}
	return len(k.Nodes) > 0
}
