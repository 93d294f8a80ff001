package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks/pair"
)

// unreachable proves that nothing of the old side answers, and asks a person
// what no probe can tell: whether it is off, or only cut off from here.
func (t *takeover) unreachable() Step {
	limit := t.site.DR.Takeover.Down()
	return Step{
		StepInfo: StepInfo{
			ID: t.id("02-unreachable"), Title: fmt.Sprintf("Nothing of %s answers for %s, and a person confirms that it is down or fenced", t.from.Name, limit),
			Source: []string{"DR-02", "DR-41"}, Effect: Read, Strict: true, Waits: limit.Seconds(),
			Calls: []string{
				fmt.Sprintf("connect to the nodes and the VIP of %s, ports 22, 443, 2379, 6443   # again and again, from the worker and from every control plane of %s", t.from.Name, t.to.Name),
				"GET /api/v1/namespaces/cpaas-system/configmaps/acpflow-sync-ledger   # on " + t.to.Name + ": when both sides were last equal",
			},
		},
		Ask: func(ctx workflow.Context) (string, error) {
			if t.out.Request.DryRun {
				return "", nil
			}
			if err := t.proveDown(ctx); err != nil {
				return "", err
			}
			if err := t.readLedger(ctx); err != nil {
				return "", err
			}
			seen := strings.TrimSuffix(t.down.Summary, ".")
			if unseen := t.unseen(t.spared()); unseen != "" {
				seen += ". " + unseen
			}
			return fmt.Sprintf("Is %s down or fenced, and will it stay so? %s. No probe can tell a dead side from one that is only cut off from here: "+
				"if %s still works for its users or comes back by itself, both sides are primary at once and what users write on one of them is lost. "+
				"Approve when somebody has seen to it that it is switched off or cut off. %s then goes on to become the primary. Known of the data: %s",
				t.who(t.from), seen, t.from.Name, t.who(t.to), t.knownOfData(workflow.Now(ctx))), nil
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			if t.silent == nil { // a dry run, where nobody was asked
				err := t.proveDown(ctx)
				return t.down, err
			}
			return t.down, t.stillDown(ctx) // the person may have answered much later
		},
	}
}

func (t *takeover) proveDown(ctx workflow.Context) error {
	began := workflow.Now(ctx)
	limit := t.site.DR.Takeover.Down()
	in := activities.UnreachableInput{PairInput: t.pair(), For: limit}
	down, err := resultOf[activities.Evidence](silence(ctx, t.site, fmt.Sprintf("See that nothing of %s answers for %s", t.from.Name, limit)), pairSides.ProveUnreachable, in)
	if err != nil {
		t.silent, t.lastSilent, t.unwatched = nil, nil, nil
		return err
	}
	t.down = down
	now := workflow.Now(ctx)
	if t.silent == nil { // an attempt that saw nothing says nothing of the time it took
		t.silent = later(began, now.Add(-limit))
	}
	t.watched(began, now)
	return nil
}

// gap is a time in which a person was waited for and nobody looked.
type gap struct{ from, to time.Time }

// watched notes that the old side was silent for a time, and the gap before it. One
// that is no longer than what a proof of silence takes is none.
func (t *takeover) watched(from, to time.Time) {
	if t.lastSilent != nil && from.Sub(*t.lastSilent) > t.site.DR.Takeover.Down() {
		t.unwatched = append(t.unwatched, gap{*t.lastSilent, from})
	}
	t.lastSilent = &to
}

// gaps is the part of the RPO statement that nobody can vouch for but who said that
// the old side stays down.
func (t *takeover) gaps() string {
	const clock = "15:04:05"
	var out []string
	for _, g := range t.unwatched {
		out = append(out, fmt.Sprintf("%s to %s UTC", g.from.UTC().Format(clock), g.to.UTC().Format(clock)))
	}
	if len(out) == 0 {
		return ""
	}
	return fmt.Sprintf("; nobody looked whether %s answers from %s, so only who said that it stays down vouches for that time", t.from.Name, strings.Join(out, " and from "))
}

func later(a, b time.Time) *time.Time {
	if b.After(a) {
		return &b
	}
	return &a
}

// stillDown demands one more round without an answer.
func (t *takeover) stillDown(ctx workflow.Context) error {
	seen, err := resultOf[activities.Reachability](steadyRead(ctx, "See that "+t.from.Name+" is still down"), pairSides.WhoAnswers, t.pair())
	switch {
	case err != nil:
		return err
	case len(seen.Answers) > 0:
		t.silent, t.lastSilent, t.unwatched = nil, nil, nil // what was proven holds no more, and it may be written to until it is silent again
		t.restate(workflow.Now(ctx))
		return gateFault("fail over to "+t.to.Name, fmt.Sprintf("fence %[1]s and retry, or abort and use acpflow switchover: both sides are alive, so nothing need be lost", t.from.Name),
			"%s is back: %s", t.from.Name, several(seen.Answers))
	case seen.Probes == 0:
		return gateFault("fail over to "+t.to.Name, "see that the worker reaches "+t.to.Name+", then retry", "nothing was probed, so nobody knows whether %s is down", t.from.Name)
	case t.silent == nil: // it has answered since: one silent moment is not enough
		err := t.proveDown(ctx)
		t.restate(workflow.Now(ctx))
		return err
	}
	t.watched(workflow.Now(ctx), workflow.Now(ctx))
	t.restate(workflow.Now(ctx))
	return nil
}

