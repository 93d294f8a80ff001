package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/workflows"
)

// view draws a run: live on a terminal, line by line in a pipeline.
type view interface {
	show(moment)
	close()
}

func newView(cmd *cobra.Command, silent bool) view {
	w := cmd.OutOrStdout()
	if silent {
		w = cmd.ErrOrStderr() // stdout is for the JSON
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("CI") == "" && os.Getenv("TERM") != "dumb" {
		return &liveView{w: f}
	}
	return &lineView{w: w, states: map[string]workflows.StepState{}}
}

// lineView prints a line for every change: a step's state, and progress at
// every tenth.
type lineView struct {
	w       io.Writer
	states  map[string]workflows.StepState
	tenth   int64
	text    string
	waiting bool
}

func (v *lineView) close() {}

func (v *lineView) show(m moment) {
	if m.status == nil {
		if !v.waiting && !m.closed {
			v.line("waiting for a worker to answer; the run is durable")
		}
		v.waiting = true
		return
	}
	v.waiting = false
	for _, s := range m.status.Steps {
		if v.states[s.ID] == s.State || (s.State == workflows.Pending && v.states[s.ID] == "") {
			continue
		}
		v.states[s.ID], v.tenth = s.State, 0
		v.line(fmt.Sprintf("%-8s %s  %s%s", s.State, s.ID, s.Title, outcomeOf(s)))
	}
	for _, p := range m.active {
		v.progress(p)
	}
}

func (v *lineView) progress(p activities.Progress) {
	if p.Total > 0 {
		if tenth := p.Done * 10 / p.Total; tenth > v.tenth {
			v.tenth = tenth
			v.line(fmt.Sprintf("         %d %%  %s", p.Done*100/p.Total, describe(p)))
		}
		return
	}
	if p.Text != "" && p.Text != v.text {
		v.text = p.Text
		v.line("         " + p.Text)
	}
}

func (v *lineView) line(s string) { printf(v.w, "%s  %s\n", time.Now().Format(time.TimeOnly), s) }

func outcomeOf(s workflows.StepProgress) string {
	switch {
	case s.Error != "":
		return ": " + s.Error
	case s.Evidence != nil:
		return ": " + s.Evidence.Summary
	}
	return ""
}

// describe renders progress in words, with units a person reads.
func describe(p activities.Progress) string {
	amount := fmt.Sprintf("%d of %d %s", p.Done, p.Total, p.Unit)
	if p.Unit == "bytes" {
		amount = fmt.Sprintf("%s of %s", size(p.Done), size(p.Total))
	}
	return strings.TrimSpace(p.Text + "  " + amount)
}

func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, exp := float64(n)/unit, 0
	for value >= unit && exp < 4 {
		value, exp = value/unit, exp+1
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[exp])
}
