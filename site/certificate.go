package site

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A certificate must outlive the install, and should outlive the month after.
const (
	certificateMin  = 24 * time.Hour
	certificateSoon = 30 * 24 * time.Hour
	certificateAt   = "platform.certificate.certificate"
	keyAt           = "platform.certificate.privateKey"
)

// checkCertificate judges the material behind platform.certificate. Without
// material (`--no-material`) there is nothing to judge.
func checkCertificate(j *judge) {
	if j.site.Platform.Certificate == nil || j.material.Certificate == nil || j.material.PrivateKey == nil {
		return
	}
	pair, err := tls.X509KeyPair(j.material.Certificate, j.material.PrivateKey)
	if err != nil {
		at, fix := keyAt, "give the unencrypted PEM key that belongs to the first certificate of the file"
		if strings.Contains(err.Error(), "certificate input") || strings.Contains(err.Error(), "x509:") {
			at, fix = certificateAt, "give a PEM file, the server's certificate first"
		}
		j.fail(at, fix, "certificate and key don't work together: %s", strings.TrimPrefix(err.Error(), "tls: "))
		return
	}
	chain, err := parseChain(pair.Certificate)
	if err != nil {
		j.fail(certificateAt, "give a PEM file, the server's certificate first, then the intermediate ones", "%s", err)
		return
	}
	leaf := chain[0]
	checkCoverage(j, leaf)
	checkUsage(j, leaf)
	for i, c := range chain {
		checkValidity(j, c, i)
	}
	for i := range chain[:len(chain)-1] {
		if chain[i].CheckSignatureFrom(chain[i+1]) != nil {
			j.warn(certificateAt, "put the server's certificate first and each issuer behind what it signed", "certificate %d of the file is not signed by the one behind it", i+1)
		}
	}
}

func parseChain(der [][]byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for i, d := range der {
		c, err := x509.ParseCertificate(d)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of the file: %w", i+1, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("the file holds no certificate")
	}
	return out, nil
}

// checkCoverage wants every name users type to be in the certificate.
func checkCoverage(j *judge, leaf *x509.Certificate) {
	names := append(slices.Clone(leaf.DNSNames), ipTexts(leaf)...)
	has := "it names " + strings.Join(names, ", ")
	if len(names) == 0 {
		has = "it has no subject alternative name"
	}
	if a := j.site.Platform.Address; a != "" && leaf.VerifyHostname(a) != nil {
		j.fail(certificateAt, "have a certificate issued with the subject alternative name "+shorten(a), "the certificate does not cover the platform address %s; %s", shorten(a), has)
	}
	others := slices.Clone(j.site.Platform.OtherAddresses)
	for _, c := range j.site.Clusters {
		others = append(others, c.Other...)
	}
	slices.Sort(others)
	for _, a := range slices.Compact(others) {
		if isDomain(a) && leaf.VerifyHostname(a) != nil {
			j.warn(certificateAt, "have it issued with this name as well", "the certificate does not cover the other address %s", a)
		}
	}
}

func ipTexts(c *x509.Certificate) []string {
	var out []string
	for _, ip := range c.IPAddresses {
		out = append(out, ip.String())
	}
	return out
}

func checkUsage(j *judge, leaf *x509.Certificate) {
	if len(leaf.ExtKeyUsage) == 0 || slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny) {
		return
	}
	j.fail(certificateAt, "have it issued for server authentication", "the certificate may not be used by a server")
}

func checkValidity(j *judge, c *x509.Certificate, i int) {
	now := j.material.Now
	if now.IsZero() {
		return
	}
	const fix = "have it renewed"
	which := fmt.Sprintf("certificate %d of the file", i+1)
	left := c.NotAfter.Sub(now)
	until := c.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case now.Before(c.NotBefore):
		j.fail(certificateAt, "wait, or check the clock of this machine", "%s is valid from %s on", which, c.NotBefore.UTC().Format(time.RFC3339))
	case left <= 0:
		j.fail(certificateAt, fix, "%s expired on %s", which, until)
	case left < certificateMin:
		j.fail(certificateAt, fix, "%s expires within a day, on %s", which, c.NotAfter.UTC().Format(time.RFC3339))
	case left < certificateSoon:
		j.warn(certificateAt, fix, "%s expires soon, on %s", which, until)
	}
}
