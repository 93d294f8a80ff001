package pair

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/test/lab/labtest"
)

// removePlugin deletes the ModuleInfo and waits until nothing of the plugin
// is left but what others made.
func (r *rig) removePlugin() {
	infos := r.East.Dynamic.Resource(modules)
	list, err := infos.List(r.Context(), metav1.ListOptions{LabelSelector: "cpaas.io/module-name=etcd-sync"})
	require.NoError(r, err)
	require.Len(r, list.Items, 1)
	ip, err := r.East.API.CoreV1().Services(platformNamespace).Get(r.Context(), "etcd-sync-monitor", metav1.GetOptions{})
	require.NoError(r, err)
	require.NoError(r, infos.Delete(r.Context(), list.Items[0].GetName(), metav1.DeleteOptions{}))
	labtest.Await(r, patience, "the plugin goes", func() error {
		if left := r.leftovers(); len(left) > 0 {
			return fmt.Errorf("left: %s", strings.Join(left, ", "))
		}
		out, err := r.East.First.Exec(r.Context(), "ip", "address", "show", "dev", "lo")
		if err == nil && strings.Contains(out, ip.Spec.ClusterIP) {
			err = fmt.Errorf("the node still has %s", ip.Spec.ClusterIP)
		}
		return err
	})
}

// leftovers are the plugin's objects in the platform's namespace.
func (r *rig) leftovers() []string {
	var out []string
	if p := r.pods(); len(p) > 0 {
		out = append(out, "Pods")
	}
	get := metav1.GetOptions{}
	for name, read := range map[string]func() error{
		"Deployment": func() error {
			_, err := r.East.API.AppsV1().Deployments(platformNamespace).Get(r.Context(), "etcd-sync", get)
			return err
		},
		"Service": func() error {
			_, err := r.East.API.CoreV1().Services(platformNamespace).Get(r.Context(), "etcd-sync-monitor", get)
			return err
		},
		"Lease": func() error {
			_, err := r.East.API.CoordinationV1().Leases(platformNamespace).Get(r.Context(), "etcd-sync-mirror", get)
			return err
		},
		"Job": func() error {
			_, err := r.East.API.BatchV1().Jobs(platformNamespace).Get(r.Context(), "etcd-sync-bootstrap", get)
			return err
		},
		"Secret": func() error {
			_, err := r.East.API.CoreV1().Secrets(platformNamespace).Get(r.Context(), "remote-etcd-client", get)
			return err
		},
		"authority": func() error {
			_, err := r.East.API.CoreV1().Secrets(platformNamespace).Get(r.Context(), "remote-etcd-ca", get)
			return err
		},
	} {
		if err := read(); !apierrors.IsNotFound(err) {
			out = append(out, fmt.Sprintf("%s (%v)", name, err))
		}
	}
	return out
}

// leaseWay: the holder of the Lease mirrors, and another one takes over.
func (r *rig) leaseWay() {
	require.NoError(r, r.Lab.PublishSync(r.Context(), "east", "v4.3.0"))
	r.installPlugin("v4.3.0", nil)
	first := r.awaitLog("Acquired leader lease")
	r.awaitLog("Start Sync update")
	r.awaitCheck(clean)
	require.Len(r, r.pods(), 2)
	require.Equal(r, first, r.holder())
	for _, p := range r.pods() {
		if p.Name == first {
			continue
		}
		log, err := r.logs(p.Name)
		require.NoError(r, err)
		require.NotContains(r, log, "Acquired leader lease", "every Pod has a log of its own")
	}
	require.NoError(r, r.East.API.CoreV1().Pods(platformNamespace).Delete(r.Context(), first, metav1.DeleteOptions{}))
	labtest.Await(r, patience, "another Pod leads", func() error {
		if now := r.holder(); now == "" || now == first {
			return fmt.Errorf("the holder is %q", now)
		}
		return nil
	})
	r.awaitCheck(clean)
	r.removePlugin()
}

