package site

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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var certificateNow = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// authority issues the certificates of the cases.
var authority = func() (a struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}) {
	a.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Example CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: certificateNow.AddDate(-1, 0, 0), NotAfter: certificateNow.AddDate(5, 0, 0), KeyUsage: x509.KeyUsageCertSign}
	a.key = newKey()
	a.pem = sign(a.cert, a.key.Public(), a.cert, a.key)
	return a
}()

// issued is the material of a good certificate, or of one that change spoilt.
func issued(change func(leaf *x509.Certificate, m *Material)) func(bad bool) Material {
	return func(bad bool) Material {
		leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "acp.example.com"}, DNSNames: []string{"acp.example.com"},
			NotBefore: certificateNow.Add(-time.Hour), NotAfter: certificateNow.AddDate(0, 0, 31), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
		key := newKey()
		m := Material{Now: certificateNow, PrivateKey: keyPEM(key)}
		if bad {
			change(leaf, &m)
		}
		m.Certificate = append(append(sign(leaf, key.Public(), authority.cert, authority.key), m.Certificate...), authority.pem...)
		return m
	}
}

func expiring(after time.Duration) func(bool) Material {
	return issued(func(leaf *x509.Certificate, _ *Material) { leaf.NotAfter = certificateNow.Add(after) })
}

var certificateCases = []ruleCase{
	{rule: "PAR-11", name: "expired", severity: SeverityError, path: certificateAt, says: "expired on 2026-02-28", material: expiring(-24 * time.Hour)},
	{rule: "PAR-11", name: "expires today", severity: SeverityError, path: certificateAt, says: "within a day", material: expiring(23 * time.Hour)},
	{rule: "PAR-11", name: "expires soon", severity: SeverityWarning, path: certificateAt, says: "expires soon", material: expiring(29 * 24 * time.Hour)},
	{rule: "PAR-11", name: "not valid yet", severity: SeverityError, path: certificateAt, says: "valid from",
		material: issued(func(leaf *x509.Certificate, _ *Material) { leaf.NotBefore = certificateNow.Add(time.Hour) })},
	{rule: "PAR-11", name: "another name", severity: SeverityError, path: certificateAt, says: "it names www.example.com",
		material: issued(func(leaf *x509.Certificate, _ *Material) { leaf.DNSNames = []string{"www.example.com"} })},
	{rule: "PAR-11", name: "name only in the subject", severity: SeverityError, path: certificateAt, says: "no subject alternative name",
		material: issued(func(leaf *x509.Certificate, _ *Material) { leaf.DNSNames = nil })},
	{rule: "PAR-11", name: "wild card one level too high", severity: SeverityError, path: certificateAt, says: "*.com",
		material: issued(func(leaf *x509.Certificate, _ *Material) { leaf.DNSNames = []string{"*.com"} })},
	{rule: "PAR-11", name: "for clients only", severity: SeverityError, path: certificateAt, says: "server authentication",
		material: issued(func(leaf *x509.Certificate, _ *Material) {
			leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		})},
	{rule: "PAR-11", name: "another key", severity: SeverityError, path: keyAt, says: "does not match",
		material: issued(func(_ *x509.Certificate, m *Material) { m.PrivateKey = keyPEM(newKey()) })},
	{rule: "PAR-11", name: "no key", severity: SeverityError, path: keyAt, says: "PEM",
		material: issued(func(_ *x509.Certificate, m *Material) { m.PrivateKey = []byte("secret") })},
	{rule: "PAR-11", name: "foreign certificate in the chain", severity: SeverityWarning, path: certificateAt, says: "not signed by",
		material: issued(func(_ *x509.Certificate, m *Material) {
			key := newKey()
			foreign := &x509.Certificate{SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "Other CA"}, IsCA: true, BasicConstraintsValid: true,
				NotBefore: certificateNow, NotAfter: certificateNow.AddDate(1, 0, 0)}
			m.Certificate = sign(foreign, key.Public(), foreign, key)
		})},
	{rule: "PAR-11", name: "other address not covered", severity: SeverityWarning, path: certificateAt, says: "acp.internal",
		bad: func(s *Site) { s.Platform.OtherAddresses = []string{"acp.internal", "203.0.113.4"} }, good: func(s *Site) { s.Platform.OtherAddresses = []string{"203.0.113.4"} },
		material: issued(func(*x509.Certificate, *Material) {})},
}

func TestCertificateOfAnAddress(t *testing.T) {
	s := parsedExample(t, false)
	s.Platform.Address = "192.0.2.10"
	m := issued(func(leaf *x509.Certificate, _ *Material) { leaf.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 10)} })(true)
	assert.Empty(t, Validate(s, m).Issues)
	m = issued(func(leaf *x509.Certificate, _ *Material) { leaf.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 11)} })(true)
	assert.ErrorContains(t, Validate(s, m).Err(), "192.0.2.11")
}

func TestNoCertificateInTheFile(t *testing.T) {
	m := issued(func(*x509.Certificate, *Material) {})(false)
	m.Certificate = []byte("-----BEGIN NONSENSE-----")
	issues := Validate(parsedExample(t, false), m).Issues
	require.Len(t, issues, 1)
	assert.Equal(t, certificateAt, issues[0].Path)
}

// TestKeysStaySecret: no message may hold what the key file holds.
func TestKeysStaySecret(t *testing.T) {
	m := issued(func(_ *x509.Certificate, m *Material) {
		m.PrivateKey = []byte("-----BEGIN PRIVATE KEY-----\nSECRETSECRET\n-----END PRIVATE KEY-----\n")
	})(true)
	p := Validate(parsedExample(t, false), m)
	require.Error(t, p.Err())
	assert.NotContains(t, p.Error(), "SECRETSECRET")
}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func sign(c *x509.Certificate, key any, parent *x509.Certificate, by *ecdsa.PrivateKey) []byte {
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key, by)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(key *ecdsa.PrivateKey) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
