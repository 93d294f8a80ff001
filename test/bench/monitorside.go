package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/acpflow/acpflow/test/lab/binaries"
	"github.com/acpflow/acpflow/test/lab/installer/pki"
	"github.com/acpflow/acpflow/test/lab/kubeapi"
	"github.com/acpflow/acpflow/test/lab/platform"
	"github.com/acpflow/acpflow/test/lab/synchronizer"
)

// side is the one control plane that every simulated cluster of a name has: a
// real etcd and a real kube-apiserver on an address of the network.
type side struct {
	name, ip  string
	dir       string // its /etc/kubernetes
	admin     *kubeapi.Client
	etcd      *clientv3.Client
	processes []*exec.Cmd
}

const encryptionFile = `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - aescbc:
      keys:
      - name: key1
        secret: bm90LWEtcmVhbC1rZXktMTIzNDU2Nzg5MDEyMzQ1Njc=
  - identity: {}
`

// startSide runs a control plane with the authorities that both sides share but
// for nothing that must differ.
func startSide(ctx context.Context, name, ip, tmp string) (*side, error) {
	s := &side{name: name, ip: ip, dir: filepath.Join(tmp, name)}
	authorities, err := pki.NewAuthorities()
	if err != nil {
		return nil, err
	}
	if err := s.writeFiles(authorities); err != nil {
		return nil, err
	}
	bin, err := binaries.Directory(ctx, binaries.Options{Log: os.Stdout})
	if err != nil {
		return nil, err
	}
	file := func(path string) string { return filepath.Join(s.dir, "pki", path) }
	if err := s.run(bin, "etcd", "--data-dir="+filepath.Join(tmp, name+"-etcd"), "--log-level=error", "--unsafe-no-fsync",
		"--listen-client-urls=https://"+ip+":2379", "--advertise-client-urls=https://"+ip+":2379",
		"--listen-peer-urls=http://"+ip+":2380", "--initial-advertise-peer-urls=http://"+ip+":2380", "--initial-cluster=default=http://"+ip+":2380",
		"--cert-file="+file("etcd/server.crt"), "--key-file="+file("etcd/server.key"), "--client-cert-auth", "--trusted-ca-file="+file("etcd/ca.crt")); err != nil {
		return s, err
	}
	if err := s.run(bin, "kube-apiserver", "--bind-address="+ip, "--advertise-address="+ip, "--secure-port=6443",
		"--etcd-servers=https://"+ip+":2379", "--etcd-cafile="+file("etcd/ca.crt"), "--etcd-certfile="+file("apiserver-etcd-client.crt"), "--etcd-keyfile="+file("apiserver-etcd-client.key"),
		"--encryption-provider-config="+filepath.Join(s.dir, "encryption-provider.conf"),
		"--tls-cert-file="+file("apiserver.crt"), "--tls-private-key-file="+file("apiserver.key"), "--client-ca-file="+file("ca.crt"),
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+file("sa.pub"), "--service-account-signing-key-file="+file("sa.key"),
		"--service-cluster-ip-range=10.4.0.0/16", "--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount", "--profiling=false",
		"--etcd-compaction-interval=5m"); err != nil {
		return s, err
	}
	return s, s.ready(ctx)
}

// writeFiles fills the node's /etc/kubernetes as kubeadm would.
func (s *side) writeFiles(a pki.Authorities) error {
	pairs, err := a.ControlPlane(pki.NodeNames{NodeName: s.ip, Hostname: s.name + "-1", Addresses: []string{s.ip}, ClusterAddress: s.ip, ServiceIPs: []string{"10.4.0.1"}})
	if err != nil {
		return err
	}
	var errs []error
	write := func(path string, data []byte) {
		path = filepath.Join(s.dir, path)
		errs = append(errs, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o600))
	}
	for path, pair := range pairs {
		write("pki/"+path+".crt", pair.Cert)
		write("pki/"+path+".key", pair.Key)
	}
	write("pki/sa.key", a.TokenKey)
	write("pki/sa.pub", a.TokenPub)
	write("encryption-provider.conf", []byte(encryptionFile))
	admin, err := a.Kubernetes.Issue(pki.Request{CommonName: "admin", Organization: "system:masters", Client: true})
	if err != nil {
		return err
	}
	conf := kubeapi.Kubeconfig{Cluster: "global", User: "admin", Server: "https://" + s.ip + ":6443", CA: a.Kubernetes.Cert, ClientCert: admin.Cert, Key: admin.Key}
	text, err := conf.Marshal()
	if err != nil {
		return err
	}
	write("admin.conf", text)
	if s.admin, err = conf.New("bench"); err != nil {
		return err
	}
	return errors.Join(errs...)
}

// lazyGC has what is only simulated collect its garbage less often: memory is
// plenty, CPU is what is measured beside it.
const lazyGC = 400

// run starts a program that ends with this process.
func (s *side) run(bin, name string, args ...string) error {
	log, err := os.Create(filepath.Join(s.dir, name+".log"))
	if err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(bin, name), args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "GOGC="+strconv.Itoa(lazyGC))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.processes = append(s.processes, cmd)
	return nil
}

