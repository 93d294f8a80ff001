package lab_test

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

func TestLoginAndFaults(t *testing.T) {
	l := labtest.Up(t, lab.Options{Name: "t-login", Package: noPackage, Clusters: oneNode()})
	n := node(t, l, "west-1")

	t.Run("ops becomes root without a password", func(t *testing.T) {
		require.Equal(t, "0\n", remote(t, login(t, l, n, keyAuth(t, l)), "sudo -n id -u"))
	})
	t.Run("password login", func(t *testing.T) {
		require.Equal(t, "ops\n", remote(t, login(t, l, n, passwordAuth(t, l)), "id -un"))
	})
	t.Run("wrong password", func(t *testing.T) {
		_, err := dial(l, n, "ops", ssh.Password("wrong"))
		require.ErrorContains(t, err, "unable to authenticate")
	})
	t.Run("changed host key", func(t *testing.T) {
		require.NoError(t, n.Break(t.Context(), lab.HostKeyChanged))
		_, err := dial(l, n, "ops", keyAuth(t, l))
		require.ErrorContains(t, err, "host key mismatch")
		require.NoError(t, n.Mend(t.Context(), lab.HostKeyChanged))
		require.NoError(t, login(t, l, n, keyAuth(t, l)).Close())
	})
	t.Run("sudo that wants a password", func(t *testing.T) {
		require.NoError(t, n.Break(t.Context(), lab.SudoPassword))
		require.Contains(t, remote(t, login(t, l, n, keyAuth(t, l)), "sudo -n true 2>&1; echo $?"), "password is required\n1\n")
		require.NoError(t, n.Mend(t.Context(), lab.SudoPassword))
		require.Equal(t, "0\n", remote(t, login(t, l, n, keyAuth(t, l)), "sudo -n id -u"))
	})
	t.Run("full disk", func(t *testing.T) {
		fill := "sudo -n sh -c 'dd if=/dev/zero of=/root/cpaas-install/x bs=1M count=64' 2>&1; echo $?"
		require.NoError(t, n.Break(t.Context(), lab.DiskFull))
		require.Contains(t, remote(t, login(t, l, n, keyAuth(t, l)), fill), "No space left on device")
		require.NoError(t, n.Mend(t.Context(), lab.DiskFull))
		require.NotContains(t, remote(t, login(t, l, n, keyAuth(t, l)), fill), "No space left on device")
	})
	t.Run("powered off", func(t *testing.T) {
		_, err := n.Exec(t.Context(), "sh", "-c", "echo survives >/root/disk")
		require.NoError(t, err)
		require.NoError(t, n.Break(t.Context(), lab.PoweredOff))
		_, err = n.Exec(t.Context(), "true")
		require.ErrorIs(t, err, lab.ErrOff)
		_, err = net.DialTimeout("tcp", net.JoinHostPort(n.Address, "22"), time.Second)
		require.Error(t, err)
		require.NoError(t, n.Mend(t.Context(), lab.PoweredOff))
		require.Equal(t, "survives\n", remote(t, login(t, l, n, keyAuth(t, l)), "sudo -n cat /root/disk"))
	})
	t.Run("unknown fault", func(t *testing.T) {
		require.ErrorContains(t, n.Break(t.Context(), "fire"), "there are [disk hostkey off reload sudo]")
	})
}

func dial(l *lab.Lab, n *lab.Node, user string, auth ssh.AuthMethod) (*ssh.Client, error) {
	pinned, _, _, _, err := ssh.ParseAuthorizedKey([]byte(n.HostKey))
	if err != nil {
		return nil, err
	}
	return ssh.Dial("tcp", net.JoinHostPort(n.Address, "22"), &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{auth}, HostKeyCallback: ssh.FixedHostKey(pinned), Timeout: 10 * time.Second,
	})
}

func login(t *testing.T, l *lab.Lab, n *lab.Node, auth ssh.AuthMethod) *ssh.Client {
	t.Helper()
	client, err := dial(l, n, l.Describe().SSH.User, auth)
	require.NoError(t, err)
	return client
}

// remote runs a command and closes the connection.
func remote(t *testing.T, client *ssh.Client, command string) string {
	t.Helper()
	defer func() { _ = client.Close() }()
	session, err := client.NewSession()
	require.NoError(t, err)
	out, err := session.Output(command)
	require.NoError(t, err)
	return string(out)
}

func keyAuth(t *testing.T, l *lab.Lab) ssh.AuthMethod {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(l.Dir(), lab.FileKey))
	require.NoError(t, err)
	signer, err := ssh.ParsePrivateKey(data)
	require.NoError(t, err)
	return ssh.PublicKeys(signer)
}

func passwordAuth(t *testing.T, l *lab.Lab) ssh.AuthMethod {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(l.Dir(), lab.FilePassword))
	require.NoError(t, err)
	return ssh.Password(strings.TrimSpace(string(data)))
}

// hostAddress is this machine's address on the lab's bridge.
func hostAddress(l *lab.Lab) string {
	return netip.MustParsePrefix(l.Describe().Subnet).Addr().Next().String()
}
