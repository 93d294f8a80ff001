package site

import (
	"testing"
	"testing/quick"

	"github.com/stretchr/testify/assert"
)

func TestClosest(t *testing.T) {
	fields := []string{"address", "addressIPv6", "role", "name"}
	for got, want := range map[string]string{
		"adress": "address", "Address": "address", "addres": "address", "adressIpv6": "addressIPv6", "rloe": "role", "nam": "name",
		"colour": "", "x": "", "": "",
	} {
		assert.Equal(t, want, closest(got, fields), got)
	}
}

// TestDistanceProperty: it is symmetric, zero only for equal texts, and no more
// than the longer length.
func TestDistanceProperty(t *testing.T) {
	assert.NoError(t, quick.Check(func(a, b string) bool {
		d := distance(a, b)
		return d == distance(b, a) && (d == 0) == (string([]rune(a)) == string([]rune(b))) && d <= max(len([]rune(a)), len([]rune(b)))
	}, nil))
	assert.Equal(t, 1, distance("role", "rloe"), "a swap is one slip of the fingers")
}