// holder of the Lease.
func (r *rig) holder() string {
	lease, err := r.East.API.CoordinationV1().Leases(platformNamespace).Get(r.Context(), "etcd-sync-mirror", metav1.GetOptions{})
	require.NoError(r, err)
	require.NotNil(r, lease.Spec.HolderIdentity)
	return *lease.Spec.HolderIdentity
}

// tokenWay: the bootstrap Job fetches the credentials with the primary's token.
func (r *rig) tokenWay() {
	source, err := r.West.API.CoreV1().Secrets(platformNamespace).Get(r.Context(), "k8sadmin", metav1.GetOptions{})
	require.NoError(r, err)
	require.NotEmpty(r, source.Data["token"])
	secrets := r.East.API.CoreV1().Secrets(platformNamespace)
	_, err = secrets.Create(r.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "etcd-sync-active-cluster-token"},
		Data: map[string][]byte{"token": source.Data["token"]}}, metav1.CreateOptions{})
	require.NoError(r, err)
	require.NoError(r, r.Lab.PublishSync(r.Context(), "east", "v4.3.1"))
	west, east := r.West.Cluster.Endpoint.VIP, r.East.Cluster.Endpoint.VIP
	r.installPlugin("v4.3.1", map[string]any{
		"activeGlobalClusterVIP": west, "activeETCDEndpoints": "https://" + west + ":2379", "standbyETCDEndpoints": "https://" + east + ":2379",
		"activeClusterTokenSecret": "etcd-sync-active-cluster-token"})
	labtest.Await(r, patience, "the bootstrap Job is complete", func() error {
		job, err := r.East.API.BatchV1().Jobs(platformNamespace).Get(r.Context(), "etcd-sync-bootstrap", metav1.GetOptions{})
		if err == nil && job.Status.Succeeded != 1 {
			err = fmt.Errorf("%+v", job.Status)
		}
		return err
	})
	for _, name := range []string{"remote-etcd-ca", "remote-etcd-client"} {
		_, err := secrets.Get(r.Context(), name, metav1.GetOptions{})
		require.NoError(r, err)
	}
	r.awaitLog("Start Sync update")
	r.awaitCheck(clean)
	r.expiredCertificate()
	r.removePlugin()
	_, err = secrets.Get(r.Context(), "etcd-sync-active-cluster-token", metav1.GetOptions{})
	require.NoError(r, err, "what people made stays")
}

// expiredCertificate: the primary's etcd refuses it, and a new one mends that.
func (r *rig) expiredCertificate() {
	secrets := r.East.API.CoreV1().Secrets(platformNamespace)
	secret, err := secrets.Get(r.Context(), "remote-etcd-client", metav1.GetOptions{})
	require.NoError(r, err)
	ca, err := secrets.Get(r.Context(), "remote-etcd-ca", metav1.GetOptions{})
	require.NoError(r, err)
	signer, err := tls.X509KeyPair(ca.Data["tls.crt"], ca.Data["tls.key"])
	require.NoError(r, err)
	own, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"])
	require.NoError(r, err)
	expired := *own.Leaf
	expired.NotAfter = time.Now().Add(-time.Minute)
	der, err := x509.CreateCertificate(rand.Reader, &expired, signer.Leaf, own.Leaf.PublicKey, signer.PrivateKey)
	require.NoError(r, err)
	secret.Data["tls.crt"] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	_, err = secrets.Update(r.Context(), secret, metav1.UpdateOptions{})
	require.NoError(r, err)
	require.NoError(r, r.East.API.CoreV1().Pods(platformNamespace).Delete(r.Context(), r.holder(), metav1.DeleteOptions{}))
	r.awaitError("expired certificate")
	require.NoError(r, secrets.Delete(r.Context(), "remote-etcd-client", metav1.DeleteOptions{}))
	r.awaitCheck(clean)
}
