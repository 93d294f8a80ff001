package encryption

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"fmt"
	"strings"
)

// Stored is how a value lies in etcd.
type Stored struct {
	Provider string // aescbc, or "" for a value that is not encrypted
	Key      string // name written before the value
	SHA256   string // of the key that opens it; "" when none of the file's does
}

const valuePrefix = "k8s:enc:"

// Look tells which key of a file opens a value as it lies in etcd. Only aescbc
// is opened; its name alone proves nothing, because two clusters give one name to
// different keys. A value of another provider, or one that is broken, has no key.
func (c Config) Look(value []byte) Stored {
	if !bytes.HasPrefix(value, []byte(valuePrefix)) {
		return Stored{}
	}
	parts := strings.SplitN(string(value[len(valuePrefix):min(len(value), 512)]), ":", 4)
	if len(parts) < 4 {
		return Stored{Provider: "unknown"}
	}
	out := Stored{Provider: parts[0], Key: parts[2]}
	sealed := value[len(valuePrefix)+len(parts[0])+len(parts[1])+len(parts[2])+3:]
	for _, g := range c.groups {
		for _, p := range g.providers {
			for _, k := range p.keys {
				if p.kind == AESCBC && out.Provider == AESCBC && opens(k.material.Reveal(), sealed) {
					out.SHA256 = Hash(k.material)
					return out
				}
			}
		}
	}
	return out
}

// opens tries a key. Its mode has no checksum, so that the padding looks right
// by chance once in 256 times: the plain text must also begin like an object.
func opens(material, sealed []byte) bool {
	block, err := aes.NewCipher(material)
	if err != nil || len(sealed) < 2*aes.BlockSize || len(sealed)%aes.BlockSize != 0 {
		return false
	}
	plain := make([]byte, len(sealed)-aes.BlockSize)
	cipher.NewCBCDecrypter(block, sealed[:aes.BlockSize]).CryptBlocks(plain, sealed[aes.BlockSize:])
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > aes.BlockSize || !bytes.Equal(plain[len(plain)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return false
	}
	plain = plain[:len(plain)-pad]
	return bytes.HasPrefix(plain, []byte("k8s\x00")) || json.Valid(plain)
}

// String is "aescbc key1=1f2e3d4c5b6a".
func (s Stored) String() string {
	if s.Provider == "" {
		return "not encrypted"
	}
	return fmt.Sprintf("%s %q=%.12s", s.Provider, s.Key, s.SHA256)
}
