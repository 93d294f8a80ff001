package workflows

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
)

// People read what failed, not how Temporal numbers its events.
func TestPlainText(t *testing.T) {
	assert.Equal(t, "no word came from it any more: its worker has died or hangs", plainText(temporal.NewHeartbeatTimeoutError()))
	assert.Equal(t, "it did not end in time", plainText(temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, nil)))
	assert.Equal(t, "disk full", plainText(temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, temporal.NewApplicationError("disk full", "DiskFull"))), "what the last try said says more")
	assert.Equal(t, "other", plainText(errors.New("other")))
}
