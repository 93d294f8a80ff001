package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
)

// An abort makes the new side a standby again: the synchronizer comes back and copies
// over it what the old side holds. That is right only as long as no user works there.
// The name may have been moved behind the run's back, by hand most of all, so it is
// looked at before anything is taken back, and once more before the synchronizer comes.

// holdUndo keeps everything as it is while the name leads any server's clients to the
// new side. Where nobody can tell, a person may say so: told = one has.
func (t *takeover) holdUndo(ctx workflow.Context, told bool) error {
	t.vouched = false
	if t.plugin == nil || !t.plugin.Present() {
		return nil // none will be put back
	}
	now, err := t.whereItLeads(ctx)
	switch {
	case t.leadsHere(now):
		return gateFault("take this "+t.rec.Mode+" back", fmt.Sprintf("go on, to step %s and further; or, if nobody has written to %s yet, point the name back at %s on every server and abort again",
			t.id("13-point-dns"), t.to.Name, t.from.Name), "%s", t.usersHere(now))
	case err == nil && t.leadsBack(now):
		return nil
	case told && ctx.Err() == nil:
		t.vouched = true
		return nil
	}
	return unsure(fmt.Sprintf("nobody can tell where %s leads: %s. If it leads to %s for anybody, the synchronizer that an abort puts back copies the data of %s over what users write there. "+
		"Fix: make the name servers answer and abort again; or, if you KNOW that nobody is led to %s, abort once more and say how you know",
		t.site.Platform.Address, said(now, err), t.to.Name, t.from.Name, t.to.Name))
}

// holdSynchronizer is the same in the moment in which the synchronizer is put back:
// the rest of an undo may have waited for a person for days.
func (t *takeover) holdSynchronizer(ctx workflow.Context) error {
	op := "put the synchronizer of " + t.to.Name + " back"
	now, err := t.whereItLeads(ctx)
	switch {
	case t.leadsHere(now):
		return gateFault(op, fmt.Sprintf("leave it off: skip, then acpflow failover --cluster %s, or acpflow reprotect --cluster %s when %s is back. Or, if nobody has written to %s yet, point the name back at %s on every server, then retry",
			t.to.Name, t.from.Name, t.from.Name, t.to.Name, t.from.Name), "%s", t.usersHere(now))
	case err == nil && t.leadsBack(now) || t.vouched:
		return nil
	}
	return gateFault(op, fmt.Sprintf("make the name servers answer, then retry; or leave it off: skip, and acpflow enable-sync --cluster %s when it is certain that users work on %s", t.to.Name, t.from.Name),
		"nobody can tell where %s leads: %s", t.site.Platform.Address, said(now, err))
}

func (t *takeover) usersHere(now activities.PlatformAddress) string {
	return fmt.Sprintf("%s leads to %s (%s), so users may write there by now, and the synchronizer would copy the data of %s over it", t.site.Platform.Address, t.to.Name, answers(now), t.from.Name)
}

// leadsBack reports that every server answers, and leads to the old side.
func (t *takeover) leadsBack(now activities.PlatformAddress) bool {
	return now.Cluster == t.from.Name && len(now.Silent) == 0 && !now.Contradicted
}

// whereItLeads looks the name up. Where no server that counts answers, it comes with
// that error, and with what the resolvers say.
func (t *takeover) whereItLeads(ctx workflow.Context) (activities.PlatformAddress, error) {
	now, err := lookUpPlatform(ctx, t.site)
	if err != nil && ctx.Err() == nil {
		in := activities.ClusterInput{Scope: activities.Scope{Site: *t.site}}
		now, _ = resultOf[activities.PlatformAddress](quickRead(ctx, "Ask the resolvers for "+t.site.Platform.Address), (*activities.DNS)(nil).AskResolvers, in)
	}
	return now, err
}

// said is what the name servers said, and why those that count did not.
func said(now activities.PlatformAddress, err error) string {
	said := answers(now)
	if err != nil {
		said = strings.TrimSuffix(plainText(err)+"; "+said, "; ")
	}
	return said
}
