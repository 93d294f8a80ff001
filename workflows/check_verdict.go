package workflows

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/etcd"
)

// judge makes the card.
func (c *syncCheck) judge() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "check.06-judge", Title: fmt.Sprintf("Judge the pair by %d rules", len(pair.Rules())), Effect: Read,
			Source: []string{"DR-01", "DR-07", "DR-22", "DR-24", "DR-30", "DR-31", "DR-33", "DR-41"},
			Calls:  []string{"(none: pure)"},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			verdict := &SyncVerdict{Repairs: c.repairs, Note: c.note, Proof: c.facts.Proof.Value}
			in := activities.JudgePairInput{Facts: c.facts, Earlier: c.earlier}
			if err := inPlace(ctx, "Judge the pair", "JudgePair", in, &verdict.Card); err != nil {
				return activities.Evidence{}, err
			}
			if c.proof != nil {
				verdict.Resources, verdict.Ignored = c.proof.Resources, c.proof.Ignored
			}
			verdict.Summary = summaryOf(verdict, c.facts.Ledger().Why, workflow.Now(ctx))
			c.out.Sync = verdict
			var worst []checks.Finding
			for _, g := range verdict.Findings {
				if g.Blocking() {
					worst = append(worst, g)
				}
			}
			return activities.Evidence{Summary: verdict.Summary, Findings: worst}, nil
		},
	}
}

// summaryOf is the verdict in one line. unread tells why no ledger is known.
func summaryOf(v *SyncVerdict, unread string, now time.Time) string {
	t := v.Tally
	var parts []string
	switch {
	case !v.Blocking:
		parts = append(parts, fmt.Sprintf("consistent: %s is the standby of %s", v.Roles.Standby, v.Roles.Primary))
		if v.Good == nil {
			parts[0] = absentSummary(v.Proof)
		}
	default:
		parts = append(parts, fmt.Sprintf("not consistent: %d checks failed, %d could not be told", t.Fail, t.Error))
	}
	if t.Warn > 0 {
		parts = append(parts, fmt.Sprintf("%d warnings", t.Warn))
	}
	if v.Good == nil {
		parts = append(parts, lastGood(v.Known, unread, now))
	}
	if v.Note != "" {
		parts = append(parts, v.Note)
	}
	return strings.Join(parts, "; ")
}

// absentSummary is said where the synchronizer is absent on purpose: nothing is
// wrong, and nothing is known to be consistent.
func absentSummary(p *pair.Proof) string {
	if p == nil {
		return "the synchronizer is absent on purpose, and nothing was compared"
	}
	return fmt.Sprintf("the synchronizer is absent on purpose, and nothing is copied: %d missed, %d surplus, %d different of %d keys compared (%s)",
		p.Missed, p.Surplus, p.Different, p.Compared, p.Mode)
}

// lastGood says how far both sides are known to have been equal: after a
// disaster, everything later may be missing.
func lastGood(good *pair.Good, unread string, now time.Time) string {
	switch {
	case good == nil && unread != "":
		return "when both sides were last equal is not known: " + unread
	case good == nil:
		return "no earlier check that found both sides equal is known"
	}
	return fmt.Sprintf("both sides were last equal at %s, %s ago (%s to %s, primary at revision %d)",
		good.At.UTC().Format("2006-01-02 15:04:05 UTC"), now.Sub(good.At).Round(time.Second), good.From, good.To, good.Primary.Revision)
}

// noLedger tells why there is nowhere to write: no standby is known, or it does
// not answer.
func (c *syncCheck) noLedger() string {
	roles := c.facts.Roles()
	if roles.Standby == "" {
		return roles.Why
	}
	for _, s := range c.facts.Sides {
		if s.Cluster == roles.Standby && s.Fault != nil {
			return s.Cluster + " can't be reached"
		}
	}
	return ""
}

// remember writes into the standby's ledger how the check ended. The verdict
// stands without it, so a ledger that can't be written is said, not asked about.
func (c *syncCheck) remember() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "check.07-ledger", Title: "Remember the check on the standby, where it outlives the primary", Effect: Write, Source: []string{"DR-33"},
			Calls: []string{"PUT /api/v1/namespaces/cpaas-system/configmaps/acpflow-sync-ledger   # on the standby; never synchronised"},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			v := c.out.Sync
			outcome := Succeeded
			if v.Blocking {
				outcome = ChecksFailed
			}
			in := activities.LedgerInput{Scope: c.scope(v.Roles.Standby), Good: v.Good, Past: pair.Past{
				At: workflow.Now(ctx).UTC(), Run: workflow.GetInfo(ctx).WorkflowExecution.RunID, Outcome: string(outcome), Repairs: c.repairs, Summary: clip(v.Summary, 300)}}
			switch p := c.proof; {
			case p == nil:
			case p.Orphans > 0: // which only a full proof looks for
				in.Forget = true
			case p.Mark.Usable():
				in.Mark, _ = json.Marshal(p.Mark) // strings and numbers always marshal
				if p.Mode == etcd.Full && p.Owners {
					in.Full = p.Taken
				}
			}
			var evidence activities.Evidence
			err := c.do(watching(ctx, "Write the ledger"), false, "RecordCheck", in, &evidence)
			if err != nil && ctx.Err() == nil {
				evidence, err = activities.Evidence{Summary: "not written: " + plainText(err)}, nil
			}
			return evidence, err
		},
	}
}
