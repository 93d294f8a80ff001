package workflows

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// lookLasts is how long a last look is good enough to ask a person by; for the act
// itself it is made anew.
const lookLasts = time.Minute

// lastLook sees, before anything that can't be taken back, that nothing copies
// and nothing can, and in a failover that the old side is still away.
func (t *takeover) lastLook() Step {
	return Step{
		StepInfo: StepInfo{
			ID: t.id("12-last-look"), Title: "Nothing copies in any direction, and nothing can", Source: []string{"DR-01", "DR-41", "DR-42"}, Effect: Read,
			Calls: t.lookCalls(),
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			said, err := t.nothingCopies(ctx)
			if err != nil {
				return activities.Evidence{}, err
			}
			if drift := t.drifted(ctx); drift != "" {
				said = append(said, drift)
			}
			return activities.Evidence{Summary: strings.Join(said, "; ")}, nil
		},
	}
}

func (t *takeover) lookCalls() []string {
	var out []string
	for _, c := range t.alive() {
		unless := map[bool]string{false: ", unless that is owed"}[t.planned]
		out = append(out, readPluginCall+"   # on "+c.Name+": nothing of it",
			fmt.Sprintf("connect to %s port %d   # refused, and not forwarded%s", c.Endpoint.VIP, activities.EtcdPort, unless))
	}
	if !t.planned {
		out = append(out, "connect to the nodes and the VIP of "+t.from.Name+"   # no answer")
	}
	if t.planned {
		out = append(out, "compare both etcds from where they were equal on   # what was written to "+t.from.Name+" since: said before the name moves")
	}
	return append(out, "kubectl get machines.platform.tkestack.io   # on "+t.to.Name)
}

// nothingCopies demands that no reachable side has a synchronizer, that etcd's
// port of every reachable VIP is closed, that a dead primary is still dead, and,
// in a switchover, that no Machine has gone since the last look.
func (t *takeover) nothingCopies(ctx workflow.Context) ([]string, error) {
	var looks []func(workflow.Context) (string, error)
	if !t.planned {
		looks = append(looks, func(ctx workflow.Context) (string, error) {
			return "nothing of " + t.from.Name + " answers", t.stillDown(ctx)
		})
	}
	for _, c := range t.alive() {
		looks = append(looks, func(ctx workflow.Context) (string, error) { return t.noSynchronizer(ctx, c) })
	}
	for _, c := range []*site.Cluster{t.from, t.to} {
		looks = append(looks, func(ctx workflow.Context) (string, error) { return t.etcdClosed(ctx, c) })
	}
	looks = append(looks, t.machinesNow)
	t.looked = nil
	said, err := together(ctx, looks...)
	if err == nil {
		now := workflow.Now(ctx)
		t.looked = &now
	}
	return said, err
}

func (t *takeover) noSynchronizer(ctx workflow.Context, c *site.Cluster) (string, error) {
	view, err := newSync(t.site, t.to, t.out).read(ctx, c)
	if err != nil {
		return "", err
	}
	if left := view.Left(); len(left) > 0 {
		return "", gateFault("see that nothing copies", "abort, or remove it and retry", "a synchronizer is on %s: %s", c.Name, strings.Join(left, ", "))
	}
	return "no synchronizer on " + c.Name + strings.Replace(view.Behind(), "; ", ", ", 1), nil
}

// etcdClosed demands that etcd's port of a side's VIP is closed, or owed.
func (t *takeover) etcdClosed(ctx workflow.Context, c *site.Cluster) (string, error) {
	if activities.Bare(c) {
		return fmt.Sprintf("the VIP of %s is a node's own address, nothing forwards port %d", c.Name, activities.EtcdPort), nil
	}
	if !t.planned && t.owes(c.Name, activities.OwedClosePort, activities.EtcdPort) {
		return t.owedPort(c), nil
	}
	look := (&portBefore{site: t.site, cluster: c, port: activities.EtcdPort}).now
	if !t.planned {
		look = func(ctx workflow.Context) (activities.PortState, error) {
			return t.lookAtDead(ctx, c, activities.EtcdPort)
		}
	}
	state, err := look(ctx)
	switch {
	case !t.planned && away(ctx, err):
		return fmt.Sprintf("port %d of %s was closed; its load balancer can't be reached now", activities.EtcdPort, c.Name), nil
	case err != nil:
		return "", err
	case state.Reachable || state.Configured:
		return "", gateFault("see that nothing can copy", fmt.Sprintf("remove the forwarding of port %d from %s, or abort; then retry", activities.EtcdPort, c.Endpoint.VIP),
			"port %d of %s (%s) is open", activities.EtcdPort, c.Endpoint.VIP, c.Name)
	}
	return fmt.Sprintf("port %d of %s is closed", activities.EtcdPort, c.Name), nil
}

