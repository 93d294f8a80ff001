package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
)

// unfence forwards a port of the old side's VIP again that a takeover, or a person,
// has closed. One that is forwarded is left as it is, whatever answers behind it.
func (r *reprotecting) unfence(port int) Step {
	step := openPort(fmt.Sprintf("reprotect.08-unfence-%d", port), fmt.Sprintf("Forward port %d of %s again, if it was closed", port, r.standby.Name), r.site, r.standby, port)
	before := portBefore{site: r.site, cluster: r.standby, port: port}
	open, ask := step.Do, step.Ask
	step.Do = func(ctx workflow.Context) (activities.Evidence, error) {
		if err := before.look(ctx); err != nil {
			return activities.Evidence{}, err
		}
		if before.known.Configured {
			return activities.Evidence{Summary: fmt.Sprintf("port %d was not closed", port), Host: r.standby.Name}, nil
		}
		return open(ctx)
	}
	if ask != nil {
		step.Ask = func(ctx workflow.Context) (string, error) {
			if err := before.look(ctx); err != nil || before.known.Configured {
				return "", err
			}
			return ask(ctx)
		}
	}
	return step
}

// proof ends the copy: the standby holds what the primary holds.
func (r *reprotecting) proof() Step {
	step := newPairing(r.site, r.primary, r.out).proof()
	step.ID = "reprotect.20-proof"
	prove := step.Do
	step.Do = func(ctx workflow.Context) (activities.Evidence, error) {
		began := workflow.Now(ctx) // what is written later is not in it
		evidence, err := prove(ctx)
		if err == nil {
			r.proven = began
		}
		return evidence, err
	}
	return step
}

// remember writes onto both sides who protects whom from now on.
func (r *reprotecting) remember() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "reprotect.21-record", Title: fmt.Sprintf("Record on both sides that %s is the primary and %s its standby", r.primary.Name, r.standby.Name), Source: []string{"DR-01", "DR-43"}, Effect: Write,
			Calls: []string{"PUT /api/v1/namespaces/cpaas-system/configmaps/acpflow-pair   # on both sides; never synchronised"},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			record := activities.PairRecord{Primary: r.primary.Name, PrimaryUID: r.uid(r.primary), Standby: r.standby.Name, StandbyUID: r.uid(r.standby),
				Since: workflow.Now(ctx).UTC(), Run: runID(ctx), Mode: ModeReprotect, Owed: r.stillOwed()}
			struck := r.struck()
			for _, cluster := range []string{r.primary.Name, r.standby.Name} {
				if err := r.write(ctx, cluster, record); err != nil {
					return activities.Evidence{}, err
				}
			}
			r.record, r.out.Recovery = &record, r.recovery(record)
			return activities.Evidence{Summary: fmt.Sprintf("%s is the primary and %s its standby; %d changes are owed%s", r.primary.Name, r.standby.Name, len(record.Owed), struck),
				Facts: map[string]string{"owed": fmt.Sprint(len(record.Owed)), "uid." + r.primary.Name: record.PrimaryUID, "uid." + r.standby.Name: record.StandbyUID}}, nil
		},
	}
}

// recovery is the result of a reprotect: both sides hold the same again.
func (r *reprotecting) recovery(record activities.PairRecord) *Recovery {
	at := r.proven.UTC()
	text := fmt.Sprintf("both sides were proven equal at %s", stamp(at))
	if d := r.capture; d != nil {
		text += fmt.Sprintf("; of %s, %d keys were removed and %d overwritten, captured in %s on %s (SHA-256 %s)",
			r.standby.Name, d.OnlyOld, d.Different, d.File, orDash(d.Host), d.SHA256)
	}
	return &Recovery{Mode: ModeReprotect, Title: fmt.Sprintf("%s protects %s", r.standby.Name, r.primary.Name), From: r.primary.Name, To: r.standby.Name,
		FromUID: record.PrimaryUID, ToUID: record.StandbyUID, RPO: &RPO{Verified: true, EqualAt: &at, Text: text}, Owed: record.Owed}
}
