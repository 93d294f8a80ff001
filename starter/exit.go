package main

import (
	"errors"
	"fmt"
)

// The documented exit codes. A pipeline branches on these, so a code never
// changes its meaning.
const (
	exitOK        = 0 // done, everything as wanted
	exitFailed    = 1 // the run or the verdict failed
	exitBadInput  = 2 // flags, site document or workflow input are wrong
	exitCouldNot  = 3 // could not run: Temporal or a file is unreachable, no worker polls
	exitParked    = 4 // the run waits for a person's decision
	exitAborted   = 5 // the run was aborted or cancelled
	exitSiteBusy  = 6 // another changing run holds the site
	exitWaitEnded = 7 // --wait-timeout passed, the run goes on
)

// exitError carries the exit code of a failed command to main.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// fail wraps err with an exit code; a nil err stays nil.
func fail(code int, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code: code, err: err}
}

// failf is fail with a formatted message.
func failf(code int, format string, args ...any) error {
	return fail(code, fmt.Errorf(format, args...))
}

// exitCode finds the code of an error; cobra's own errors are bad input.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	return exitBadInput
}
