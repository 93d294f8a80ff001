package workflows

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
)

// A name server has often died with its data centre, and at night nobody shall have
// to edit the site document for it. So a failover goes on without the servers that
// give no answer: each is named in the questions and owed, and reprotect demands that
// it is right before anything is copied. What such a server does answer must be right
// all the same, and one authoritative server must answer. A server that falls silent
// later holds up the move of the name; a retry then asks people to go on without it.

// isNameServer tells what is owed of a name server or resolver from what is owed to a side.
func isNameServer(o activities.Owed) bool { return o.Action == activities.OwedNameServer }

// judgeServers decides whether to go on without the servers that gave no answer.
func (t *takeover) judgeServers(ctx workflow.Context, address activities.PlatformAddress) error {
	t.rec.Owed = slices.DeleteFunc(t.rec.Owed, isNameServer) // by an earlier try
	op, mute := "make "+t.to.Name+" the primary", t.mute(ctx, address)
	switch {
	case len(address.Silent) == 0:
		return nil
	case len(mute) < len(address.Silent) || t.planned && !t.owedBefore(mute):
		return gateFault(op, "mend them; what was lost with "+t.from.Name+" take out of dr.dns in the site document, then start again",
			"not every name server and resolver answers, so the name could not be moved and seen later: %s", answers(address))
	case t.noUpdates(address):
		return gateFault(op, "start it; if it is lost, let another server take the updates and name that in dr.dns.rfc2136.server, then start again",
			"%s, which takes the updates of the zone, gives no answer, so the name could not be moved later: %s", activities.UpdateServer(t.site), answers(address))
	}
	t.rec.Owed = append(t.rec.Owed, mute...)
	return nil
}

// noUpdates reports that the name is still to be moved, and that the server which
// would move it gives no answer: no going on without it helps.
func (t *takeover) noUpdates(address activities.PlatformAddress) bool {
	_, down := address.Silent[activities.UpdateServer(t.site)]
	return down && address.Cluster != t.to.Name
}

// mute are the debts for the servers that gave no answer. One that answers nonsense
// is not silent.
func (t *takeover) mute(ctx workflow.Context, address activities.PlatformAddress) (out []activities.Owed) {
	for _, server := range slices.Sorted(maps.Keys(address.Silent)) {
		if !slices.Contains(address.Garbled, server) {
			out = append(out, activities.Owed{Action: activities.OwedNameServer, Server: server, Since: workflow.Now(ctx).UTC(),
				Why: "it gave no answer: " + clip(address.Silent[server], 300)})
		}
	}
	return out
}

// owedBefore reports whether this run finishes one that has owed all of these: then
// they were asked about.
func (t *takeover) owedBefore(list []activities.Owed) bool {
	return t.resumed != "" && !slices.ContainsFunc(list, func(o activities.Owed) bool { return !slices.ContainsFunc(t.before.Owed, o.Same) })
}

// spared are the servers that may be silent.
func (t *takeover) spared() (out []string) {
	for _, o := range t.rec.Owed {
		if isNameServer(o) {
			out = append(out, o.Server)
		}
	}
	return out
}

// onlySpared reports that no other server than those was silent.
func (t *takeover) onlySpared(address activities.PlatformAddress) bool {
	spared := t.spared()
	for _, server := range slices.Sorted(maps.Keys(address.Silent)) {
		if !slices.Contains(spared, server) || slices.Contains(address.Garbled, server) {
			return false
		}
	}
	return true
}

// unseen tells people what nobody can see of the servers that are silent; "" = none is.
func (t *takeover) unseen(servers []string) string {
	if len(servers) == 0 {
		return ""
	}
	return fmt.Sprintf("NO ANSWER comes from %s: who asks there may still be led to %s, and nobody can see or change that from here. The run goes on without, and owes it: acpflow reprotect demands that the name leads to %s there, too",
		strings.Join(servers, ", "), t.from.Name, t.to.Name)
}

// lookForSilent finds, when a failover tries again to move the name, the servers that
// have fallen silent since they were looked at. Without the one that takes the updates
// it can't go on before every other leads to the new side.
func (t *takeover) lookForSilent(ctx workflow.Context) error {
	t.fresh = nil
	if t.planned || !t.tried {
		return nil
	}
	address, err := t.lookUp(ctx)
	if err != nil {
		return err
	}
	if t.noUpdates(address) {
		return gateFault("point "+t.site.Platform.Address+" at "+t.to.Name,
			fmt.Sprintf("start it, then retry; if it is lost, let another server take the updates and name that in dr.dns.rfc2136.server, abort, then acpflow failover --cluster %s again", t.to.Name),
			"%s, which takes the updates of the zone, gives no answer, and not every other server leads to %s: %s", activities.UpdateServer(t.site), t.to.Name, answers(address))
	}
	t.fresh = slices.DeleteFunc(t.mute(ctx, address), func(o activities.Owed) bool { return slices.Contains(t.spared(), o.Server) })
	return nil
}

// goOnWithout asks whether to finish the move without the servers that have fallen
// silent while the name moved; "" where there is none.
func (t *takeover) goOnWithout() string {
	if len(t.fresh) == 0 {
		return ""
	}
	var servers []string
	for _, o := range t.fresh {
		servers = append(servers, o.Server)
	}
	return fmt.Sprintf("Go on without %s? The name has begun to move to %s, and every other server must still lead there. %s",
		strings.Join(servers, ", "), t.to.Name, t.unseen(servers))
}

// oweFresh spares the servers that people have approved to go on without, once the
// record on the new side has them: what is owed must outlive the run.
func (t *takeover) oweFresh(ctx workflow.Context) error {
	if len(t.fresh) == 0 {
		return nil
	}
	entry := t.entry(ctx)
	entry.Owed = append(entry.Owed, t.fresh...)
	if _, err := t.write(ctx, t.to, entry); err != nil {
		return err
	}
	t.rec.Owed, t.fresh = append(t.rec.Owed, t.fresh...), nil
	return nil
}

// lookUp looks the name up for a takeover. A failover that can't see the name at all
// says what that means.
func (t *takeover) lookUp(ctx workflow.Context) (activities.PlatformAddress, error) {
	address, err := lookUpPlatform(ctx, t.site)
	if !t.planned && away(ctx, err) {
		return address, gateFault("look up "+t.site.Platform.Address, "make one of them answer, or name one that serves the zone in dr.dns of the site document and start again",
			"no authoritative server answers, so the name can neither be moved nor seen: %s", plainText(err))
	}
	return address, err
}

// heard strikes what the move of the name has paid of what earlier runs owe: every
// server that is not spared has given the new address.
func (t *takeover) heard() {
	if t.before == nil {
		return
	}
	for _, o := range t.before.Owed {
		if isNameServer(o) && !slices.Contains(t.spared(), o.Server) {
			t.closed = append(t.closed, o)
		}
	}
}

// notYet is an error from before the name was told to move in this try. Where it was
// told in an earlier one, that is not undone by this.
func (t *takeover) notYet(err error) error {
	if t.pointed == nil {
		return refusedAs(err)
	}
	return err
}

// soRetry adds, for a name that did not arrive everywhere in a failover, what is left
// to do about a server that has died meanwhile.
func (t *takeover) soRetry(err error) error {
	kind := string(fault.Stalled)
	if t.byHand() && isType(err, string(fault.Gate)) {
		kind = string(fault.Gate)
	}
	if t.planned || !isType(err, kind) {
		return err
	}
	text := plainText(err) + "; a server that gives no answer any more need not be mended now: retry asks whether to go on without it"
	return temporal.NewNonRetryableApplicationError(text, kind, nil)
}
