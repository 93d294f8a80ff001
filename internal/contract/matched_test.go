package contract

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
)

// What matched once is known; what did not is asked again, and is never taken
// for what did.
func TestMatched(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.DefaultCost)
	require.NoError(t, err)
	other, err := bcrypt.GenerateFromPassword([]byte("other"), bcrypt.MinCost)
	require.NoError(t, err)
	var m matched
	for range 2 {
		assert.True(t, m.matches(string(hash), []byte("right")))
		assert.False(t, m.matches(string(hash), []byte("wrong")))
		assert.False(t, m.matches(string(other), []byte("right")))
		assert.False(t, m.matches("no verifier", []byte("right")))
		assert.Len(t, m.pairs, 1)
	}
	m.pairs[m.id("no verifier", []byte("right"))] = true
	assert.True(t, m.matches("no verifier", []byte("right")), "what is known is not asked again")
}

func TestMatchedIsBounded(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	require.NoError(t, err)
	m := matched{pairs: map[[32]byte]bool{}}
	for i := range maxMatched {
		m.pairs[[32]byte{byte(i), byte(i >> 8), 1}] = true
	}
	assert.True(t, m.matches(string(hash), []byte("right")))
	assert.Len(t, m.pairs, 1)
}
