package workflows

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
)

// A run that was terminated while or after the name moved leaves users on the new
// side and everything after that undone. Who starts a switchover to that side again
// finishes it: what only makes sense while the old side leads is left out.

// halfDone reports whether an earlier takeover to the new side never came to its
// end: it left its record there, and the name leads there for all servers, or for
// some, so that only going on makes it lead to one side.
func (t *takeover) halfDone(side activities.SideIdentity, address activities.PlatformAddress) bool {
	r := side.Record
	began := r != nil && !r.Done && (r.Mode == ModeSwitchover || r.Mode == ModeFailover) && r.Primary == t.to.Name && r.PrimaryUID == side.UID && side.UID != ""
	return began && !side.Synchronizer && (address.Cluster == t.to.Name || address.Cluster == "" && t.leadsHere(address))
}

// leadsHere reports whether any server answers with an address of the new side.
func (t *takeover) leadsHere(address activities.PlatformAddress) bool {
	for _, server := range slices.Sorted(maps.Keys(address.Answers)) {
		if slices.ContainsFunc(activities.ClusterAddresses(t.site, t.to), func(a string) bool { return slices.Contains(address.Answers[server], a) }) {
			return true
		}
	}
	return false
}

// resume makes this run finish what an earlier one began. What that one knew of the
// data is in its own result.
func (t *takeover) resume(r *activities.PairRecord, address activities.PlatformAddress) {
	t.before = r
	where := "to " + t.to.Name
	if address.Cluster == "" {
		where = "to " + t.to.Name + " for some servers only (" + answers(address) + ")"
	}
	t.resumed = fmt.Sprintf("%s leads %s: this run finishes the %s of %s (run %s), which did not come to its end", t.site.Platform.Address, where, r.Mode, stamp(r.Since), r.Run)
	t.rec.RPO = &RPO{Text: fmt.Sprintf("%s: the name had moved before this run; what was known of the data then is in the history of run %s", Unverified, r.Run)}
	t.entitle()
}

// moving is why a step is not needed that guards the move of the name.
func (t *takeover) moving() string { return t.resumed }

// finishQuestion takes the place of the last question.
func (t *takeover) finishQuestion() string {
	text := fmt.Sprintf("Finish the takeover by %s? %s. After the approval every server, resolver, node and Pod must know the addresses of %s, and what remembers the old ones is restarted. "+
		"Users work on %s, where the name leads there; what was written to %s since the copying ended is not on it", t.who(t.to), t.resumed, t.to.Name, t.to.Name, t.from.Name)
	if unseen := t.unseen(t.spared()); unseen != "" {
		text += ". " + unseen
	}
	return text
}

// behindAFence explains why the old side can't be identified through its VIP where a
// terminated run has left it fenced: nothing opens those ports by itself, and users
// are out until somebody does. It returns cause where that is not the reason.
func (t *takeover) behindAFence(ctx workflow.Context, cause error) error {
	if !t.planned || !t.site.DR.Takeover.Fence || activities.Bare(t.from) {
		return cause
	}
	var shut []string
	for _, port := range fencedPorts(t.site) {
		state, err := (&portBefore{site: t.site, cluster: t.from, port: port}).now(ctx)
		if err == nil && !state.Configured && !state.Reachable {
			shut = append(shut, activities.ManualOpen(t.from, port))
		}
	}
	if len(shut) == 0 {
		return cause
	}
	return gateFault("identify both sides", strings.Join(shut, "; ")+"; then retry. If the name leads to "+t.to.Name+" already, they may be closed again afterwards",
		"%s; ports of the VIP of %s are closed, as a takeover leaves them that was terminated after it had fenced that side: users don't reach it", plainText(cause), t.from.Name)
}
