package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/workflows"
)

// liveView redraws the step list in place.
type liveView struct {
	w     *os.File
	lines int // drawn last time
}

var signs = map[workflows.StepState]string{
	workflows.Pending: "\x1b[2m·\x1b[0m", workflows.Running: "\x1b[36m▶\x1b[0m", workflows.Parked: "\x1b[31m✖\x1b[0m",
	workflows.Done: "\x1b[32m✔\x1b[0m", workflows.SkippedBy: "\x1b[33m⏭\x1b[0m", workflows.NotRun: "\x1b[2m-\x1b[0m", workflows.Undone: "\x1b[33m↩\x1b[0m",
}

const barWidth = 30

func (v *liveView) close() { v.lines = 0 }

func (v *liveView) show(m moment) {
	width, height, err := term.GetSize(int(v.w.Fd()))
	if err != nil || width < 20 || height < 5 { // a terminal that does not tell its size
		width, height = 100, 40
	}
	lines := liveLines(m, width)
	if len(lines) > height-1 {
		lines = lines[len(lines)-height+1:]
	}
	var b strings.Builder
	if v.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", v.lines)
	}
	b.WriteString("\x1b[J")
	for _, line := range lines {
		b.WriteString(ansi.Truncate(line, width, "") + "\n")
	}
	v.lines = len(lines)
	printf(v.w, "%s", b.String())
}

func liveLines(m moment, width int) []string {
	if m.status == nil {
		return []string{"waiting for Temporal and a worker to answer; the run is durable"}
	}
	p := m.status
	finished, total := p.Counts()
	lines := []string{fmt.Sprintf("\x1b[1m%s\x1b[0m of cluster %s, site %s: %s, %d of %d steps", p.Runbook, p.Cluster, p.Request.Site, p.Outcome, finished, total)}
	last := lastRunning(p.Steps)
	for i, s := range p.Steps {
		lines = append(lines, fmt.Sprintf(" %s %s%-26s %s%s", signs[s.State], besideMark(s.StepInfo), s.ID, s.Title, took(s)))
		if i == last { // nothing tells which activity is whose of steps that run side by side
			for _, a := range m.active {
				lines = append(lines, "     "+bar(a))
			}
		}
	}
	if g := p.Gate; g != nil {
		lines = append(lines, "", "\x1b[31mA person must decide\x1b[0m about "+g.Step+":")
		lines = append(lines, strings.Split(ansi.Wrap(printable(g.Text()), width, ""), "\n")...)
		if text := quorumText(g); text != "" {
			lines = append(lines, strings.Split(ansi.Wrap(text, width, ""), "\n")...)
		}
		lines = append(lines, "  "+decideHint(m.id, g))
	}
	return lines
}

func lastRunning(steps []workflows.StepProgress) int {
	for i, s := range slices.Backward(steps) {
		if s.State == workflows.Running {
			return i
		}
	}
	return -1
}

func took(s workflows.StepProgress) string {
	if s.Started == nil {
		return ""
	}
	end := time.Now()
	if s.Ended != nil {
		end = *s.Ended
	}
	return fmt.Sprintf("  \x1b[2m%s\x1b[0m", end.Sub(*s.Started).Round(time.Second))
}

func bar(p activities.Progress) string {
	if p.Total <= 0 {
		return p.Text
	}
	full := int(min(p.Done, p.Total) * barWidth / p.Total)
	return strings.Repeat("█", full) + strings.Repeat("░", barWidth-full) + fmt.Sprintf(" %3d %%  %s", p.Done*100/p.Total, describe(p))
}
