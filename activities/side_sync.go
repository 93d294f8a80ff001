package activities

import (
	"context"

	"github.com/acpflow/acpflow/checks/pair"
)

// plugin reads what the side carries of the synchronizer (DR-31, DR-32, DR-35).
func (s side) plugin(ctx context.Context) (pair.Plugin, error) {
	view := PluginView{Cluster: s.cluster.Name}
	var err error
	if view.Plugin, view.Installed, err = settledPlugin(ctx, s.client); err != nil {
		return pair.Plugin{}, err
	}
	view.choose(s.scope.Site.Profile)
	if err := readPods(ctx, s.client, &view); err != nil {
		return pair.Plugin{}, err
	}
	if view.Way.HasLeader() {
		if err := readLeader(ctx, s.client, &view); err != nil {
			return pair.Plugin{}, err
		}
	}
	out := pair.Plugin{Present: view.Present(), Version: view.Version, Phase: view.Plugin.Phase, Message: view.Plugin.Message,
		Pods: len(view.Pods), Leads: view.Installed && view.Way.HasLeader(), Leader: view.Leader}
	for _, p := range view.Pods {
		if p.Ready {
			out.Ready++
		}
	}
	if out.Present && !view.Installed { // it still copies, whatever the platform says
		out.Message = "there is no ModuleInfo, but " + view.Left()[0]
	}
	return out, nil
}
