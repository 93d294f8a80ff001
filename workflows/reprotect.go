package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/site"
)

// ReprotectBook makes the old primary the standby of the new one after a
// switchover or a failover (DR-43, step 10): it waits for it, for days if need
// be, pays what is owed to it, captures what only it holds, and lets the
// synchronizer overwrite it only when other people have approved just that. The
// request names the cluster that becomes the standby. A run that ended half-way
// is started again: what is done is found done.
var ReprotectBook = Runbook{
	Name:    ReprotectName,
	Verb:    "reprotect",
	Changes: true,
	Pair:    true,
	Steps: func(s *site.Site, c *site.Cluster, out *Progress) []Step {
		return newReprotect(s, c, out).steps()
	},
}

// Reprotect is the workflow of ReprotectBook. Its input is one Request.
func Reprotect(ctx workflow.Context, input converter.RawValue) (*Progress, error) {
	return execute(ctx, ReprotectBook, input)
}

// reprotecting is what the steps of a reprotect share.
type reprotecting struct {
	site             *site.Site
	primary, standby *site.Cluster // the new primary; the old one, which becomes the standby
	out              *Progress
	sync             *syncing

	sides    activities.Identity               // by roles and onePrimary
	record   *activities.PairRecord            // the new primary's; nil = it has none, or an older one
	older    map[string]*activities.PairRecord // by side: those that are wrong unless the roles are
	answered *string                           // the doubt about them that people were asked about; nil = not yet
	capture  *activities.Divergence            // the newest
	captures int                               // taken by this run
	proven   time.Time                         // by proof
}

func newReprotect(s *site.Site, standby *site.Cluster, out *Progress) *reprotecting {
	sync := newSync(s, standby, out)
	return &reprotecting{site: s, primary: sync.primary, standby: standby, out: out, sync: sync}
}

// steps are in the order in which nothing is lost: nobody writes to the old side
// for longer than needed, so what is owed comes before the capture and its ports
// are opened after the approval; the last look is right before the copy begins.
func (r *reprotecting) steps() []Step {
	steps := []Step{r.roles(), r.wait(), r.onePrimary(), r.owed(), r.owedNames(), r.owedRestarts(), r.firstCapture(), r.approval()}
	for _, port := range checks.ForwardedPorts(*r.site) {
		if port != r.site.Platform.HTTPPort && port != activities.EtcdPort { // no fence closes the one; the other is the synchronizer's
			steps = append(steps, r.sync.keepWhileInstalled(r.unfence(port)))
		}
	}
	copying := r.sync.steps()
	install := slices.IndexFunc(copying, func(s Step) bool { return s.ID == "sync.07-install" })
	copying[install].Effect = Destructive // of what the old side holds
	return slices.Concat(steps, copying[:install], []Step{r.lastLook()}, copying[install:], []Step{r.proof(), r.remember()})
}

func (r *reprotecting) scope(c *site.Cluster) activities.Scope {
	return activities.Scope{Site: *r.site, Cluster: c.Name}
}

// pair names both sides by the roles that they shall have.
func (r *reprotecting) pair() activities.PairInput {
	return activities.PairInput{Site: *r.site, Primary: r.primary.Name, Standby: r.standby.Name}
}

func (r *reprotecting) uid(c *site.Cluster) string { return r.sides.Sides[c.Name].UID }

// follows reports whether the old side carries the synchronizer already, by an
// earlier run.
func (r *reprotecting) follows() bool { return r.sides.Sides[r.standby.Name].Synchronizer }
