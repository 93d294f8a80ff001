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
	out, sealed := split(value)
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

// Reads reports whether a kube-apiserver with this file reads a value: it tries
// the keys of the value's name in order. The mode has no checksum, so with a wrong
// key the padding looks right once in 256 times; such a value is lost until that
// key is gone. A value that is not encrypted counts as read.
func (c Config) Reads(value []byte) bool {
	at, sealed := split(value)
	if at.Provider != AESCBC {
		return at.Provider == ""
	}
	for _, g := range c.groups {
		for _, p := range g.providers {
			for _, k := range p.keys {
				if p.kind != AESCBC || k.name != at.Key {
					continue
				}
				if plain, ok := unseal(k.material.Reveal(), sealed); ok {
					return looksRight(plain)
				}
			}
		}
	}
	return false
}

// split takes the names off a value. It begins with the prefix, or gives nothing.
func split(value []byte) (Stored, []byte) {
	if !bytes.HasPrefix(value, []byte(valuePrefix)) {
		return Stored{}, nil
	}
	parts := strings.SplitN(string(value[len(valuePrefix):min(len(value), 512)]), ":", 4)
	if len(parts) < 4 {
		return Stored{Provider: "unknown"}, nil
	}
	return Stored{Provider: parts[0], Key: parts[2]}, value[len(valuePrefix)+len(parts[0])+len(parts[1])+len(parts[2])+3:]
}

// opens tries a key. The padding may look right by chance: the plain text must
// also begin like an object.
func opens(material, sealed []byte) bool {
	plain, ok := unseal(material, sealed)
	return ok && looksRight(plain)
}

func looksRight(plain []byte) bool {
	return bytes.HasPrefix(plain, []byte("k8s\x00")) || json.Valid(plain)
}

// unseal is what the kube-apiserver does with a key; ok means that the padding is right.
func unseal(material, sealed []byte) (plain []byte, ok bool) {
	block, err := aes.NewCipher(material)
	if err != nil || len(sealed) < 2*aes.BlockSize || len(sealed)%aes.BlockSize != 0 {
		return nil, false
	}
	plain = make([]byte, len(sealed)-aes.BlockSize)
	cipher.NewCBCDecrypter(block, sealed[:aes.BlockSize]).CryptBlocks(plain, sealed[aes.BlockSize:])
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > aes.BlockSize || !bytes.Equal(plain[len(plain)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, false
	}
	return plain[:len(plain)-pad], true
}

// String is "aescbc key1=1f2e3d4c5b6a".
func (s Stored) String() string {
	if s.Provider == "" {
		return "not encrypted"
	}
	return fmt.Sprintf("%s %q=%.12s", s.Provider, s.Key, s.SHA256)
}
