// Package contract is what a disaster recovery pair was agreed on: all
// parameters of the primary's install (DR-12), which its standby must reuse
// (DR-22). It is pure. A contract holds no secret: a certificate and its key are
// named by hashes, passwords by bcrypt.
package contract

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/installer"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
)

// Terms are the install parameters of one cluster as its installer gets them.
// They print without secrets.
type Terms struct {
	Cluster    string
	parameters map[string]string // by path in the installer's document, secrets masked
	chain      string            // SHA-256 of all certificates, leaf first; "" for a self-signed one
	leaf       string            // SHA-256 of the leaf: its fingerprint
	key        string            // SHA-256 of the private key
	admin      secret.Value
	registry   secret.Value
}

// Format hides the secrets from every fmt verb.
func (t Terms) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "%d install parameters of cluster %s", len(t.parameters), t.Cluster)
}

// Of makes the terms of a cluster of a validated site. Errors are fault.BadInput.
func Of(s site.Site, cluster string, sec installer.Secrets) (Terms, error) {
	config, err := installer.Build(s, cluster, sec)
	if err != nil {
		return Terms{}, err
	}
	var tree any
	if err := json.Unmarshal(config.Redacted(), &tree); err != nil { // our own JSON
		return Terms{}, fault.New(fault.Internal, "read the installer configuration", "cluster "+cluster, "", err)
	}
	out := Terms{Cluster: cluster, parameters: map[string]string{}, admin: sec.AdminPassword, registry: sec.RegistryPassword}
	flatten("", tree, out.parameters)
	if sec.Certificate.Empty() {
		return out, nil
	}
	if out.leaf, out.chain, err = fingerprints(sec.Certificate.Reveal()); err != nil {
		return Terms{}, fault.New(fault.BadInput, "read the platform's certificate", "site "+s.Name, "give a PEM chain, leaf first", err)
	}
	out.key, err = keyHash(sec.CertificateKey)
	if err != nil {
		return Terms{}, fault.New(fault.BadInput, "read the key of the platform's certificate", "site "+s.Name, "give an unencrypted PEM key", err)
	}
	return out, nil
}

// flatten names every leaf of a JSON tree by its path: "console.host.0".
func flatten(path string, tree any, into map[string]string) {
	child := func(name string) string {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	switch v := tree.(type) {
	case map[string]any:
		if len(v) == 0 {
			into[path] = "{}"
		}
		for name, sub := range v {
			flatten(child(name), sub, into)
		}
	case []any:
		into[child("#")] = strconv.Itoa(len(v))
		for i, sub := range v {
			flatten(child(strconv.Itoa(i)), sub, into)
		}
	case nil:
		into[path] = "null"
	default:
		into[path] = fmt.Sprint(v)
	}
}

// fingerprints are those of the leaf and of the whole chain. White space and
// comments between the certificates make no difference.
func fingerprints(chain []byte) (leaf, whole string, err error) {
	all := sha256.New()
	for rest := chain; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return "", "", errors.New("it holds a certificate that can't be read")
		}
		if leaf == "" {
			leaf = sum(block.Bytes)
		}
		_, _ = all.Write(block.Bytes) // never fails
	}
	if leaf == "" {
		return "", "", errors.New("it holds no certificate")
	}
	return leaf, hex.EncodeToString(all.Sum(nil)), nil
}

// keyHash is that of the key itself, whatever its PEM form: the same key as
// PKCS #1 and as PKCS #8 is the same.
func keyHash(v secret.Value) (string, error) {
	block, _ := pem.Decode(v.Reveal())
	for rest := v.Reveal(); block != nil && block.Type == "EC PARAMETERS"; {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return "", errors.New("it is no PEM")
	}
	for _, parse := range []func([]byte) (any, error){
		x509.ParsePKCS8PrivateKey,
		func(b []byte) (any, error) { return x509.ParsePKCS1PrivateKey(b) },
		func(b []byte) (any, error) { return x509.ParseECPrivateKey(b) },
	} {
		key, err := parse(block.Bytes)
		if err != nil {
			continue
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return "", errors.New("its kind is not known")
		}
		return sum(secret.NewValue(der).Reveal()), nil
	}
	return "", errors.New("it is no private key that can be read")
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