// drifted tells, in a switchover, what was written to the old side since both
// were equal: it is not on the new one. Nothing forbids it, but a person should
// know before the name moves. What can't be told is said, too.
func (t *takeover) drifted(ctx workflow.Context) string {
	if !t.planned || t.equal == nil {
		return ""
	}
	in := activities.ProveInput{Site: *t.site, Primary: t.from.Name, Standby: t.to.Name}
	in.Site.DR.Sync.MaxLag = "1s" // nothing copies any more, so what differs settles no more
	if t.equal.mark.Usable() {
		in.Since = &t.equal.mark
	}
	t.drift = -1
	p, err := resultOf[etcd.Proof](glance(ctx, "See what was written since both sides were equal"), consistency.Prove, in)
	if err != nil {
		t.rec.RPO = &RPO{EqualAt: &t.equal.at, Text: fmt.Sprintf("%s; what was written to %s later could not be told: %s", t.equal, t.from.Name, clip(plainText(err), 300))}
	} else if t.drift = p.Missed + p.Different; p.Taken.IsZero() || t.drift > 0 {
		t.rec.RPO = &RPO{Verified: true, EqualAt: &t.equal.at, Text: fmt.Sprintf("%s; since then %d keys that %s has are not on %s, and %d are different there", t.equal, p.Missed, t.from.Name, t.to.Name, p.Different)}
	} else {
		t.rec.RPO = &RPO{Verified: true, EqualAt: &p.Taken, Text: fmt.Sprintf("%s, and still at %s nothing had been written to %s that %s does not have",
			t.equal, p.Taken.UTC().Format("15:04:05 UTC"), t.from.Name, t.to.Name)}
	}
	if err == nil && p.Surplus > 0 {
		t.rec.RPO.Text += fmt.Sprintf("; %d keys are on %s only: deleted on %s since, or made on %s", p.Surplus, t.to.Name, t.from.Name, t.to.Name)
	}
	t.entitle()
	return t.rec.RPO.Text
}

// record says on the new side who is who from now on, and what is owed, before
// the name moves: whoever looks there later must not take it for a standby.
func (t *takeover) record() Step {
	return Step{
		StepInfo: StepInfo{
			ID: t.id("12-record"), Title: "Record on " + t.to.Name + " who is primary, and what is owed", Source: []string{"DR-01", "DR-43"}, Effect: Write,
			Calls: []string{"PUT /api/v1/namespaces/cpaas-system/configmaps/acpflow-pair   # on " + t.to.Name + "; never synchronised"},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) { return t.write(ctx, t.to, t.entry(ctx)) },
		Undo: func(ctx workflow.Context) (activities.Evidence, error) {
			if t.before == nil {
				in := activities.ForgetRecordInput{Scope: t.scope(t.to), Run: runID(ctx)}
				return resultOf[activities.Evidence](steadyWrite(ctx, "Undo: forget what was recorded on "+t.to.Name), pairSides.ForgetPairRecord, in)
			}
			back := *t.before
			back.Taken, back.Since, back.Run = t.before.TakenAt(), workflow.Now(ctx).UTC(), runID(ctx)
			back.Moved = cmp.Or(back.Moved, t.toldBefore())
			return t.write(ctx, t.to, back)
		},
	}
}

// entry is what is recorded.
func (t *takeover) entry(ctx workflow.Context) activities.PairRecord {
	return activities.PairRecord{Primary: t.to.Name, PrimaryUID: t.rec.ToUID, Standby: t.from.Name, StandbyUID: t.rec.FromUID,
		Since: workflow.Now(ctx).UTC(), Run: runID(ctx), Mode: t.rec.Mode, Owed: t.debts(), Moved: t.told()}
}

