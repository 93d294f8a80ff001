package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func rowsOf(walls map[string][]float64) map[string]*row {
	rows := map[string]*row{}
	for name, all := range walls {
		var samples []sample
		for _, w := range all {
			samples = append(samples, sample{Wall: w})
		}
		rows[name] = summarize("contest", name, samples)
	}
	return rows
}

func TestGoalsAreJudgedOnMedians(t *testing.T) {
	rows := rowsOf(map[string][]float64{"ours": {9, 1, 1.1}, "theirs": {2.2, 2, 30, 1}})
	require.InDelta(t, 1.1, rows["ours"].Median, 1e-9)
	require.InDelta(t, 2.1, rows["theirs"].Median, 1e-9)
	require.InDelta(t, 30, rows["theirs"].Max, 1e-9)

	for _, c := range []struct {
		goal goal
		met  bool
	}{
		{goal{Bound: 1.9, Value: faster("ours", "theirs")}, true},
		{goal{Bound: 2.0, Value: faster("ours", "theirs")}, false},
		{goal{Bound: 0.6, Most: true, Value: share("ours", "theirs")}, true},
		{goal{Bound: 0.5, Most: true, Value: share("ours", "theirs")}, false},
	} {
		rep := &report{}
		rep.judge(goal{ID: "U0", Bound: 1, Value: func(map[string]*row) float64 { return 1 }}, 1) // met
		rep.judge(c.goal, c.goal.Value(rows))
		var text strings.Builder
		require.Equal(t, c.met, rep.summary(&text))
		require.Equal(t, !c.met, strings.Contains(text.String(), "MISSED"))
	}
}
