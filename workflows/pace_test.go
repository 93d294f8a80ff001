package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// spend waits once, and returns when it looked.
func (p *pace) spend(first, limit time.Duration) []time.Duration {
	var out []time.Duration
	for at := time.Duration(0); ; {
		out = append(out, at)
		if at >= limit {
			return out
		}
		at += p.next(first, at, limit)
	}
}

func TestPace(t *testing.T) {
	looks := new(pace).spend(5*time.Second, 30*time.Minute)
	assert.Equal(t, []time.Duration{0, 5 * time.Second, 10 * time.Second, 15 * time.Second}, looks[:4], "what settles soon is seen soon")
	assert.Equal(t, 30*time.Minute, looks[len(looks)-1], "the last look is at the end")
	for _, limit := range []time.Duration{10 * time.Second, time.Minute, 30 * time.Minute, 6 * time.Hour, 30 * 24 * time.Hour} {
		n := len(new(pace).spend(5*time.Second, limit))
		assert.LessOrEqual(t, n, 45, limit)
		assert.GreaterOrEqual(t, n, 3, limit)
	}
}

// However often a person retries, a run stays far below the server's limit.
func TestPaceOfManyTries(t *testing.T) {
	const dearest = 31 // events of a look of untilAlike
	for _, limit := range []time.Duration{30 * time.Minute, 6 * time.Hour} {
		var p pace
		looks := 0
		for range 100 {
			looks += len(p.spend(5*time.Second, limit))
		}
		assert.Less(t, looks*dearest, 51_200/2, limit)
	}
}
