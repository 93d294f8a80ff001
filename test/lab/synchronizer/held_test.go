package synchronizer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Each change waits its whole time, however long another one has waited already.
func TestHeldChangesWaitEachForItself(t *testing.T) {
	var h held
	assert.Nil(t, h.due())
	rest := h.hold([]change{{key: "first"}, {key: "owned", owned: true}})
	assert.Equal(t, []change{{key: "owned", owned: true}}, rest)
	h.hold([]change{{key: "second"}})
	h.since[1] = h.since[0].Add(OwnerDelay / 2)
	assert.NotNil(t, h.due())
	assert.Empty(t, h.ripe(h.since[0].Add(OwnerDelay-1)))
	assert.Equal(t, []change{{key: "first"}}, h.ripe(h.since[0].Add(OwnerDelay)))
	assert.Equal(t, []change{{key: "second"}}, h.ripe(h.since[0].Add(OwnerDelay)))
	assert.Nil(t, h.due())
	h.hold([]change{{key: "third"}})
	assert.Equal(t, []change{{key: "third"}}, h.take())
	assert.Empty(t, h.ripe(time.Now().Add(time.Hour)))
}
