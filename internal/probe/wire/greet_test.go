package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// answering serves one connection with f and returns a dialer to it.
func answering(t *testing.T, f func(net.Conn)) func() (net.Conn, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f(conn)
			_ = conn.Close()
		}
	}()
	return func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) }
}

func TestAGreetingProvesWhoAnswers(t *testing.T) {
	token := []byte("secret")
	me := Peer{Node: "west 1", Port: 443}
	agent := func(token []byte) func(net.Conn) {
		return func(conn net.Conn) {
			line, _ := ReadLine(bufio.NewReader(conn))
			if answer, mode, ok := Reply(token, line, me); ok && mode == ModeEcho {
				_, _ = io.WriteString(conn, answer)
			}
		}
	}
	var recorded string
	recorder := func(conn net.Conn) {
		line, _ := ReadLine(bufio.NewReader(conn))
		if recorded == "" {
			recorded, _, _ = Reply(token, line, me)
		}
		_, _ = io.WriteString(conn, recorded)
	}
	peer, err := Try(answering(t, agent(token)), token, nil, 5*time.Second)
	require.NoError(t, err)
	require.Equal(t, me, peer)

	replay := answering(t, recorder)
	_, err = Try(replay, token, nil, 5*time.Second)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		dial func() (net.Conn, error)
		want string
	}{
		"an agent of another probe": {answering(t, agent([]byte("other"))), "closed without an answer"},
		"an echo":                   {answering(t, func(c net.Conn) { _, _ = io.CopyN(c, c, 100) }), "answered by something else"},
		"a recording":               {replay, "answered by something else"},
		"a web server":              {answering(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }), "answered by something else"},
		"a banner without an end":   {answering(t, func(c net.Conn) { _, _ = io.WriteString(c, "220 hello"); _, _ = c.Read(make([]byte, 100)) }), "answered by something else"},
		"a hail of bytes":           {answering(t, func(c net.Conn) { _, _ = io.WriteString(c, strings.Repeat("x", 10_000)) }), "answered by something else"},
		"silence":                   {answering(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), "no answer"},
		"nobody":                    {func() (net.Conn, error) { return nil, syscall.ECONNREFUSED }, "refused"},
	} {
		_, err := Try(c.dial, token, nil, 300*time.Millisecond)
		require.Error(t, err, name)
		require.Equal(t, c.want, Cause(err), name)
	}
}

func TestAnOpeningShowsWhoSpeaks(t *testing.T) {
	_, err := Try(answering(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\n") }), nil, []byte("GET / HTTP/1.0\r\n\r\n"), 5*time.Second)
	s, ok := errors.AsType[*StrangerError](err)
	require.True(t, ok)
	require.Equal(t, "HTTP/1.0 200 OK\r\n", string(s.First))
}

func TestCause(t *testing.T) {
	for err, want := range map[error]string{
		fmt.Errorf("x: %w", syscall.EHOSTUNREACH):                        "no route",
		fmt.Errorf("x: %w", syscall.EPERM):                               "forbidden by the node itself",
		fmt.Errorf("x: %w", syscall.ECONNRESET):                          "closed without an answer",
		errors.New("ssh: rejected: connect failed (Connection refused)"): "refused",
		errors.New("ssh: rejected: connect failed (No route to host)"):   "no route",
		errors.New(strings.Repeat("y", 100)):                             strings.Repeat("y", 64),
	} {
		require.Equal(t, want, Cause(err))
	}
}

func TestRate(t *testing.T) {
	require.Zero(t, Sent{Bytes: 5}.Rate())
	require.InDelta(t, 800, Sent{Bytes: 100, Micros: 1}.Rate(), 1e-9)
}
