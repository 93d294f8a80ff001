package drivers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/balancer"
	"github.com/acpflow/acpflow/test/lab"
)

// startEtcd runs a real etcd, which demands a client certificate, on every
// control plane, each with a certificate of its own.
func (r *rig) startEtcd(t *testing.T) {
	ca, caKey := newCertificate(t, nil, nil, "etcd-ca", "")
	for _, n := range r.d.Nodes {
		if n.Role != lab.ControlPlane {
			continue
		}
		cert, key := newCertificate(t, ca, caKey, n.Name, n.Address)
		r.write(t, n.Name, "/etc/etcd/ca.crt", certPEM(ca))
		r.write(t, n.Name, "/etc/etcd/server.crt", certPEM(cert))
		r.write(t, n.Name, "/etc/etcd/server.key", keyPEM(t, key))
		url := "https://" + n.Address + ":2379"
		r.script(t, n.Name, "systemd-run --quiet --unit=etcd "+lab.BinDir+"/etcd --data-dir=/var/lib/etcd --name="+n.Name+
			" --listen-client-urls="+url+" --advertise-client-urls="+url+" --unsafe-no-fsync --log-level=error"+
			" --cert-file=/etc/etcd/server.crt --key-file=/etc/etcd/server.key --trusted-ca-file=/etc/etcd/ca.crt --client-cert-auth")
	}
	for _, n := range r.d.Nodes {
		if n.Role == lab.ControlPlane {
			eventually(t, 2*time.Minute, "etcd on "+n.Name, func() bool {
				return balancer.Look(t.Context(), (&net.Dialer{}).DialContext, n.Address+":2379", "", true).Leaf != ""
			})
		}
	}
}

func newCertificate(t *testing.T, ca *x509.Certificate, caKey *ecdsa.PrivateKey, name, address string) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := template, key
	if ca == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	} else {
		parent, signer, template.IPAddresses = ca, caKey, []net.IP{net.ParseIP(address)}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert, key
}

func certPEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func keyPEM(t *testing.T, key *ecdsa.PrivateKey) string {
	der, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}
