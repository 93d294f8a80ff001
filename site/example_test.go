package site

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestExamplesAreRight: all but the secrets and the certificate is there, so
// not even a warning is due.
func TestExamplesAreRight(t *testing.T) {
	for _, pair := range []bool{false, true} {
		assert.Empty(t, Validate(parsedExample(t, pair), Material{}).Issues)
	}
}
