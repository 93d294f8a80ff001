package ssh

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// relayScript copies between its stdin/stdout and a TCP connection made by
// bash itself, so that neither nc nor socat is needed on the node.
const relayScript = `exec 4<&0
exec 3<>"/dev/tcp/%s/%s" || exit 1
echo connected
cat <&3 & down=$!
{ cat <&4 >&3; kill "$down" 2>/dev/null; } & up=$!
exec 3>&- 4<&-
wait "$down"
kill "$up" 2>/dev/null
exit 0
`

// dialRelay makes a TCP connection through a command on the node.
func (c *Client) dialRelay(ctx context.Context, host, port string) (net.Conn, error) {
	addr := net.JoinHostPort(host, port)
	if strings.ContainsAny(host+port, "/\"$`\\ \n") {
		return nil, c.forwardFailed(addr, errors.New("not a host name or address"))
	}
	near, far := net.Pipe()
	life, end := context.WithCancelCause(context.WithoutCancel(ctx))
	greeting, output := io.Pipe()
	finished := make(chan error, 1)
	go func() {
		_, err := c.Run(life, Command{
			Op: "relay to " + addr, Script: fmt.Sprintf(relayScript, host, port), Stdin: far, Stdout: output,
		})
		_ = output.CloseWithError(err) // nil closes with io.EOF
		finished <- err
	}()
	stop := context.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
	reader := bufio.NewReaderSize(greeting, 64<<10)
	line, err := reader.ReadString('\n')
	if !stop() {
		err = context.Cause(ctx)
	} else if err == nil && line != "connected\n" {
		err = fmt.Errorf("unexpected answer %q", line)
	}
	if err != nil {
		end(err)
		_ = far.Close()
		_ = greeting.CloseWithError(err)
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, c.relayError(addr, err)
	}
	go func() { // node to us
		_, _ = io.Copy(far, reader) // either end may close first; both closes follow
		_ = far.Close()
	}()
	c.streams.Add(1)
	return newStream(near, func() {
		end(net.ErrClosed)
		_ = greeting.CloseWithError(net.ErrClosed)
		select { // let the node's side end before the connection can be called idle
		case <-finished:
		case <-time.After(killTimeout):
		}
		c.streams.Add(-1)
	}), nil
}

// relayError tells a refused target from a node where bash can't relay.
func (c *Client) relayError(addr string, err error) error {
	text := err.Error()
	for _, sign := range []string{"Connection refused", "No route to host", "Network is unreachable", "timed out", "Name or service not known", "Temporary failure in name resolution"} {
		if strings.Contains(text, sign) {
			return c.forwardFailed(addr, errors.New(sign))
		}
	}
	return c.relayFailed(addr, err)
}