func (t *takeover) write(ctx workflow.Context, on *site.Cluster, record activities.PairRecord) (activities.Evidence, error) {
	in := activities.WriteRecordInput{Scope: t.scope(on), Record: record}
	return resultOf[activities.Evidence](steadyWrite(ctx, "Record on "+on.Name+" who is primary"), pairSides.WritePairRecord, in)
}

// pointName is the point of no return: users write to the new side from now on.
func (t *takeover) pointName() Step {
	step := pointPlatform(t.id("13-point-dns"), fmt.Sprintf("Point %s at %s (%s)", t.site.Platform.Address, t.to.Name, strings.Join(activities.ClusterAddresses(t.site, t.to), ", ")), t.site, t.to, nil)
	step.Source, step.Effect = []string{"DR-42"}, Destructive
	step.PointOfNoReturn, step.Strict = true, true
	if t.site.DR.DNS != nil {
		step.Waits = float64(t.site.DR.DNS.TTL)
	}
	step.Calls = slices.Concat([]string{"# the last look again, right before:"}, t.lookCalls(),
		[]string{"PUT /api/v1/namespaces/cpaas-system/configmaps/acpflow-pair   # on " + t.to.Name + ": the name is told to lead there"}, step.Calls)
	point := pointDo(t.site, t.to, "Point "+t.site.Platform.Address+" at "+t.to.Name, t.spared)
	step.Ask = func(ctx workflow.Context) (string, error) {
		if err := t.lookForSilent(ctx); err != nil {
			return "", err
		}
		if t.pointed != nil { // it was approved, and the name may lead to both sides now
			return t.goOnWithout(), nil
		}
		if t.looked == nil || workflow.Now(ctx).Sub(*t.looked) > lookLasts {
			if _, err := t.nothingCopies(ctx); err != nil {
				return "", err
			}
			t.drifted(ctx) // the question tells it
		}
		t.asked = &question{at: workflow.Now(ctx), drift: t.drift, ailing: t.ailing}
		return t.lastQuestion(), nil
	}
	step.Do = func(ctx workflow.Context) (activities.Evidence, error) {
		evidence, err := t.move(ctx, point)
		t.tried = err != nil
		return evidence, t.soRetry(err)
	}
	return step
}

// move looks once more, unless the name is on its way already, and points it.
func (t *takeover) move(ctx workflow.Context, point func(workflow.Context) (activities.Evidence, error)) (activities.Evidence, error) {
	if err := t.oweFresh(ctx); err != nil {
		return activities.Evidence{}, t.notYet(err)
	}
	if t.pointed == nil || !t.halfMoved(ctx) {
		if err := t.mayMove(ctx); err != nil {
			return activities.Evidence{}, err
		}
		now := workflow.Now(ctx)
		t.pointed = &now
	}
	evidence, err := point(ctx)
	switch {
	case err == nil:
		t.moved(workflow.Now(ctx))
		t.heard()
	case t.turnedDown(ctx, err):
		err = refusedAs(err)
	}
	if isType(err, string(fault.Refused)) && !t.byHand() { // nothing was changed: what is true now need not be when it is tried again
		t.pointed = nil
	}
	return evidence, err
}

// refusedAs says that the name was not told to move, so that an abort still undoes
// everything.
func refusedAs(err error) error {
	return temporal.NewNonRetryableApplicationError(plainText(err), string(fault.Refused), nil)
}

// question is what was true when people were asked for the last time.
type question struct {
	at    time.Time
	drift int // keys of the old side that the new one lacks or has otherwise; -1 = not known

	ailing *activities.MachinesView // the new side's Machines, when something was wrong with them
}

