package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

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
	tenths  map[string]int64 // that were shown, by total
	texts   map[string]bool  // that were there at the last look
	waiting bool
	asked   time.Time // the gate that was shown last
	quorum  string    // and who had approved
}

func (v *lineView) close() {}

func (v *lineView) show(m moment) {
	if m.status == nil {
		if !v.waiting && !m.closed {
			v.line("waiting for Temporal and a worker to answer; the run is durable")
		}
		v.waiting = true
		return
	}
	v.waiting = false
	for _, s := range m.status.Steps {
		if v.states[s.ID] == s.State || (s.State == workflows.Pending && v.states[s.ID] == "") {
			continue
		}
		v.states[s.ID], v.tenths = s.State, map[string]int64{}
		v.line(fmt.Sprintf("%-8s %s  %s%s", s.State, s.ID, s.Title, outcomeOf(s)))
	}
	v.progress(m.active)
	v.gate(m)
}

// gate says once per gate that a person is asked and how to answer, and each time
// who has approved so far.
func (v *lineView) gate(m moment) {
	g := m.status.Gate
	if g == nil {
		return
	}
	if !g.Since.Equal(v.asked) {
		v.asked, v.quorum = g.Since, ""
		v.line("DECISION NEEDED about " + g.Step + ": " + decideHint(m.id, g))
		switch {
		case g.Question != "":
			v.line("         it asks before it acts: " + printable(g.Question))
		case g.Undo:
			v.line("         its undo waits: " + printable(g.Error))
		}
	}
	if text := quorumText(g); text != v.quorum {
		v.quorum = text
		v.line("         " + text)
	}
}

// quorumText says who has approved, who is missing and until when it counts; ""
// where one answer is enough.
func quorumText(g *workflows.Gate) string {
	if g.Quorum == nil {
		return ""
	}
	return printable(g.Quorum.Text())
}

// decideHint is the command that answers a gate.
func decideHint(id string, g *workflows.Gate) string {
	var words []string
	for _, a := range g.Actions {
		if a != workflows.Approve {
			words = append(words, string(a))
		}
	}
	decide := fmt.Sprintf("acpflow decide %s --action %s --reason …", id, strings.Join(words, "|"))
	if len(words) == len(g.Actions) {
		return decide
	}
	return fmt.Sprintf("acpflow approve %s --reason …, or %s", id, decide)
}

// besideMark marks steps that run at the same time as their neighbours.
func besideMark(s workflows.StepInfo) string {
	if s.Beside == "" {
		return ""
	}
	return "‖ "
}

// recoveryLines tell what a takeover, a reprotect or a drill came to, after an
// empty line.
func recoveryLines(r *workflows.Recovery) []string {
	if r == nil {
		return nil
	}
	out := []string{""}
	for i, line := range r.Lines() {
		if i > 0 {
			line = "  " + line
		}
		out = append(out, printable(line))
	}
	return out
}

// printable drops what could steer the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' {
			return -1
		}
		return r
	}, s)
}

// progress tells of every tenth and of every new text. Steps that run side by
// side have one each, so what was there at the last look is not said again.
func (v *lineView) progress(active []activities.Progress) {
	if v.tenths == nil { // no step has begun: LoadSite
		v.tenths = map[string]int64{}
	}
	texts := map[string]bool{}
	for _, p := range active {
		if p.Total > 0 {
			of := fmt.Sprintf("%d %s", p.Total, p.Unit)
			if tenth := p.Done * 10 / p.Total; tenth > v.tenths[of] {
				v.tenths[of] = tenth
				v.line(fmt.Sprintf("         %d %%  %s", p.Done*100/p.Total, describe(p)))
			}
			continue
		}
		if p.Text != "" && !v.texts[p.Text] {
			v.line("         " + p.Text)
		}
		texts[p.Text] = true
	}
	v.texts = texts
}

func (v *lineView) line(s string) { printf(v.w, "%s  %s\n", time.Now().Format(time.TimeOnly), s) }

func outcomeOf(s workflows.StepProgress) string {
	switch {
	case s.Error != "":
		return ": " + printable(s.Error)
	case s.Evidence != nil:
		return ": " + printable(s.Evidence.Summary)
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
