package main

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/workflows"
)

func TestRunErrorGivesTheDocumentedExitCodes(t *testing.T) {
	app := func(kind string) error {
		return temporal.NewNonRetryableApplicationError("cause. Fix: mend it", kind, nil)
	}
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"success":       {nil, exitOK},
		"bad input":     {app(workflows.ErrInvalidInput), exitBadInput},
		"bad document":  {app(string(fault.BadInput)), exitBadInput},
		"site busy":     {app(workflows.ErrSiteBusy), exitSiteBusy},
		"aborted":       {app(workflows.ErrAborted), exitAborted},
		"cancelled":     {temporal.NewCanceledError(), exitAborted},
		"anything else": {app(string(fault.Failed)), exitFailed},
		"unknown":       {errors.New("x"), exitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			err := runError(c.err)
			assert.Equal(t, c.want, exitCode(err))
			if _, ok := errors.AsType[*temporal.ApplicationError](c.err); ok {
				assert.Equal(t, "cause. Fix: mend it", err.Error(), "only the message, no wrapping")
			}
		})
	}
}
