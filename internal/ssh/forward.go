package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/crypto/ssh"

	"github.com/acpflow/acpflow/internal/fault"
)

// DialContext connects to addr as seen from the other side, over this
// connection. It fits http.Transport, client-go and gRPC dialers. Where sshd
// forbids forwarding (hardened hosts often do) a bash relay on the node does it.
// network must be tcp. Errors: fault.Unreachable, Refused.
func (c *Client) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || network != "tcp" && network != "tcp4" && network != "tcp6" {
		return nil, fault.New(fault.BadInput, "connect to "+network+" "+addr, c.target.place(), "give tcp and host:port", err)
	}
	if c.relay.Load() {
		return c.dialRelay(ctx, host, port)
	}
	conn, err := c.dialForward(ctx, addr)
	var refused *ssh.OpenChannelError
	if errors.As(err, &refused) && (refused.Reason == ssh.Prohibited || refused.Reason == ssh.UnknownChannelType) {
		c.relay.Store(true)
		return c.dialRelay(ctx, host, port)
	}
	if err != nil {
		return nil, c.forwardFailed(addr, err)
	}
	return conn, nil
}

func (c *Client) dialForward(ctx context.Context, addr string) (net.Conn, error) {
	type dialed struct {
		conn net.Conn
		err  error
	}
	answer := make(chan dialed, 1)
	go func() {
		conn, err := c.conn.Dial("tcp", addr)
		answer <- dialed{conn, err}
	}()
	select {
	case d := <-answer:
		if d.err != nil {
			return nil, d.err
		}
		return c.track(d.conn), nil
	case <-ctx.Done():
		go func() { // the answer may still come
			if d := <-answer; d.err == nil {
				_ = d.conn.Close()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

func (c *Client) forwardFailed(addr string, err error) error {
	return fault.New(fault.Unreachable, "connect to "+addr, "through "+c.target.place(),
		"check that the address is right and reachable from that machine", err)
}

// track counts a stream as use of the connection until it is closed.
func (c *Client) track(conn net.Conn) net.Conn {
	c.streams.Add(1)
	return newStream(conn, func() { c.streams.Add(-1) })
}

// idle reports whether nothing runs over the connection.
func (c *Client) idle() bool { return c.slots.busy() == 0 && c.streams.Load() == 0 }

func (c *Client) relayFailed(addr string, err error) error {
	if fault.Is(err, fault.Unreachable) {
		return err
	}
	return fault.New(fault.Refused, "connect to "+addr, "through "+c.target.place(),
		"set AllowTcpForwarding yes for the user in sshd_config, or allow it to run bash",
		fmt.Errorf("sshd forbids TCP forwarding, and a relay through bash failed too: %w", err))
}
