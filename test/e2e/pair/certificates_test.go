package pair

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/test/harness/pairs"
)

// otherCertificate is a self-signed certificate for a name, with its key, as PEM.
func otherCertificate(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	return issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, nil, nil)
}

// issue signs a certificate with an authority, or with its own key when there is none.
func issue(t *testing.T, template, authority *x509.Certificate, signer crypto.Signer) (cert, key []byte) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	if authority == nil {
		authority, signer = template, own
	}
	der, err := x509.CreateCertificate(rand.Reader, template, authority, own.Public(), signer)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(own)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

// expiredClient is a client certificate of west's etcd that ended an hour ago.
func (r *rig) expiredClient(t *testing.T) (cert, key []byte) {
	t.Helper()
	decode := func(file string) []byte {
		block, _ := pem.Decode([]byte(r.Script(t, "west-1", "cat /etc/kubernetes/pki/etcd/"+file)))
		require.NotNil(t, block, file)
		return block.Bytes
	}
	authority, err := x509.ParseCertificate(decode("ca.crt"))
	require.NoError(t, err)
	signer, err := x509.ParsePKCS8PrivateKey(decode("ca.key"))
	if err != nil {
		signer, err = x509.ParseECPrivateKey(decode("ca.key"))
	}
	require.NoError(t, err)
	return issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "kube-apiserver-etcd-client"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, authority, signer.(crypto.Signer))
}

// With an expired client certificate etcd tells nothing, so nothing is said to
// be equal; the cause is named.
func TestAnExpiredClientCertificateIsNamed(t *testing.T) {
	r := built(t)
	cert, key := r.expiredClient(t)
	const file = "/etc/kubernetes/pki/apiserver-etcd-client"
	r.Script(t, "west-1", "cp -p "+file+".crt /root/client.crt; cp -p "+file+".key /root/client.key")
	mend := func() {
		r.Script(t, "west-1", "cp -p /root/client.crt "+file+".crt; cp -p /root/client.key "+file+".key")
	}
	t.Cleanup(mend)
	node := r.Node(t, "west-1")
	require.NoError(t, node.WriteFile(t.Context(), file+".crt", cert, "0644"))
	require.NoError(t, node.WriteFile(t.Context(), file+".key", key, "0600"))
	v := r.Check(t, 1, "--full")
	proof := pairs.Found(v, pair.Equal)
	assert.Equal(t, checks.Error, proof.Outcome, "%+v", proof)
	assert.Contains(t, proof.Reason+proof.Seen, "expired")
	ends := pairs.Found(v, "CARD-07")
	assert.Equal(t, checks.Fail, ends.Outcome, "%+v", ends)
	assert.Contains(t, ends.Seen, "apiserver-etcd-client")
	mend()
	r.Clean(t)
}
