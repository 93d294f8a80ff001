package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/syncplugin"
)

// RemoveSyncInput names the side that the synchronizer is removed from.
type RemoveSyncInput struct {
	Scope
	Primary string        `json:"primary"` // the side that it copies from
	Settle  time.Duration `json:"settle"`
	// Without one of these the plugin's own check and a proof from both etcds must say that both sides are alike.
	Proven bool `json:"proven,omitempty"` // they were shown to be alike a moment ago
	Fresh  bool `json:"fresh,omitempty"`  // this run installed it and never saw it run: a Pod that waits for its node has copied nothing
	// Unreachable is for a failover, where the primary can't be compared with: then nothing of it may answer, and every owner must be on this side.
	Unreachable bool `json:"unreachable,omitempty"`
}

// RemovePlugin uninstalls the synchronizer and confirms that nothing of it is
// left that could copy; what else is left behind the evidence names. Unless both sides are alike, and every owner is there, it does not (DR-41):
// owner references could resolve wrongly, and Machine objects with the machines
// behind them be deleted. That, what could not be told, and a removal that the
// platform prevents, is fault.Gate.
func (a *Sync) RemovePlugin(ctx context.Context, in RemoveSyncInput) (Evidence, error) {
	client, err := a.open(ctx, in.Scope)
	if err != nil {
		return Evidence{}, err
	}
	defer client.Close()
	view, err := readSync(ctx, client, in.Scope)
	if err != nil {
		return Evidence{}, err
	}
	if len(view.Left()) == 0 {
		return Evidence{Summary: syncplugin.Name + " is not installed" + view.Behind(), Host: in.Cluster}, nil
	}
	check := func() (CheckView, error) { return a.FetchCheck(ctx, in.Scope) }
	prove := func() (etcd.Proof, error) {
		return (&Consistency{Hosts: a.Hosts}).Prove(ctx, ProveInput{Site: in.Site, Primary: in.Primary, Standby: in.Cluster, Owners: true})
	}
	may := func() error { return in.mayRemove(view, check, prove) }
	if in.Unreachable {
		who := func() (Reachability, error) {
			return (&Sides{Hosts: a.Hosts}).WhoAnswers(ctx, PairInput{Site: in.Site, Primary: in.Primary, Standby: in.Cluster})
		}
		may = func() error {
			return in.mayRemoveAlone(view, who, func() (Owners, error) { return (&Consistency{Hosts: a.Hosts}).LookAtOwners(ctx, in.Scope) })
		}
	}
	if err := may(); err != nil {
		return Evidence{}, err
	}
	for end := time.Now().Add(in.Settle); ; {
		if view.Installed {
			if err := client.RemovePlugin(ctx, syncplugin.Name, view.Plugin.UID); err != nil {
				return Evidence{}, err
			}
		}
		if view, err = readSync(ctx, client, in.Scope); err != nil {
			return Evidence{}, err
		}
		if len(view.Left()) == 0 {
			return Evidence{Summary: syncplugin.Name + " is removed and nothing of it is left that could copy" + view.Behind(), Host: in.Cluster}, nil
		}
		text := strings.Join(view.Left(), ", ")
		if time.Now().After(end) {
			return Evidence{}, fault.New(fault.Stalled, "uninstall "+syncplugin.Name, "cluster "+in.Cluster,
				"find out who keeps it, delete what is left by hand, then retry", errors.New("still there: "+text))
		}
		report(ctx, Progress{Text: "removing " + text})
		if err := pause(ctx, settlePoll); err != nil {
			return Evidence{}, err
		}
	}
}

// mayRemove asks what it must before the synchronizer goes; the proof, which reads
// both etcds whole, only when the plugin's own check finds nothing.
func (in RemoveSyncInput) mayRemove(view PluginView, check func() (CheckView, error), prove func() (etcd.Proof, error)) error {
	switch goes, err := in.goes(view); {
	case goes || err != nil:
		return err
	case in.Proven, in.Fresh && neverRan(view):
		return nil
	}
	if err := alike(check, prove); err != nil {
		return in.refuse("let it finish and retry when both sides are alike; if you know that it has copied nothing, uninstall it in Marketplace > Cluster Plugins and retry; to keep it, skip",
			fmt.Errorf("removing it while the sides differ or owners are missing can delete Machine objects: %w", err))
	}
	return nil
}

// mayRemoveAlone is mayRemove while the primary is away. A primary that answers is
// to be compared with, not left behind.
func (in RemoveSyncInput) mayRemoveAlone(view PluginView, who func() (Reachability, error), look func() (Owners, error)) error {
	if goes, err := in.goes(view); goes || err != nil {
		return err
	}
	seen, err := who()
	switch {
	case err != nil:
		return fmt.Errorf("see whether %s answers: %w", in.Primary, err)
	case len(seen.Answers) > 0:
		return in.refuse("fence it and retry, or abort: with both sides alive a switchover loses nothing", fmt.Errorf("%s is back: %s", in.Primary, strings.Join(few(seen.Answers), ", ")))
	case seen.Probes < 2:
		return in.refuse("see that the nodes of "+in.Cluster+" and the worker can probe it, then retry", fmt.Errorf("%d probes don't show that %s is down", seen.Probes, in.Primary))
	}
	owners, err := look()
	switch {
	case err != nil:
		return fmt.Errorf("look at the owners on %s: %w", in.Cluster, err)
	case owners.Count > 0:
		return in.refuse("see these objects first: without the synchronizer the garbage collector deletes them, and the machines behind Machine objects with them", fmt.Errorf("%s: %s", owners.Summary, owners.Tail))
	}
	return nil
}

// goes reports that the synchronizer is on its way out, so that nothing need be
// asked; an error tells that the platform keeps it.
func (in RemoveSyncInput) goes(view PluginView) (bool, error) {
	switch {
	case !view.Installed, view.Plugin.Deleting:
		return true, nil
	case view.Plugin.Prevented:
		return false, in.refuse("see in Marketplace > Cluster Plugins what prevents it, then retry", errors.New("the platform prevents its removal"))
	}
	return false, nil
}

func (in RemoveSyncInput) refuse(fix string, cause error) error {
	return fault.New(fault.Gate, "uninstall "+syncplugin.Name, "cluster "+in.Cluster, fix, cause)
}

// alike is nil when neither the plugin's check nor a proof finds a difference.
func alike(check func() (CheckView, error), prove func() (etcd.Proof, error)) error {
	said, err := check()
	if err != nil {
		return err
	}
	if !said.Clean() {
		return errors.New(said.String())
	}
	p, err := prove()
	if err != nil {
		return fmt.Errorf("both etcds could not be compared: %w", err)
	}
	if !p.Clean() {
		return fmt.Errorf("both etcds: %d keys compared, %d missed, %d surplus, %d different, %d owners that are not there", p.Compared, p.Missed, p.Surplus, p.Different, p.Orphans)
	}
	return nil
}

// neverRan reports whether it has Pods and none of them has begun to run. No Pod
// tells nothing: the one that copied may just have been drained.
func neverRan(view PluginView) bool {
	return len(view.Pods) > 0 && !slices.ContainsFunc(view.Pods, func(p kube.Pod) bool { return p.Phase != "Pending" || p.Restarts > 0 }) && view.Lease == nil
}