// outOfDate refuses an answer to a question that is older than an approval may be,
// when more was written to the old side since: who approved had another number before
// their eyes, and users would miss what they did for hours or days.
func (t *takeover) outOfDate(now time.Time) error {
	limit := t.site.Policy.Approvals.Lasts()
	if !t.planned || t.pointed != nil || t.asked == nil || now.Sub(t.asked.at) <= limit || t.drift >= 0 && t.drift <= t.asked.drift {
		return nil
	}
	f := fault.New(fault.Refused, "point "+t.site.Platform.Address+" at "+t.to.Name, "", "retry and approve what is asked then within "+limit.String()+"; or abort, which lets the synchronizer copy what was written",
		fmt.Errorf("the approval came %s after the question, and more was written to %s since than it said: %s", now.Sub(t.asked.at).Round(time.Second), t.from.Name, t.rec.RPO.Text))
	return temporal.NewNonRetryableApplicationError(clip(f.Error(), maxGateText), string(fault.Refused), nil)
}

// turnedDown reports that the change was not made, and will not be: the server did
// not accept the key, the name is an alias, the person has not made it. Then nothing
// has happened that can't be taken back. A change that was sent and not answered may
// still come, so it is not enough that no server shows it.
func (t *takeover) turnedDown(ctx workflow.Context, err error) bool {
	if !isType(err, string(fault.Auth)) && !isType(err, string(fault.BadInput)) && !isType(err, string(fault.Gate)) {
		return false
	}
	now, err := lookUpPlatform(ctx, t.site)
	if err != nil || now.Cluster != t.from.Name {
		return false
	}
	// What a person has done to a server that is silent, nobody knows.
	return now.Agreed || !t.byHand() && len(now.Silent) > 0 && !now.Contradicted && t.onlySpared(now)
}

// byHand reports that a person changes the name.
func (t *takeover) byHand() bool {
	return t.site.DR.DNS == nil || t.site.DR.DNS.Driver == site.DNSManual
}

// halfMoved reports whether a server is known to lead to the new side already.
// Then no look may hold up the rest; where that is not known, it is looked again.
func (t *takeover) halfMoved(ctx workflow.Context) bool {
	now, err := lookUpPlatform(ctx, t.site)
	if err != nil {
		return false
	}
	return t.leadsHere(now)
}

// moved completes the RPO when the name leads to the new side everywhere.
func (t *takeover) moved(now time.Time) {
	t.led = &now
	if r := t.rec.RPO; r != nil && t.planned && r.EqualAt != nil {
		r.UnknownSeconds = max(now.Sub(*r.EqualAt), 0).Seconds()
		r.Text += fmt.Sprintf("; what caches and open connections still wrote to %s in the %s until the name led to %s everywhere is not on %s",
			t.from.Name, now.Sub(*r.EqualAt).Round(time.Second), t.to.Name, t.to.Name)
	}
}

func (t *takeover) lastQuestion() string {
	if t.resumed != "" {
		return t.finishQuestion()
	}
	text := fmt.Sprintf("Make %s the primary in place of %s? %s will be pointed at %s. ", t.who(t.to), t.who(t.from), t.site.Platform.Address, strings.Join(activities.ClusterAddresses(t.site, t.to), " and "))
	if t.rec.RPO != nil {
		text += "Known of the data: " + t.rec.RPO.Text + ". "
	}
	text += t.machinesAsIs()
	if owed := append(t.debts(), t.fresh...); len(owed) > 0 {
		text += "Owed, because it could not be reached: " + debtText(owed) + ". " + t.ownPortAsIs()
	}
	switch {
	case t.planned && t.site.DR.Takeover.Fence && !activities.Bare(t.from):
		text += fmt.Sprintf("Nothing is copied any more, and the ports of %s are closed: USERS ARE WITHOUT THE PLATFORM while this waits. ", t.from.Name)
	case t.planned:
		text += fmt.Sprintf("Nothing is copied any more: what users write to %s while this waits will be missing on %s. ", t.from.Name, t.to.Name)
	}
	if t.byHand() {
		text += "After the approval you are asked to change the name by hand. "
	}
	return text + fmt.Sprintf("From then on users write to %s and an abort puts nothing back; the way back is acpflow reprotect and another switchover, and whatever only %s holds is overwritten by that. %s", t.to.Name, t.from.Name, t.anAbort())
}

func debtText(owed []activities.Owed) string {
	out := make([]string, len(owed))
	for i, o := range owed {
		out[i] = o.String()
	}
	return strings.Join(out, ", ")
}
