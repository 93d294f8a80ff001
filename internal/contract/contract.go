package contract

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/crypto/bcrypt"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// Where the contract is kept, on the primary. The namespace is none of those
// that are synchronised (DR-07), so each side has its own word.
const (
	SecretNamespace = "cpaas-system"
	SecretName      = "acpflow-pair-contract"
	SecretKey       = "contract.json"
)

// version of the stored form.
const version = 1

// Contract is the stored form of a primary's terms.
type Contract struct {
	Version          int               `json:"version"`
	Cluster          string            `json:"cluster"`                    // the primary it was made with
	Parameters       map[string]string `json:"parameters"`                 // by path in the installer's document; secrets read "[redacted]"
	Certificate      string            `json:"certificate,omitempty"`      // SHA-256 fingerprint of the leaf
	Chain            string            `json:"chain,omitempty"`            // SHA-256 of all certificates
	CertificateKey   string            `json:"certificateKey,omitempty"`   // SHA-256 of the key: of high entropy, so the hash tells nothing
	AdminPassword    string            `json:"adminPassword,omitempty"`    // bcrypt
	RegistryPassword string            `json:"registryPassword,omitempty"` // bcrypt
}

// Record makes the contract of a primary's terms.
func (t Terms) Record() (Contract, error) {
	admin, err := verifier(t.admin)
	registry, err2 := verifier(t.registry)
	if err := errors.Join(err, err2); err != nil {
		return Contract{}, fault.New(fault.Internal, "make the contract of the pair", "cluster "+t.Cluster, "", err)
	}
	return Contract{Version: version, Cluster: t.Cluster, Parameters: t.parameters,
		Certificate: t.leaf, Chain: t.chain, CertificateKey: t.key, AdminPassword: admin, RegistryPassword: registry}, nil
}

// Marshal is the stored form on one line. It holds no secret.
func (c Contract) Marshal() []byte {
	b, err := json.Marshal(c)
	if err != nil { // strings only: cannot happen
		panic(err)
	}
	return b
}

// Digest is the SHA-256 of the stored form, hex, for the record.
func (c Contract) Digest() string { return sum(c.Marshal()) }

// Parse reads the stored form strictly: a field of a later release might be a
// term that this one does not compare. Errors are fault.Corrupt.
func Parse(data []byte, place string) (Contract, error) {
	var c Contract
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	err := dec.Decode(&c)
	if err == nil && c.Version != version {
		err = fmt.Errorf("it is of version %d, this release reads %d", c.Version, version)
	}
	if err == nil && len(c.Parameters) == 0 {
		err = errors.New("it holds no parameters")
	}
	if err != nil {
		return Contract{}, fault.New(fault.Corrupt, "read the contract of the pair", place,
			"use the release that wrote it, or delete it there and record it again with acpflow install-pair", err)
	}
	return c, nil
}

// verifier is a slow, salted hash: a password may be guessed, and the contract
// lies where others may read it. "" is no password.
func verifier(v secret.Value) (string, error) {
	if v.Empty() {
		return "", nil
	}
	b, err := bcrypt.GenerateFromPassword(folded(v), bcrypt.DefaultCost)
	return string(b), err
}

// matches reports whether a password is the one of a verifier.
func matches(hash string, v secret.Value) bool {
	if hash == "" || v.Empty() {
		return hash == "" && v.Empty()
	}
	return known.matches(hash, folded(v))
}

// folded makes a password of any length one that bcrypt takes whole.
func folded(v secret.Value) []byte {
	s := sha256.Sum256(v.Reveal())
	return []byte(base64.StdEncoding.EncodeToString(s[:]))
}