// restate says again what is known of the data, because the old side was not silent
// for all the time that was thought.
func (t *takeover) restate(now time.Time) {
	r := t.rec.RPO
	if t.planned || r == nil {
		return
	}
	*r = *t.rpo(now)
}

// readLedger reads what the new side remembers of earlier checks. One of the
// other direction tells nothing of this one.
func (t *takeover) readLedger(ctx workflow.Context) error {
	side, err := resultOf[pair.Side](watching(ctx, "Read the ledger of "+t.to.Name), pairSides.ObserveSide, activities.SideInput{Scope: t.scope(t.to)})
	if err != nil {
		return err
	}
	if side.Fault != nil {
		return gateFault("read the ledger of "+t.to.Name, "see why it does not answer, then retry", "%s can't be reached: %s", t.to.Name, side.Fault.Message)
	}
	ledger, err := side.Ledger.Get()
	if err != nil { // nobody knows is an answer here: the question says so
		workflow.GetLogger(ctx).Warn("the ledger can't be read", "error", err)
	}
	t.good = nil
	if g := ledger.Good; g != nil && g.From == t.from.Name && g.To == t.to.Name {
		t.good = g
	}
	t.rec.RPO = t.rpo(workflow.Now(ctx))
	t.entitle()
	return nil
}

// since is for how long the old side may have been written to after a moment:
// until it was first seen not to answer.
func (t *takeover) since(at, now time.Time) time.Duration {
	end := now
	if t.silent != nil {
		end = *t.silent
	}
	return max(end.Sub(at), 0).Round(time.Second)
}

// knownOfData is the RPO statement of a failover.
func (t *takeover) knownOfData(now time.Time) string {
	if r := t.ended(); r != nil {
		return Unverified + ": " + t.nothingSince(r, now) + t.gaps()
	}
	known := Unverified + ": " + t.unknownEnd()
	if t.good == nil {
		return known + "no check that found both sides equal is known, so nobody can tell what is missing on " + t.to.Name
	}
	g := t.good
	return known + fmt.Sprintf("both sides were known to be equal at %s (%d keys, %s at revision %d); what was written to %s in the %s after that may be missing on %s%s",
		stamp(g.At), g.Compared, g.From, g.Primary.Revision, t.from.Name, t.since(g.At, now), t.to.Name, t.gaps())
}

// lastGood takes the place of the comparison, which needs both sides: what the
// ledger knows, and whether the new side hangs together in itself.
func (t *takeover) lastGood() Step {
	return Step{
		StepInfo: StepInfo{
			ID: t.id("06-last-good"), Title: fmt.Sprintf("What is known of %s: when both sides were last equal, its owners, its Machines", t.to.Name),
			Source: []string{"DR-33", "DR-41"}, Effect: Read, Strict: true,
			Calls: []string{
				"GET /api/v1/namespaces/cpaas-system/configmaps/acpflow-sync-ledger   # on " + t.to.Name,
				"etcd Range /registry on " + t.to.Name + "   # owner references that lead nowhere",
				"kubectl get machines.platform.tkestack.io   # on " + t.to.Name + ": all Running, none being deleted",
			},
		},
		Ask: func(ctx workflow.Context) (string, error) {
			if t.out.Request.DryRun {
				return "", nil
			}
			evidence, err := t.sound(ctx)
			if err != nil {
				return "", err // no question about what must not be done anyway
			}
			now := workflow.Now(ctx)
			if t.accounted(now) {
				t.sounded = &evidence
				return "", nil
			}
			return t.goOn(now), nil
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			if just := t.sounded; just != nil { // nobody was asked, so no time has passed
				t.sounded = nil
				return *just, nil
			}
			return t.sound(ctx)
		},
	}
}

// sound demands that every owner on the new side is there and every Machine runs.
func (t *takeover) sound(ctx workflow.Context) (activities.Evidence, error) {
	var machines activities.MachinesView
	said, err := together(ctx,
		func(ctx workflow.Context) (string, error) { return "", t.readLedger(ctx) },
		func(ctx workflow.Context) (string, error) {
			owners, err := t.ownersThere(ctx)
			return owners.Summary, err
		},
		func(ctx workflow.Context) (_ string, err error) {
			machines, err = t.machinesRun(ctx, t.to, nil)
			return machines.Summary, err
		})
	if err != nil {
		return activities.Evidence{}, err
	}
	return activities.Evidence{Summary: t.knownOfData(workflow.Now(ctx)) + "; " + said[1] + "; " + said[2], Host: t.to.Name,
		Facts: map[string]string{"good": goodAt(t.good), "machines": fmt.Sprint(machines.Total), "digest": machines.Digest}}, nil
}

func goodAt(g *pair.Good) string {
	if g == nil {
		return "never"
	}
	return g.At.UTC().Format(time.RFC3339)
}