func (s *side) ready(ctx context.Context) error {
	var err error
	for range 600 {
		if err = s.admin.Healthy(ctx, "/readyz"); err == nil {
			break
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("the API server of %s does not come up, see %s: %w", s.name, s.dir, err)
	}
	tlsConfig, err := clientTLS(filepath.Join(s.dir, "pki"))
	if err != nil {
		return err
	}
	s.etcd, err = clientv3.New(clientv3.Config{Endpoints: []string{"https://" + s.ip + ":2379"}, TLS: tlsConfig, DialTimeout: 10 * time.Second})
	return err
}

// apply makes objects, the platform's custom ones too.
func (s *side) apply(ctx context.Context, objects []kubeapi.Object) error {
	for _, o := range objects {
		var err error
		for range 50 { // a definition takes a moment
			if err = s.admin.Apply(ctx, o); err == nil {
				break
			}
			if pauseErr := pause(ctx, 100*time.Millisecond); pauseErr != nil {
				return pauseErr
			}
		}
		if err != nil {
			return fmt.Errorf("%s on %s: %w", platform.Describe(o), s.name, err)
		}
	}
	return nil
}

// platformObjects are an installed platform's.
func (s *side) platformObjects() []kubeapi.Object {
	values := platform.Values{ClusterAddress: s.ip, PlatformAddress: monitorDomain, OtherAddresses: []string{s.ip}, KubernetesVersion: "v1.32.6", Network: "ovn",
		ServiceIPs: []string{"10.4.0.1"}, Architectures: []string{"amd64"}, Products: []string{"base", "acp"}, Registry: monitorDomain + ":11443", RegistryUser: "puller", RegistryPassword: "x",
		Machines: []platform.Machine{{Name: s.ip, IP: s.ip, Port: 22, Username: "root", Master: true}}}
	out := platform.Definitions()
	out = append(out, platform.Core(values)...)
	out = append(out, platform.Synchronizer("v4.1.0")...)
	return append(out, platform.Finished(values)...)
}

// synchronizerObjects are those of the plugin that runs, as its operator and a
// kubelet would have made them.
func synchronizerObjects() []kubeapi.Object {
	labels := map[string]string{"app": "etcd-sync"}
	template := kubeapi.Object{"metadata": kubeapi.Object{"labels": labels}, "spec": kubeapi.Object{"containers": []kubeapi.Object{{"name": "etcd-sync", "image": "etcd-sync:v4.1.0"}}}}
	meta := func(name string, labels map[string]string) kubeapi.Object {
		return kubeapi.Object{"name": name, "namespace": platform.Namespace, "labels": labels}
	}
	ready := []kubeapi.Object{{"type": "Ready", "status": "True"}}
	return []kubeapi.Object{
		{"apiVersion": "cluster.alauda.io/v1alpha1", "kind": "ModuleInfo",
			"metadata": kubeapi.Object{"name": "global-e7cd", "labels": map[string]string{"cpaas.io/cluster-name": "global", "cpaas.io/module-name": "etcd-sync", "cpaas.io/module-type": "plugin"}},
			"spec":     kubeapi.Object{"version": "v4.1.0"}, "status": kubeapi.Object{"phase": "Running", "version": "v4.1.0"}},
		{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("etcd-sync", labels),
			"spec": kubeapi.Object{"replicas": 1, "selector": kubeapi.Object{"matchLabels": labels}, "template": template}},
		{"apiVersion": "v1", "kind": "Pod", "metadata": meta("etcd-sync-1", labels), "spec": template["spec"],
			"status": kubeapi.Object{"phase": "Running", "conditions": ready}},
		{"apiVersion": "v1", "kind": "Service", "metadata": meta("etcd-sync-monitor", nil),
			"spec": kubeapi.Object{"selector": labels, "ports": []kubeapi.Object{{"name": "http", "port": 80, "protocol": "TCP"}}}},
	}
}

// mirror copies what the synchronizer would, once: nothing changes afterwards
// but what the checks themselves write.
func mirror(ctx context.Context, from, to *clientv3.Client) (int, error) {
	all, err := from.Get(ctx, "/registry/", clientv3.WithPrefix())
	if err != nil {
		return 0, err
	}
	have, err := to.Get(ctx, "/registry/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return 0, err
	}
	gone := map[string]bool{}
	for _, kv := range have.Kvs {
		gone[string(kv.Key)] = synchronizer.Mirrored(string(kv.Key))
	}
	n := 0
	for _, kv := range all.Kvs {
		key := string(kv.Key)
		gone[key] = false
		if !synchronizer.Mirrored(key) {
			continue
		}
		if _, err := to.Put(ctx, key, string(kv.Value)); err != nil {
			return n, err
		}
		n++
	}
	for key, surplus := range gone {
		if surplus {
			if _, err := to.Delete(ctx, key); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func (s *side) close() {
	if s.etcd != nil {
		_ = s.etcd.Close() // nothing is under way
	}
	for i := len(s.processes) - 1; i >= 0; i-- {
		_ = s.processes[i].Process.Kill() // may have ended
		_ = s.processes[i].Wait()
	}
}
