package workflows

import (
	"cmp"
	"fmt"
	"maps"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
)

// The old side goes on living while people decide, and users of the new one go on
// changing what both had. So a capture counts for the run that took it only, the
// last one is taken right before the copy begins, and people are asked a second
// time only about what was created on the old side since they were asked first:
// they could not know of it. That is asked once, so that a side which never stands
// still can't keep a run from ending; what comes after is captured all the same.

// firstCapture keeps what only the old side holds, before anybody is asked.
func (r *reprotecting) firstCapture() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "reprotect.06-capture", Title: fmt.Sprintf("Capture what %s holds and %s does not", r.standby.Name, r.primary.Name), Source: []string{"DR-41", "DR-43"}, Effect: Write,
			Calls: r.captureCalls(),
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			r.capture = nil // with nothing to compare it with
			if err := r.take(ctx); err != nil {
				return activities.Evidence{}, err
			}
			return r.captured(), nil
		},
	}
}

func (r *reprotecting) captureCalls() []string {
	return []string{
		fmt.Sprintf("etcd snapshot of %s, and the list of keys that differ from %s, with hashes and without values   # root 0600 under /var/lib/acpflow/safety on a control plane of %s",
			r.standby.Name, r.primary.Name, r.standby.Name),
		"etcd Range /registry at pinned revisions   # both sides, reads only",
	}
}

// take makes a new capture, in a folder of its own, which also says what was
// created on the old side since the one before it.
func (r *reprotecting) take(ctx workflow.Context) error {
	var a *activities.Safety
	r.captures++
	in := activities.DivergenceInput{PairInput: r.pair(), Run: fmt.Sprintf("%s-%d", runID(ctx), r.captures)}
	if r.capture != nil {
		in.Since = r.capture.OldAt
	}
	var now activities.Divergence
	if err := workflow.ExecuteActivity(capturing(ctx, "Capture what only "+r.standby.Name+" holds"), a.CaptureDivergence, in).Get(ctx, &now); err != nil {
		return err
	}
	r.capture = &now
	return nil
}

// captured is the evidence of the newest capture, with its counts.
func (r *reprotecting) captured() activities.Evidence {
	d := r.capture
	evidence := d.Evidence
	evidence.Facts = map[string]string{"onlyOld": fmt.Sprint(d.OnlyOld), "onlyNew": fmt.Sprint(d.OnlyNew), "different": fmt.Sprint(d.Different), "file": d.File, "sha256": d.SHA256}
	maps.Copy(evidence.Facts, d.Facts)
	return evidence
}

// approval lets other people than who asked for the run decide about what will
// be lost, before anything is opened or copied. The roles are looked at again
// when they have: that may take days.
func (r *reprotecting) approval() Step {
	return Step{
		StepInfo: StepInfo{ID: "reprotect.07-approve", Title: fmt.Sprintf("Other people approve that %s is overwritten, and %s is still the only primary", r.standby.Name, r.primary.Name),
			Source: []string{"DR-41", "DR-43"}, Effect: Read, Strict: true, Calls: r.roleCalls()},
		Ask: func(workflow.Context) (string, error) {
			r.asked()
			if r.follows() && r.capture.OnlyOld+r.capture.Different == 0 && r.doubt() == "" {
				return "", nil // an earlier run was approved, and nothing is left to lose
			}
			return r.question() + " Overwrite " + r.standby.Name + "?", nil
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) { return r.look(ctx, true) },
	}
}

// lastLook comes right before the copy begins: nothing that the old side holds by
// then is overwritten without having been captured.
func (r *reprotecting) lastLook() Step {
	asked := false
	return unless(r.copies, Step{
		StepInfo: StepInfo{ID: "reprotect.09-last-look", Title: fmt.Sprintf("Capture %s once more; what was created there since the approval needs another one", r.standby.Name),
			Source: []string{"DR-41", "DR-43"}, Effect: Write, Strict: true, Calls: append(r.captureCalls(), r.roleCalls()...)},
		Ask: func(ctx workflow.Context) (string, error) {
			asked = false
			if err := r.take(ctx); err != nil || r.capture.Created == 0 && !r.newDoubt() {
				return "", err
			}
			asked = true
			since := fmt.Sprintf("%d keys were created on %s that only it has", r.capture.Created, r.standby.Name)
			if r.newDoubt() {
				since += ", and the records of who is primary have changed"
			}
			r.asked()
			return fmt.Sprintf("Since the approval %s. %s What is written there until the copy begins is captured and overwritten as well. Overwrite %s?",
				since, r.question(), r.standby.Name), nil
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			if _, err := r.look(ctx, true); err != nil {
				return activities.Evidence{}, err
			}
			if asked { // the answer has taken its time
				if err := r.take(ctx); err != nil {
					return activities.Evidence{}, err
				}
			}
			return r.captured(), nil
		},
	})
}

// copies is why the last look is not needed: the copy has begun, in an earlier run.
func (r *reprotecting) copies() string {
	if !r.follows() {
		return ""
	}
	return r.standby.Name + " carries the synchronizer already"
}

// question says what is lost, whose it is and where it is kept.
func (r *reprotecting) question() string {
	d := r.capture
	text := fmt.Sprintf("%s (UID %s) becomes the standby of %s (UID %s) and is overwritten. %d keys exist only on %s and will be removed, %d differ and get the value of %s, %d exist only on %s and are copied.",
		r.standby.Name, r.uid(r.standby), r.primary.Name, r.uid(r.primary), d.OnlyOld, r.standby.Name, d.Different, r.primary.Name, d.OnlyNew, r.primary.Name)
	if len(d.Samples) > 0 {
		text += " Among them: " + several(d.Samples) + "."
	}
	text += fmt.Sprintf(" Captured: the list %s on %s (SHA-256 %s), and %s's whole etcd, %s on %s (SHA-256 %s).",
		d.File, orDash(d.Host), d.SHA256, r.standby.Name, d.Snapshot, orDash(cmp.Or(d.Facts["snapshotHost"], d.Host)), d.Digest)
	if doubt := r.doubt(); doubt != "" {
		return text + fmt.Sprintf(" %s leads to %s for every name server. ", r.site.Platform.Address, r.primary.Name) + doubt
	}
	if r.record == nil {
		return text + fmt.Sprintf(" No takeover is recorded on %s: only the platform's name says that it is the primary.", r.primary.Name)
	}
	return text + fmt.Sprintf(" %s is the primary by the %s of %s.", r.primary.Name, r.record.Mode, stamp(r.record.Since))
}
