// Package etcd tests the consistency proof against real etcds.
package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/test/lab/binaries"
	"github.com/acpflow/acpflow/test/lab/installer/pki"
)

// server is one etcd with TLS on loopback, as kubeadm runs it.
type server struct {
	address string
	ca      pki.Pair
	client  pki.Pair
	admin   *clientv3.Client // to write with
	log     string
}

// start runs an etcd that ends with the test.
func start(t *testing.T, name string) *server {
	t.Helper()
	bin, err := binaries.Directory(t.Context(), binaries.Options{Log: os.Stderr})
	require.NoError(t, err)
	dir := t.TempDir()
	s := &server{log: filepath.Join(dir, "log")}
	s.ca, err = pki.NewCA("etcd-ca")
	require.NoError(t, err)
	serving, err := s.ca.Issue(pki.Request{CommonName: name, Hosts: []string{"127.0.0.1"}, Server: true, Client: true})
	require.NoError(t, err)
	s.client, err = s.ca.Issue(pki.Request{CommonName: "kube-apiserver-etcd-client", Client: true})
	require.NoError(t, err)
	for file, data := range map[string][]byte{"ca.crt": s.ca.Cert, "server.crt": serving.Cert, "server.key": serving.Key} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), data, 0o600))
	}
	addresses := freeAddresses(t, 2)
	s.address = addresses[0]
	client, peer := "https://"+s.address, "http://"+addresses[1]
	log, err := os.Create(s.log)
	require.NoError(t, err)
	cmd := exec.Command(filepath.Join(bin, "etcd"), "--name="+name, "--data-dir="+filepath.Join(dir, "data"), "--log-level=error",
		"--listen-client-urls="+client, "--advertise-client-urls="+client, "--listen-peer-urls="+peer,
		"--initial-advertise-peer-urls="+peer, "--initial-cluster="+name+"="+peer, "--unsafe-no-fsync",
		"--client-cert-auth", "--trusted-ca-file="+filepath.Join(dir, "ca.crt"),
		"--cert-file="+filepath.Join(dir, "server.crt"), "--key-file="+filepath.Join(dir, "server.key"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
	})
	s.admin = s.dial(t)
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := s.admin.Get(ctx, "/")
		return err == nil
	}, 2*time.Minute, 50*time.Millisecond, "etcd does not come up")
	return s
}

func (s *server) dial(t *testing.T) *clientv3.Client {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(s.ca.Cert))
	pair, err := tls.X509KeyPair(s.client.Cert, s.client.Key)
	require.NoError(t, err)
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{"https://" + s.address}, Logger: zap.NewNop(),
		TLS: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *server) options() etcd.Options {
	return etcd.Options{Address: s.address, CA: s.ca.Cert, Certificate: s.client.Cert, Key: secret.NewValue(s.client.Key)}
}

func (s *server) open(t *testing.T) *etcd.Client {
	t.Helper()
	c, err := etcd.Open(t.Context(), s.options())
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// put writes keys, several in one transaction.
func (s *server) put(t *testing.T, pairs map[string]string) {
	t.Helper()
	var ops []clientv3.Op
	send := func() {
		_, err := s.admin.Txn(t.Context()).Then(ops...).Commit()
		require.NoError(t, err)
		ops = nil
	}
	for key, value := range pairs {
		if ops = append(ops, clientv3.OpPut(key, value)); len(ops) == 100 {
			send()
		}
	}
	if len(ops) > 0 {
		send()
	}
}

func (s *server) remove(t *testing.T, key string) {
	t.Helper()
	out, err := s.admin.Delete(t.Context(), key)
	require.NoError(t, err)
	require.EqualValues(t, 1, out.Deleted, key)
}

func freeAddresses(t *testing.T, n int) (out []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close() // all are held until all are known
		out = append(out, l.Addr().String())
	}
	return out
}

// pair starts both sides with the same content.
func pair(t *testing.T, content map[string]string) (primary, standby *server) {
	t.Helper()
	primary, standby = start(t, "primary"), start(t, "standby")
	primary.put(t, content)
	standby.put(t, content)
	return primary, standby
}

// prove compares with a short patience.
func prove(t *testing.T, primary, standby *server, r etcd.Request) etcd.Proof {
	t.Helper()
	if r.Patience == 0 {
		r.Patience = time.Second
	}
	p, err := etcd.Prove(t.Context(), primary.open(t), standby.open(t), r)
	require.NoError(t, err)
	return p
}
