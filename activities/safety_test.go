package activities

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/safecopy"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
	"github.com/acpflow/acpflow/site"
)

// TestACopyGoesToTheFirstNodeWhereItWorks and to no second one when it is there.
func TestACopyGoesToTheFirstNodeWhereItWorks(t *testing.T) {
	server := sshtest.Start(t)
	_, text, err := net.SplitHostPort(server.Addr)
	require.NoError(t, err)
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	t.Setenv("SSH_KEY", string(server.Key))
	node := func(name, address string) site.Node {
		return site.Node{Name: name, Address: address, HostKey: server.HostKeys[0], Role: site.ControlPlane}
	}
	scope := Scope{Cluster: "east", Site: site.Site{Clusters: []site.Cluster{{Name: "east", SSH: site.SSH{User: "root", Port: port, PrivateKey: "env:SSH_KEY"},
		Nodes: []site.Node{node("dead", "127.0.0.9"), node("no-etcd", "127.0.0.1"), node("good", "127.0.0.1"), node("not-asked", "127.0.0.1")}}}}}
	pool := ssh.NewPool()
	t.Cleanup(pool.Close)
	a := &Safety{Hosts: &Hosts{Pool: pool}}
	path := safecopy.Path{Root: t.TempDir(), Run: "run", Name: "x.txt"}
	var asked []string
	keep := func(fails ...string) (Node, safecopy.Kept, error) {
		asked = nil
		return a.keep(t.Context(), scope, path, func(ctx context.Context, conn *ssh.Client, n Node) (safecopy.Kept, error) {
			asked = append(asked, n.Name)
			for _, f := range fails {
				if f == n.Name {
					return safecopy.Kept{}, fault.New(fault.Unreachable, "open", n.Name, "", nil)
				}
			}
			var b bytes.Buffer
			text := safecopy.NewText(&b)
			_, _ = text.Write([]byte("content\n")) // never fails
			_ = text.Seal()
			return safecopy.Keep(ctx, conn, path, safecopy.Content{From: &b, Seal: safecopy.TextSeal})
		})
	}
	_, _, err = keep("no-etcd", "good", "not-asked")
	require.Equal(t, fault.Unreachable, fault.ClassOf(err))
	require.ErrorContains(t, err, "127.0.0.9")
	require.ErrorContains(t, err, "good: open")
	assert.Equal(t, []string{"no-etcd", "good", "not-asked"}, asked)

	n, kept, err := keep("no-etcd")
	require.NoError(t, err)
	assert.Equal(t, "good", n.Name)
	assert.Equal(t, []string{"no-etcd", "good"}, asked)
	assert.False(t, kept.Before)
	_, again, err := keep("no-etcd")
	require.NoError(t, err)
	assert.Empty(t, asked, "nothing is opened when it is there")
	assert.True(t, again.Before)
	assert.Equal(t, kept.SHA256, again.SHA256)
}

func TestKeysStayOnTheirLine(t *testing.T) {
	assert.Equal(t, "/registry/secrets/team/a", plainKey("/registry/secrets/team/a"))
	assert.Equal(t, `"/registry/x\ty\n"`, plainKey("/registry/x\ty\n"))
}
