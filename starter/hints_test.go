package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
)

// What a message tells a person to type must be a command that there is.
func TestPushHintIsACommand(t *testing.T) {
	words := strings.Fields(activities.PushCommand("moscow", "east"))
	require.Equal(t, "acpflow", words[0])
	push, flags, err := newRootCmd().Find(words[1:])
	require.NoError(t, err)
	require.Equal(t, "push", push.Name())
	require.NoError(t, push.ParseFlags(flags))
	for name, want := range map[string]string{"site": "moscow", "cluster": "east", "package": "FILE"} {
		require.Equal(t, want, push.Flag(name).Value.String())
	}
}
