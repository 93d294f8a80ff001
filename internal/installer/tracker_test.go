package installer

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
)

var (
	errGone    = fault.New(fault.Unreachable, "ask", "m1", "", ErrRefused)
	errDeaf    = fault.New(fault.Unreachable, "ask", "m1", "", errors.New("no route to host"))
	errGarbage = fault.New(fault.Protocol, "read", "m1", "", errors.New("HTTP 500"))
)

// watch feeds polls 10 s apart; an element is a Progress, an error, or a
// duration that passes without a poll.
func watch(tr *Tracker, polls ...any) Judgement {
	at := tr.LastAt
	if at.IsZero() {
		at = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	var last Judgement
	for _, p := range polls {
		at = at.Add(10 * time.Second)
		switch p := p.(type) {
		case time.Duration:
			at = at.Add(p)
			continue
		case error:
			last = tr.Observe(Observation{At: at, Err: p})
		case Progress:
			last = tr.Observe(Observation{At: at, Progress: p})
		}
	}
	return last
}

func times(n int, polls ...any) []any {
	var out []any
	for range n {
		out = append(out, polls...)
	}
	return out
}

func TestTracker(t *testing.T) {
	doing := func(step int) Progress { return Progress{Status: Doing, Step: step} }
	failed, retrying := Progress{Status: Failed, Step: 2}, Progress{Status: Retrying, Step: 2}
	success := Progress{Status: Success, Step: 9}
	cases := map[string]struct {
		polls []any
		want  Verdict
		cause string
	}{
		"a healthy install":                     {[]any{doing(1), doing(1), doing(2), success}, VerdictSucceeded, ""},
		"Failed then recovers":                  {append(times(15, failed, retrying)[:18], doing(2), doing(3)), VerdictRunning, ""},
		"five Failed polls in all, far apart":   {times(5, failed, doing(2)), VerdictRunning, ""},
		"Failed polls too few for the window":   {times(8, failed), VerdictRunning, ""},
		"Failed for good":                       {times(19, failed), VerdictFailed, "status Failed in 19 polls over 3m0s"},
		"Failed and Retrying in turn for good":  {times(11, failed, retrying)[:21], VerdictFailed, "status Failed in 11 polls over 3m20s"},
		"Retrying alone is no failure":          {times(40, retrying), VerdictRunning, ""},
		"an error breaks the row of Failed":     {append(append(times(12, failed), errGarbage), times(12, failed)...), VerdictRunning, ""},
		"stalled for ever":                      {times(61, doing(3)), VerdictStalled, "no change for 10m0s; at step 3"},
		"endless retries are no news":           {times(30, doing(2), retrying), VerdictRunning, ""},
		"endless retries stall":                 {times(32, doing(2), retrying), VerdictStalled, "no change for 10m"},
		"retries between two steps stall":       {append([]any{doing(1)}, times(32, doing(2), doing(1))...), VerdictStalled, "no change"},
		"slow but moving":                       {append(times(50, doing(1)), append(times(50, doing(2)), times(50, doing(3))...)...), VerdictRunning, ""},
		"one refusal":                           {[]any{doing(8), errGone}, VerdictRunning, ""},
		"gone":                                  {[]any{doing(8), errGone, errGone, errGone}, VerdictGone, "look at the new cluster directly"},
		"refusals with an answer in between":    {[]any{errGone, errGone, doing(8), errGone, errGone}, VerdictRunning, ""},
		"node not reachable for a while":        {append(times(20, errDeaf), doing(4)), VerdictRunning, ""},
		"node lost":                             {append([]any{doing(4)}, times(30, errDeaf)...), VerdictStalled, "no route to host"},
		"garbage for ever":                      {times(31, errGarbage), VerdictStalled, "HTTP 500"},
		"changed host key":                      {[]any{fault.New(fault.HostKey, "connect", "m1", "", nil)}, VerdictStalled, "connect"},
		"a dead worker's pause is not a stall":  {[]any{doing(1), 3 * time.Hour, doing(1)}, VerdictRunning, ""},
		"stall of a named phase says where":     {times(62, Progress{Status: Doing, Step: 3, Phase: "Aligned plugins"}), VerdictStalled, "ImagePullBackOff"},
		"Success counts also after many errors": {append(times(15, errGarbage), success), VerdictSucceeded, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			limits := DefaultLimits()
			limits.Stall = 10 * time.Minute
			got := watch(NewTracker(limits), c.polls...)
			assert.Equal(t, c.want, got.Verdict, got.Cause)
			assert.Contains(t, got.Cause, c.cause)
		})
	}
}

// TestTrackerGoesOn carries the state through JSON, as heartbeat details do.
func TestTrackerGoesOn(t *testing.T) {
	limits := DefaultLimits()
	limits.Stall = 10 * time.Minute
	first := NewTracker(limits)
	require.Equal(t, VerdictRunning, watch(first, times(40, Progress{Status: Doing, Step: 3})...).Verdict)
	data, err := json.Marshal(first)
	require.NoError(t, err)
	var second Tracker
	require.NoError(t, json.Unmarshal(data, &second))
	got := watch(&second, times(25, Progress{Status: Doing, Step: 3})...)
	assert.Equal(t, VerdictStalled, got.Verdict)
}

// TestRestartIsNotGone polls every second, faster than a container restarts.
func TestRestartIsNotGone(t *testing.T) {
	tr := NewTracker(DefaultLimits())
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 10 {
		at = at.Add(time.Second)
		require.Equal(t, VerdictRunning, tr.Observe(Observation{At: at, Err: errGone}).Verdict)
	}
	assert.Equal(t, VerdictGone, tr.Observe(Observation{At: at.Add(time.Second), Err: errGone}).Verdict)
}

func TestNewsIsSaidOnce(t *testing.T) {
	tr := NewTracker(DefaultLimits())
	assert.True(t, watch(tr, Progress{Status: Doing, Step: 1}).News)
	assert.False(t, watch(tr, Progress{Status: Doing, Step: 1}).News)
	assert.True(t, watch(tr, Progress{Status: Doing, Step: 2}).News)
}

func TestTrackerMemoryIsBounded(t *testing.T) {
	tr := NewTracker(DefaultLimits())
	for i := range 10 * maxSeen {
		watch(tr, Progress{Status: Doing, Step: 1, Phase: fmt.Sprint("phase ", i)})
	}
	assert.LessOrEqual(t, len(tr.Seen), maxSeen)
}

func TestWhereToLook(t *testing.T) {
	for phase, want := range map[string]string{
		"":                             "installer.log",
		"Bootstrap":                    "minialauda-control-plane",
		"Control plane provisioning":   "Machines",
		"Network and core add-ons":     "kube-system",
		"Core platform":                "ClusterModule",
		"Aligned plugins":              "ImagePullBackOff",
		"Something the vendor invents": "installer.log",
	} {
		assert.Contains(t, WhereToLook(Progress{Status: Doing, Step: 4, Phase: phase}), want, phase)
	}
	assert.Contains(t, WhereToLook(Progress{Step: -1}), "before the first step")
}
