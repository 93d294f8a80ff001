package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/syncplugin"
)

// RemoveSyncInput names the side that the synchronizer is removed from.
type RemoveSyncInput struct {
	Scope
	Settle time.Duration `json:"settle"`
	// Without one of these the plugin's own check must say that both sides are alike.
	Proven bool `json:"proven,omitempty"` // they were shown to be alike a moment ago
	Fresh  bool `json:"fresh,omitempty"`  // this run installed it: a Pod that waits for its node has copied nothing
}

// RemovePlugin uninstalls the synchronizer and confirms that nothing of it is
// left. While keys are missing or surplus it does not (DR-41): owner references
// could resolve wrongly, and Machine objects with the machines behind them be
// deleted. That, and a removal that the platform prevents, is fault.Gate.
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
		return Evidence{Summary: syncplugin.Name + " is not installed", Host: in.Cluster}, nil
	}
	if err := a.mayRemove(ctx, in, view); err != nil {
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
			return Evidence{Summary: syncplugin.Name + " is removed and nothing of it is left", Host: in.Cluster}, nil
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

func (a *Sync) mayRemove(ctx context.Context, in RemoveSyncInput, view PluginView) error {
	refuse := func(fix string, cause error) error {
		return fault.New(fault.Gate, "uninstall "+syncplugin.Name, "cluster "+in.Cluster, fix, cause)
	}
	switch {
	case !view.Installed, view.Plugin.Deleting:
		return nil // it is on its way
	case view.Plugin.Prevented:
		return refuse("see in Marketplace > Cluster Plugins what prevents it, then retry", errors.New("the platform prevents its removal"))
	case in.Proven, in.Fresh && neverRan(view):
		return nil
	}
	check, err := a.FetchCheck(ctx, in.Scope)
	if err == nil && !check.Clean() {
		err = errors.New(check.String())
	}
	if err != nil {
		return refuse("let it finish and retry when both sides are alike; if you know that it has copied nothing, uninstall it in Marketplace > Cluster Plugins and retry; to keep it, skip",
			fmt.Errorf("removing it while keys are missing or surplus can delete Machine objects: %w", err))
	}
	return nil
}

// neverRan reports whether none of its Pods has begun to run.
func neverRan(view PluginView) bool {
	return !slices.ContainsFunc(view.Pods, func(p kube.Pod) bool { return p.Phase != "Pending" || p.Restarts > 0 }) && view.Lease == nil
}
