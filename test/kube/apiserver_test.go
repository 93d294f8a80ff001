// Package kube tests acpflow's Kubernetes client against a real API server.
package kube

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/test/lab/binaries"
	"github.com/acpflow/acpflow/test/lab/installer/pki"
	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

// serverName is what the kubeconfig says and the certificate names; nothing
// resolves it, so only a dialer can get there.
const serverName = "acp-west.example.com"

// apiserver is etcd and kube-apiserver on loopback.
type apiserver struct {
	address string // host:port it listens on
	ca      pki.Pair
	admin   *kubeapi.Client
	stop    func()
	start   func(flags ...string) (stop func()) // once more, on the same etcd
}

// startAPIServer runs the control plane of the lab without nodes.
func startAPIServer(t *testing.T) *apiserver {
	t.Helper()
	bin, err := binaries.Directory(t.Context(), binaries.Options{Log: os.Stderr})
	require.NoError(t, err)
	dir := t.TempDir()
	ports := freePorts(t, 3)
	etcdURL, peerURL := "http://127.0.0.1:"+ports[0], "http://127.0.0.1:"+ports[1]
	run(t, dir, "etcd", filepath.Join(bin, "etcd"), "--data-dir="+filepath.Join(dir, "etcd"), "--log-level=warn",
		"--listen-client-urls="+etcdURL, "--advertise-client-urls="+etcdURL, "--listen-peer-urls="+peerURL,
		"--initial-advertise-peer-urls="+peerURL, "--initial-cluster=default="+peerURL, "--unsafe-no-fsync")

	a := &apiserver{address: "127.0.0.1:" + ports[2]}
	a.ca, err = pki.NewCA("kubernetes")
	require.NoError(t, err)
	serving, err := a.ca.Issue(pki.Request{CommonName: "kube-apiserver", Hosts: []string{serverName, "127.0.0.1"}, Server: true})
	require.NoError(t, err)
	private, public, err := pki.NewSigningKey()
	require.NoError(t, err)
	for name, data := range map[string][]byte{
		"ca.crt": a.ca.Cert, "apiserver.crt": serving.Cert, "apiserver.key": serving.Key, "sa.key": private, "sa.pub": public,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	args := []string{"--etcd-servers=" + etcdURL,
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port=" + ports[2],
		"--tls-cert-file=" + file("apiserver.crt"), "--tls-private-key-file=" + file("apiserver.key"), "--client-ca-file=" + file("ca.crt"),
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + file("sa.pub"),
		"--service-account-signing-key-file=" + file("sa.key"), "--service-cluster-ip-range=10.4.0.0/16",
		"--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount", "--anonymous-auth=false"}
	a.start = func(flags ...string) func() {
		return run(t, dir, "kube-apiserver", filepath.Join(bin, "kube-apiserver"), slices.Concat(args, flags)...)
	}
	a.stop = a.start()

	conf := a.kubeconfig(t, "admin", "system:masters")
	conf.Server = "https://" + a.address
	a.admin, err = conf.New("test")
	require.NoError(t, err)
	eventually(t, 5*time.Minute, func(ctx context.Context) error { return a.admin.Healthy(ctx, "/readyz") })
	return a
}

// kubeconfig is one as kubeadm writes it, for a user of a group.
func (a *apiserver) kubeconfig(t *testing.T, user, group string) kubeapi.Kubeconfig {
	t.Helper()
	pair, err := a.ca.Issue(pki.Request{CommonName: user, Organization: group, Client: true})
	require.NoError(t, err)
	return kubeapi.Kubeconfig{
		Cluster: "global", User: user, Server: "https://" + serverName + ":6443", CA: a.ca.Cert, ClientCert: pair.Cert, Key: pair.Key,
	}
}

// run starts a program that dies with the test.
func run(t *testing.T, dir, name, program string, args ...string) (stop func()) {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, name+".log"))
	require.NoError(t, err)
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			data, _ := os.ReadFile(log.Name())
			t.Logf("last lines of %s:\n%s", name, tail(data))
		}
	})
	return stop
}

func tail(data []byte) string {
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-15):], []byte("\n")))
}

func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close() // all are held until all are known
		out = append(out, fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
	}
	return out
}

func eventually(t *testing.T, limit time.Duration, check func(context.Context) error) {
	t.Helper()
	var err error
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = check(t.Context()); err == nil {
			return
		}
	}
	require.NoError(t, err, strings.TrimSpace("not within "+limit.String()))
}
