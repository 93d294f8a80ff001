package activities

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// dropped is a port of 127.0.0.1 that answers nothing, as behind a firewall that
// drops: its queue of connections is full.
func dropped(t *testing.T) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(fd, 0))
	name, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	port := name.(*syscall.SockaddrInet4).Port
	for range 4 {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), 200*time.Millisecond)
		if err != nil {
			return port
		}
		t.Cleanup(func() { conn.Close() })
	}
	require.FailNow(t, "the port still answers")
	return 0
}

// TestSilenceAloneClosesNoPort: a port that drops is closed only when the same
// address answers elsewhere; the worker may as well have no way there.
func TestSilenceAloneClosesNoPort(t *testing.T) {
	t.Parallel()
	answers, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer answers.Close()
	go func() {
		for {
			conn, err := answers.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	s := site.Site{Platform: site.Platform{Address: "acp.example.com", HTTPSPort: answers.Addr().(*net.TCPAddr).Port, HTTPPort: 80},
		Clusters: []site.Cluster{{Name: "west", Endpoint: site.Endpoint{VIP: "127.0.0.1"}, Nodes: []site.Node{{Name: "w1", Address: "192.0.2.1", Role: site.ControlPlane}}}}}
	a := &Forwarding{}
	silent := dropped(t)
	in := PortInput{Scope: Scope{Site: s, Cluster: "west"}, Port: silent}
	e, err := a.ClosePort(t.Context(), in)
	require.NoError(t, err)
	require.Contains(t, e.Facts["seen"], "connections are dropped, while port")

	in.Site.Platform.HTTPSPort = silent
	_, err = a.ClosePort(t.Context(), in)
	require.ErrorContains(t, err, "could not tell: the VIP gives no answer at all")
	require.Equal(t, fault.Gate, fault.ClassOf(err))

	in.Port = s.Platform.HTTPSPort
	_, err = a.ClosePort(t.Context(), in)
	require.ErrorContains(t, err, "the port still takes connections")
	require.ErrorContains(t, err, "remove the forwarding of port")
	_, err = a.OpenPort(t.Context(), in)
	require.ErrorContains(t, err, "no control plane answers behind it")

	in.Site.Clusters[0].Nodes[0].Address = "127.0.0.1"
	e, err = a.ClosePort(t.Context(), in)
	require.NoError(t, err)
	require.Contains(t, e.Summary, "not needed: 127.0.0.1 is a node's own address")
}

// TestAnUnreadableBalancerIsNoClosedPort: what LookAtPort says is kept for the
// undo, which would close a port that was forwarded before.
func TestAnUnreadableBalancerIsNoClosedPort(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "balancer")
	list := "#!/bin/sh\necho '{\"forwards\":[{\"port\":2379,\"mode\":\"tcp\",\"backends\":[\"192.0.2.1:2379\"]}]}'\n"
	write := func(text string) {
		require.NoError(t, os.WriteFile(program+".new", []byte(text), 0o700))
		require.NoError(t, os.Rename(program+".new", program))
	}
	in := PortInput{Port: EtcdPort, Scope: Scope{Cluster: "west", Site: site.Site{Platform: site.Platform{Address: "acp.example.com", HTTPSPort: 443, HTTPPort: 80},
		Clusters: []site.Cluster{{Name: "west", Endpoint: site.Endpoint{VIP: "127.0.0.1"}, Nodes: []site.Node{{Name: "w1", Address: "192.0.2.1", Role: site.ControlPlane}},
			Balancer: &site.Balancer{Driver: site.BalancerExec, Exec: &site.Exec{Command: []string{program}}}}}}}}
	a := &Forwarding{}

	write("#!/bin/sh\necho 'no way there' >&2\nexit 1\n")
	_, err := a.LookAtPort(t.Context(), in)
	require.ErrorContains(t, err, "no way there")
	require.False(t, fault.ClassOf(err).Permanent(), "it is tried again")
	ports, err := a.ReadForwards(t.Context(), ClusterInput{Scope: in.Scope})
	require.NoError(t, err, "a check tells of it")
	require.NotEmpty(t, ports)
	for _, p := range ports {
		require.Contains(t, p.Error, "could not be read")
	}

	write(list)
	state, err := a.LookAtPort(t.Context(), in)
	require.NoError(t, err)
	require.True(t, state.Configured)
}
