package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"
)

// The UI's Markdown knows no task lists: it would show "[x]" as it stands here.
var marks = map[StepState]string{
	Pending: "- ☐", Running: "- ▶", Parked: "- ⛔", Done: "- ☑",
	SkippedBy: "- ⏭", NotRun: "- ·", Undone: "- ↩", WouldRun: "- ○",
}

// showBoard renders the checklist that the Temporal UI shows as Current
// Details. It is a pure function of the progress, so replay gives the same.
func showBoard(ctx workflow.Context, p *Progress) {
	workflow.SetCurrentDetails(ctx, board(p))
}

func board(p *Progress) string {
	var b strings.Builder
	finished, total := p.Counts()
	of := "site"
	if p.Cluster != "" {
		of = fmt.Sprintf("cluster **%s**, site", p.Cluster)
	}
	fmt.Fprintf(&b, "**%s** of %s **%s**: %s, %d of %d steps\n\n", p.Runbook, of, p.Request.Site, p.Outcome, finished, total)
	writeGate(&b, p.Gate)
	phase, beside := "", ""
	for _, s := range p.Steps {
		if name, _, _ := strings.Cut(s.ID, "."); name != phase {
			phase = name
			fmt.Fprintf(&b, "\n### %s\n", strings.ToUpper(name[:1])+name[1:])
		}
		if s.Beside != beside {
			if beside = s.Beside; beside != "" {
				fmt.Fprintf(&b, "- side by side (%s):\n", beside)
			}
		}
		if beside != "" {
			b.WriteString("  ")
		}
		writeStep(&b, s)
	}
	writeRecovery(&b, p.Recovery)
	return b.String()
}

func writeGate(b *strings.Builder, g *Gate) {
	if g == nil {
		return
	}
	switch {
	case g.Question != "":
		fmt.Fprintf(b, "> ✋ Step `%s` waits for an approval before it acts.\n>\n> %s\n>\n", g.Step, quote(clip(g.Question, 3000)))
	case g.Undo:
		fmt.Fprintf(b, "> ⛔ The undo of step `%s` waits for a decision.\n>\n> %s\n>\n", g.Step, quote(clip(g.Error, 3000)))
	default:
		fmt.Fprintf(b, "> ⛔ Step `%s` failed and waits for a decision.\n>\n> %s\n>\n", g.Step, quote(clip(g.Error, 3000)))
	}
	if g.Quorum != nil {
		fmt.Fprintf(b, "> %s\n>\n", quote(clip(g.Quorum.Text(), 3000)))
	}
	if g.Question != "" {
		fmt.Fprintf(b, "> Approve with the Update `%s`: `{\"step\":\"%s\",\"by\":\"you\",\"reason\":\"why\",\"digest\":\"%s\"}`\n>\n", ApproveUpdate, g.Step, g.Digest)
	}
	fmt.Fprintf(b, "> Answer with the Update `%s`: `{\"step\":\"%s\",\"action\":\"%s\",\"by\":\"you\",\"reason\":\"why\"}` (possible: %s)\n\n",
		DecideUpdate, g.Step, g.Actions[0], joinActions(g.Actions))
}

func writeStep(b *strings.Builder, s StepProgress) {
	fmt.Fprintf(b, "%s `%s` %s", marks[s.State], s.ID, s.Title)
	switch {
	case s.State == Done && s.Evidence != nil && s.Evidence.Summary != "":
		fmt.Fprintf(b, ": %s", oneLine(s.Evidence.Summary, 200))
	case s.State == Parked || s.State == SkippedBy:
		fmt.Fprintf(b, ": %s", oneLine(s.Error, 200))
	}
	b.WriteByte('\n')
}

func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

func oneLine(s string, limit int) string {
	return clip(strings.Join(strings.Fields(s), " "), limit)
}

func quote(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n> ") }
