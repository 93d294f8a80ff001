package ssh_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
)

func contextWithTimeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}

// Both ways to reach a port behind the node: sshd's forwarding and our relay.
func TestDialContext(t *testing.T) {
	for name, lines := range map[string][]string{
		"forwarding": nil, "DisableForwarding": {"DisableForwarding yes"}, "AllowTcpForwarding no": {"AllowTcpForwarding no"},
	} {
		t.Run(name, func(t *testing.T) {
			c := sshtest.Start(t, lines...).Dial(t)
			body := make([]byte, 3<<20)
			_, err := rand.Read(body)
			require.NoError(t, err)
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(w, r.Body) // the client sees a short answer
			}))
			defer server.Close()
			client := server.Client()
			client.Transport.(*http.Transport).DialContext = c.DialContext
			for range 3 {
				answer, err := client.Post(server.URL, "application/octet-stream", bytes.NewReader(body))
				require.NoError(t, err)
				back, err := io.ReadAll(answer.Body)
				require.NoError(t, err)
				require.NoError(t, answer.Body.Close())
				require.True(t, bytes.Equal(body, back))
			}
			client.CloseIdleConnections()

			_, err = c.DialContext(t.Context(), "tcp", "127.0.0.1:1")
			fails(t, err, fault.Unreachable, "127.0.0.1:1", c.Target())
		})
	}
}

func TestForwardingAndCommandsForbidden(t *testing.T) {
	c := sshtest.Start(t, "DisableForwarding yes", "ForceCommand false").Dial(t)
	_, err := c.DialContext(t.Context(), "tcp", "127.0.0.1:22")
	fails(t, err, fault.Refused, "AllowTcpForwarding", "forbids TCP forwarding")
}

func TestStreamDeadline(t *testing.T) {
	for name, lines := range map[string][]string{"forwarding": nil, "relay": {"DisableForwarding yes"}} {
		t.Run(name, func(t *testing.T) {
			c := sshtest.Start(t, lines...).Dial(t)
			l, err := net.Listen("tcp", "127.0.0.1:0") // silent
			require.NoError(t, err)
			defer func() { require.NoError(t, l.Close()) }()
			conn, err := c.DialContext(t.Context(), "tcp", l.Addr().String())
			require.NoError(t, err)
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
			_, err = conn.Read(make([]byte, 1))
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		})
	}
}
