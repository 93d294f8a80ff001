// Package drivers holds one conformance suite per driver interface, run against
// every driver on real BIND and HAProxy: the lab's machines. It needs root on
// Debian 12.
package drivers

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/balancer"
	"github.com/acpflow/acpflow/internal/dns"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

// rig is a lab with three control planes, their balancer and the name servers.
type rig struct {
	lab   *lab.Lab
	d     lab.Description
	hosts *activities.Hosts
}

// TestDrivers keeps the names and the ports apart, so both suites share the lab
// and run at once.
func TestDrivers(t *testing.T) {
	pkg := &site.Package{Path: "/nonexistent.tar", Checksum: "sha256:" + strings.Repeat("0", 64), Architecture: "amd64"} // nothing is installed
	l := labtest.Up(t, lab.Options{Name: "t-drivers", Package: pkg, Clusters: []lab.ClusterPlan{{Name: "west", ControlPlanes: 3}}})
	pool := ssh.NewPool()
	t.Cleanup(pool.Close)
	r := &rig{lab: l, d: l.Describe(), hosts: &activities.Hosts{Pool: pool}}
	t.Run("suites", func(t *testing.T) {
		t.Run("dns", func(t *testing.T) { t.Parallel(); testDNS(t, r) })
		t.Run("balancer", func(t *testing.T) { t.Parallel(); testBalancer(t, r) })
	})
}

func (r *rig) node(t testing.TB, name string) *lab.Node {
	t.Helper()
	n, err := r.lab.Node(name)
	require.NoError(t, err)
	return n
}

func (r *rig) script(t testing.TB, node, script string) string {
	t.Helper()
	out, err := r.node(t, node).Script(t.Context(), script)
	require.NoError(t, err)
	return out
}

func (r *rig) write(t testing.TB, node, path, text string) {
	t.Helper()
	require.NoError(t, r.node(t, node).WriteFile(t.Context(), path, []byte(text), "0644"))
}

func (r *rig) read(t testing.TB, node, path string) string {
	t.Helper()
	return r.script(t, node, "cat "+path)
}

// address of the lab's /24.
func (r *rig) address(last int) string {
	return r.d.Subnet[:strings.LastIndex(r.d.Subnet[:strings.Index(r.d.Subnet, "/")], ".")+1] + fmt.Sprint(last)
}

func (r *rig) ref(file string) site.Ref { return site.Ref("file:" + filepath.Join(r.lab.Dir(), file)) }

func (r *rig) tsig(t testing.TB) secret.Value {
	t.Helper()
	v, err := secret.Resolve(string(r.ref(lab.FileTSIG)))
	require.NoError(t, err)
	return v
}

func (r *rig) tsigSecret(t testing.TB) string {
	t.Helper()
	found := regexp.MustCompile(`secret "([^"]+)"`).FindSubmatch(r.tsig(t).Reveal())
	require.NotNil(t, found)
	return string(found[1])
}

// rfc2136 is the driver under test, for the lab's own server.
func (r *rig) rfc2136(t testing.TB) dns.RFC2136 {
	return dns.RFC2136{Server: r.d.DNS.Authoritative, Zone: r.d.Zone, KeyName: r.d.DNS.TSIGName, Algorithm: r.d.DNS.TSIGAlgorithm, Secret: r.tsig(t)}
}

// nsupdate is how a person changes records: on a machine of the lab.
func (r *rig) nsupdate(ctx context.Context, key, server string, lines ...string) error {
	n, err := r.lab.Node("dns")
	if err != nil {
		return err
	}
	host, port, _ := strings.Cut(server, ":")
	input := fmt.Sprintf("server %s %s\nkey %s:%s %s\n%s\nsend\n", host, port, r.d.DNS.TSIGAlgorithm, r.d.DNS.TSIGName, key, strings.Join(lines, "\n"))
	var errs bytes.Buffer
	code, err := n.Run(ctx, lab.Command{Argv: []string{"nsupdate", "-v"}, Stdin: strings.NewReader(input), Stderr: &errs})
	if err == nil && code != 0 {
		err = fmt.Errorf("nsupdate: exit code %d: %s", code, errs.String())
	}
	return err
}

// site is a pair whose east exists on paper only.
func (r *rig) site(name string, d *site.DNS) site.Site {
	login := site.SSH{User: lab.User, Port: 22, PrivateKey: r.ref(lab.FileKey)}
	s := site.Site{
		APIVersion: site.APIVersion, Name: "drivers",
		Platform: site.Platform{Address: name + "." + r.d.Zone, HTTPSPort: 443, HTTPPort: 80},
		DR:       site.DR{Planned: true, DNS: d},
	}
	west := site.Cluster{Name: "west", Endpoint: site.Endpoint{VIP: r.d.Clusters[0].VIP}, SSH: login}
	for _, n := range r.d.Nodes {
		if n.Role == lab.ControlPlane {
			west.Nodes = append(west.Nodes, site.Node{Name: n.Name, Address: n.Address, HostKey: n.HostKey, Role: site.ControlPlane})
		}
	}
	east := site.Cluster{Name: "east", Endpoint: site.Endpoint{VIP: r.address(20)}, SSH: login, Nodes: []site.Node{
		{Name: "east-1", Address: r.address(21), Role: site.ControlPlane, HostKey: west.Nodes[0].HostKey}}}
	s.Clusters = []site.Cluster{west, east}
	if d != nil {
		d.TTL, d.Zone = 3, r.d.Zone
	}
	return s
}

// host connects to a machine as the worker does.
func (r *rig) host(t testing.TB, name string) balancer.Host {
	t.Helper()
	n := r.node(t, name)
	key, err := secret.Resolve(string(r.ref(lab.FileKey)))
	require.NoError(t, err)
	conn, err := r.hosts.Pool.Get(t.Context(), ssh.Target{Address: n.Address + ":22", User: lab.User, HostKeys: []string{n.HostKey}, PrivateKey: key})
	require.NoError(t, err)
	return conn
}

// programFile writes an executable of the worker.
func programFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o700))
	return path
}

// shell is a bash on a machine of the lab that a program of the worker uses.
func (r *rig) shell(t testing.TB, node string) string {
	return fmt.Sprintf("ssh -i %s -o UserKnownHostsFile=%s -o BatchMode=yes %s@%s sudo -n",
		r.d.SSH.KeyFile, r.d.KnownHosts, lab.User, r.node(t, node).Address)
}

func eventually(t testing.TB, limit time.Duration, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			require.FailNow(t, what)
		}
	}
}
