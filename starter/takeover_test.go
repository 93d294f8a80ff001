package main

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/workflows"
)

func TestTakeoverVerbsAreCommandsWithPlans(t *testing.T) {
	for _, verb := range []string{"switchover", "failover", "reprotect", "drill"} {
		book, ok := workflows.BookNamed(verb)
		require.True(t, ok, verb)
		cmd, _, err := newRootCmd().Find([]string{verb})
		require.NoError(t, err)
		assert.Equal(t, verb, cmd.Name())
		for _, flag := range []string{"site", "change", "requested-by", "wait", "wait-timeout", "output", "on-failure"} {
			assert.NotNil(t, cmd.Flag(flag), "%s --%s", verb, flag)
		}
		assert.Equal(t, verb == "drill", cmd.Flag("cluster").Hidden, verb)
		if verb != "drill" {
			assert.Equal(t, exitBadInput, exitCode(runArgs(t, verb, "--site", "moscow")), "which side is said, not guessed")
		}
		plan, _, err := newRootCmd().Find([]string{"plan"})
		require.NoError(t, err)
		assert.Contains(t, plan.ValidArgs, book.Verb, "the shell completes it")
	}
}

func runArgs(t *testing.T, args ...string) error {
	cmd := newRootCmd()
	cmd.SetArgs(args)
	cmd.SetOut(io.Discard)
	return cmd.ExecuteContext(t.Context())
}
