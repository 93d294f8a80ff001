package lab_test

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

func TestBalancerForwardsToHealthyNodes(t *testing.T) {
	l := labtest.Up(t, lab.Options{Name: "t-balance", Package: noPackage})
	vip := l.Clusters()[0].VIP
	for _, port := range lab.BalancerPorts {
		serve(t, node(t, l, "west-2"), port)
	}
	for _, port := range lab.BalancerPorts {
		require.Eventually(t, func() bool { return ask(vip, port) == "west-2" }, time.Minute, 100*time.Millisecond, "port %d", port)
	}
	serve(t, node(t, l, "west-3"), 6443)
	require.Eventually(t, func() bool { return ask(vip, 6443) == "west-3" }, time.Minute, 50*time.Millisecond)

	require.NoError(t, node(t, l, "west-2").PowerOff(t.Context()))
	require.Eventually(t, func() bool { return ask(vip, 443) == "" }, time.Minute, 100*time.Millisecond)
	for range 4 {
		require.Eventually(t, func() bool { return ask(vip, 6443) == "west-3" }, time.Minute, 100*time.Millisecond)
	}
}

// serve makes a node answer every connection with its name.
func serve(t *testing.T, n *lab.Node, port int) {
	t.Helper()
	_, err := n.Exec(t.Context(), "systemd-run", "--quiet", fmt.Sprintf("--unit=serve-%d", port),
		"socat", fmt.Sprintf("TCP-LISTEN:%d,fork,reuseaddr", port), "SYSTEM:echo "+n.Name)
	require.NoError(t, err)
}

// ask connects and returns what the other side says before it closes, without
// the newline; "" when nobody answers.
func ask(host string, port int) string {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(host, strconv.Itoa(port)), time.Second)
	if err != nil {
		return ""
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return ""
	}
	text, err := io.ReadAll(conn)
	if err != nil || len(text) == 0 {
		return ""
	}
	return string(text[:len(text)-1])
}
