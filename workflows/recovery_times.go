package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/acpflow/acpflow/activities"
)

// stretch is a piece of time.
type stretch struct{ from, to time.Time }

// recoveryTimes cuts the time from the start of a run to end into what people
// were waited for, what the steps of detection took besides, and the rest. What
// happened at the same time counts once, so the parts sum to the total. It is
// meant to be called inside the run: a step that has not ended lasts until end.
func recoveryTimes(p *Progress, detection []string, end time.Time) *RTO {
	whole := stretch{p.Started, end}
	var waiting, detecting []stretch
	for _, d := range p.Decisions {
		waiting = append(waiting, stretch{d.Asked, d.At})
	}
	for _, s := range p.Steps {
		if s.Started == nil || !slices.Contains(detection, s.ID) {
			continue
		}
		to := end
		if s.Ended != nil {
			to = *s.Ended
		}
		detecting = append(detecting, stretch{*s.Started, to})
	}
	total := max(end.Sub(p.Started), 0)
	waited := covered(whole, waiting)
	detected := covered(whole, append(slices.Clone(waiting), detecting...)) - waited
	return &RTO{
		TotalSeconds:     total.Seconds(),
		DetectionSeconds: detected.Seconds(),
		WaitingSeconds:   waited.Seconds(),
		MachineSeconds:   (total - waited - detected).Seconds(),
	}
}

// covered is how much of whole at least one of the stretches lies over.
func covered(whole stretch, parts []stretch) time.Duration {
	parts = slices.Clone(parts)
	slices.SortFunc(parts, func(a, b stretch) int { return a.from.Compare(b.from) })
	var sum time.Duration
	at := whole.from
	for _, s := range parts {
		if s.from.After(at) {
			at = s.from
		}
		to := s.to
		if to.After(whole.to) {
			to = whole.to
		}
		if to.After(at) {
			sum += to.Sub(at)
			at = to
		}
	}
	return sum
}

// Lines tell a person what a recovery came to, the title first.
func (r *Recovery) Lines() []string {
	out := []string{r.Title}
	if r.Title == "" {
		out[0] = r.Mode
	}
	if t := r.RTO; t != nil {
		out = append(out, fmt.Sprintf("RTO %s, %s without waiting for people: %s to be sure that the old side is down, %s waiting for people, %s work",
			spent(t.TotalSeconds), spent(t.TotalSeconds-t.WaitingSeconds), spent(t.DetectionSeconds), spent(t.WaitingSeconds), spent(t.MachineSeconds)))
		if t.Note != "" {
			out[len(out)-1] += "; " + t.Note
		}
	}
	if r.RPO != nil {
		out = append(out, "RPO "+r.RPO.Text)
	}
	if n := len(r.Restarted); n > 0 {
		out = append(out, fmt.Sprintf("restarted %d Pods", n))
	}
	if len(r.NotInstalled) > 0 {
		out = append(out, "not installed: "+strings.Join(r.NotInstalled, ", "))
	}
	for _, o := range r.Owed {
		out = append(out, "owed: "+owes(o))
	}
	return out
}

func owes(o activities.Owed) string {
	return fmt.Sprintf("%s, since %s: %s", o, o.Since.UTC().Format(time.RFC3339), o.Why)
}

func spent(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(time.Second / 10).String()
}

func writeRecovery(b *strings.Builder, r *Recovery) {
	if r == nil {
		return
	}
	b.WriteString("\n### Recovery\n")
	for _, line := range r.Lines() {
		fmt.Fprintf(b, "- %s\n", oneLine(line, 500))
	}
}
