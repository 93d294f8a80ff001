package lab_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

func TestUpTwiceDownTwice(t *testing.T) {
	before := snapshot(t, "t-twice")
	dir := filepath.Join(t.TempDir(), "files")
	o := lab.Options{Name: "t-twice", Dir: dir, Package: noPackage, Clusters: oneNode()}
	l := labtest.Up(t, o)
	n := node(t, l, "west-1")
	_, err := n.Exec(t.Context(), "touch", "/root/kept")
	require.NoError(t, err)
	key, err := os.ReadFile(filepath.Join(dir, lab.FileKey))
	require.NoError(t, err)

	require.NoError(t, n.PowerOff(t.Context()))
	again, err := lab.Up(t.Context(), o)
	require.NoError(t, err)
	_, err = node(t, again, "west-1").Exec(t.Context(), "test", "-e", "/root/kept")
	require.NoError(t, err, "a second up keeps the lab and powers its nodes on")
	same, err := os.ReadFile(filepath.Join(dir, lab.FileKey))
	require.NoError(t, err)
	require.Equal(t, key, same)

	for range 2 {
		require.NoError(t, lab.Down(t.Context(), "t-twice"))
		require.Equal(t, before, snapshot(t, "t-twice"))
		require.NoDirExists(t, dir)
	}
	_, err = lab.Open("t-twice")
	require.ErrorIs(t, err, lab.ErrNotUp)
}

func TestOtherPlanReplacesTheLab(t *testing.T) {
	o := lab.Options{Name: "t-plan", Dir: filepath.Join(t.TempDir(), "files"), Package: noPackage, Clusters: oneNode()}
	labtest.Up(t, o)
	o.Clusters = []lab.ClusterPlan{{Name: "east", ControlPlanes: 1, Workers: 1}}
	l, err := lab.Up(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, []string{"dns", "east-1", "east-2"}, l.Status().Running)
}

func TestUpRefuses(t *testing.T) {
	_, err := lab.Up(t.Context(), lab.Options{Name: "../../etc"})
	require.ErrorContains(t, err, "not a DNS label")
	_, err = lab.Up(t.Context(), lab.Options{Name: "t-refuse", Clusters: []lab.ClusterPlan{{Name: "west", ControlPlanes: 4}}})
	require.ErrorContains(t, err, "1 or 3")
	_, err = lab.Open("t-refuse")
	require.ErrorIs(t, err, lab.ErrNotUp, "a refused plan leaves nothing")
}

func TestResetIsPristineAndQuick(t *testing.T) {
	l := labtest.Up(t, lab.Options{Name: "t-reset", Package: noPackage, Clusters: oneNode()})
	n := node(t, l, "west-1")
	require.NoError(t, n.Break(t.Context(), lab.HostKeyChanged))
	_, err := n.Script(t.Context(), "echo x >/root/left; rm /etc/ssh/sshd_config; echo nameserver 203.0.113.9 >/etc/resolv.conf")
	require.NoError(t, err)
	id, err := n.Exec(t.Context(), "cat", "/etc/machine-id")
	require.NoError(t, err)

	start := time.Now()
	require.NoError(t, l.Reset(t.Context()))
	took := time.Since(start)
	t.Logf("reset of 2 machines took %s", took)
	require.Less(t, took, time.Minute)

	out, err := n.Script(t.Context(), "ls /root; cat /etc/machine-id /etc/resolv.conf; test -s /etc/ssh/sshd_config")
	require.NoError(t, err)
	require.Equal(t, id+"nameserver "+resolver(t, l)+"\n", out)
	require.NoError(t, login(t, l, n, keyAuth(t, l)).Close()) // with the pinned host key again
}

func TestTwoLabsSideBySide(t *testing.T) {
	a := labtest.Up(t, lab.Options{Name: "t-side-a", Package: noPackage, Clusters: oneNode()})
	b := labtest.Up(t, lab.Options{Name: "t-side-b", Package: noPackage, Clusters: oneNode()})
	require.NotEqual(t, a.Describe().Subnet, b.Describe().Subnet)
	require.NoError(t, a.Down(t.Context()))
	require.Equal(t, []string{"dns", "west-1"}, b.Status().Running)
	require.NoError(t, login(t, b, node(t, b, "west-1"), keyAuth(t, b)).Close())
}

// TestNodesReachNothingOutside takes one of this machine's other networks and
// asks a node for an answer of it; there must be a route and no answer.
func TestNodesReachNothingOutside(t *testing.T) {
	l := labtest.Up(t, lab.Options{Name: "t-closed", Package: noPackage, Clusters: oneNode()})
	n := node(t, l, "west-1")
	forwarding, err := os.ReadFile("/proc/sys/net/ipv4/conf/" + l.Describe().Bridge + "/forwarding")
	require.NoError(t, err)
	require.Equal(t, "0\n", string(forwarding))
	_, err = n.Exec(t.Context(), "ping", "-c1", "-W2", hostAddress(l))
	require.NoError(t, err)
	_, err = n.Exec(t.Context(), "ping", "-c1", "-W1", "203.0.113.1")
	require.Error(t, err)
}

// noPackage spares tests that install nothing the building of a package.
var noPackage = &site.Package{Path: "/nonexistent.tar", Checksum: "sha256:" + strings.Repeat("0", 64), Architecture: "amd64"}

func oneNode() []lab.ClusterPlan { return []lab.ClusterPlan{{Name: "west", ControlPlanes: 1}} }

func node(t *testing.T, l *lab.Lab, name string) *lab.Node {
	t.Helper()
	n, err := l.Node(name)
	require.NoError(t, err)
	return n
}

func resolver(t *testing.T, l *lab.Lab) string {
	t.Helper()
	host, _, err := net.SplitHostPort(l.Describe().DNS.Resolver)
	require.NoError(t, err)
	return host
}
