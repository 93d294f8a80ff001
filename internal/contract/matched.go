package contract

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// matched remembers which passwords are those of which verifiers: bcrypt takes a
// tenth of a second of CPU by design, and a monitor asks the same again and again.
// A password is not kept, only a MAC of it under a key that this process forgets.
type matched struct {
	mu    sync.Mutex
	key   []byte
	pairs map[[sha256.Size]byte]bool
}

// maxMatched bounds the memory; who needs more begins anew.
const maxMatched = 10_000

var known matched

func (m *matched) matches(hash string, password []byte) bool {
	id := m.id(hash, password)
	m.mu.Lock()
	found := m.pairs[id]
	m.mu.Unlock()
	if found {
		return true
	}
	if bcrypt.CompareHashAndPassword([]byte(hash), password) != nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pairs == nil || len(m.pairs) >= maxMatched {
		m.pairs = map[[sha256.Size]byte]bool{}
	}
	m.pairs[id] = true
	return true
}

func (m *matched) id(hash string, password []byte) (out [sha256.Size]byte) {
	m.mu.Lock()
	if m.key == nil {
		m.key = make([]byte, sha256.Size)
		_, _ = rand.Read(m.key) // never fails
	}
	mac := hmac.New(sha256.New, m.key)
	m.mu.Unlock()
	mac.Write([]byte(hash)) // a verifier has a fixed length
	mac.Write(password)
	copy(out[:], mac.Sum(nil))
	return out
}
