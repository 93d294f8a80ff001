package corepkg

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkInspect reads a package of 256 MiB from the page cache.
func BenchmarkInspect(b *testing.B) {
	payload := make([]byte, 256<<20)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(payload)
	path := saved(b, pack(b, scripts(file("payload", string(payload)))...))
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		_, err := Inspect(b.Context(), path, nil)
		require.NoError(b, err)
	}
}
