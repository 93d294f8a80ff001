package installer

import (
	"bytes"
	"encoding/pem"
	"errors"

	"golang.org/x/crypto/ssh"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
)

// Secrets are the values behind the references that the configuration needs.
// An empty value means the document has no such reference.
type Secrets struct {
	AdminPassword    secret.Value
	RegistryPassword secret.Value
	SSHPassword      secret.Value
	SSHPrivateKey    secret.Value // PEM, never encrypted: the interface has no field for a passphrase
	Certificate      secret.Value // PEM chain; public, but it travels with its key
	CertificateKey   secret.Value // PEM
}

// Resolve reads the secrets of one cluster where the worker runs. An encrypted
// SSH key is decrypted in memory, because the installer can't ask for its
// passphrase. Errors are fault.BadInput and name only references.
func Resolve(s site.Site, clusterName string) (Secrets, error) {
	c, ok := s.Cluster(clusterName)
	if !ok {
		return Secrets{}, unknownCluster(s, clusterName)
	}
	var out Secrets
	var passphrase secret.Value
	refs := []struct {
		ref site.Ref
		to  *secret.Value
	}{
		{s.Platform.AdminPassword, &out.AdminPassword},
		{s.Registry.Password, &out.RegistryPassword},
		{c.SSH.Password, &out.SSHPassword},
		{c.SSH.PrivateKey, &out.SSHPrivateKey},
		{c.SSH.Passphrase, &passphrase},
	}
	if cert := s.Platform.Certificate; cert != nil {
		refs = append(refs, []struct {
			ref site.Ref
			to  *secret.Value
		}{{cert.Certificate, &out.Certificate}, {cert.PrivateKey, &out.CertificateKey}}...)
	}
	for _, r := range refs {
		v, err := secret.Resolve(string(r.ref))
		if err != nil {
			return Secrets{}, err
		}
		*r.to = v
	}
	key, err := plainKey(out.SSHPrivateKey, passphrase, string(c.SSH.PrivateKey))
	if err != nil {
		return Secrets{}, err
	}
	out.SSHPrivateKey = key
	out.Certificate = asFile(out.Certificate)
	out.CertificateKey = asFile(out.CertificateKey)
	return out, nil
}

// StandIns are values for a configuration that will only be printed masked:
// one for every reference of the document, so that it can be shown where the
// secrets are out of reach.
func StandIns(s site.Site, clusterName string) (Secrets, error) {
	c, ok := s.Cluster(clusterName)
	if !ok {
		return Secrets{}, unknownCluster(s, clusterName)
	}
	standIn := func(ref site.Ref) secret.Value {
		if ref == "" {
			return secret.Value{}
		}
		return secret.NewValue([]byte(secret.Mask))
	}
	out := Secrets{
		AdminPassword:    standIn(s.Platform.AdminPassword),
		RegistryPassword: standIn(s.Registry.Password),
		SSHPassword:      standIn(c.SSH.Password),
		SSHPrivateKey:    standIn(c.SSH.PrivateKey),
	}
	if cert := s.Platform.Certificate; cert != nil {
		out.Certificate, out.CertificateKey = standIn(cert.Certificate), standIn(cert.PrivateKey)
	}
	return out, nil
}

// plainKey returns the key as an unencrypted file: unchanged when it has no
// passphrase, else decrypted and coded in OpenSSH's format.
func plainKey(key, passphrase secret.Value, ref string) (secret.Value, error) {
	if key.Empty() {
		return key, nil
	}
	refuse := func(err error) (secret.Value, error) {
		return secret.Value{}, fault.New(fault.BadInput, "read the SSH key for the installer", ref,
			"give a private key in PEM form and, if it is encrypted, its passphrase in ssh.passphrase", err)
	}
	_, err := ssh.ParseRawPrivateKey(key.Reveal())
	if _, encrypted := errors.AsType[*ssh.PassphraseMissingError](err); !encrypted {
		if err != nil {
			return refuse(err)
		}
		return asFile(key), nil
	}
	raw, err := ssh.ParseRawPrivateKeyWithPassphrase(key.Reveal(), passphrase.Reveal())
	if err != nil {
		return refuse(err)
	}
	block, err := ssh.MarshalPrivateKey(raw, "")
	if err != nil {
		return refuse(err)
	}
	return secret.NewValue(pem.EncodeToMemory(block)), nil
}

// asFile gives back the final newline that resolving dropped: the interface
// wants the bytes of the file, and older OpenSSH refuses a key without it.
func asFile(v secret.Value) secret.Value {
	if v.Empty() || bytes.HasSuffix(v.Reveal(), []byte("\n")) {
		return v
	}
	return secret.NewValue(append(bytes.Clone(v.Reveal()), '\n'))
}
