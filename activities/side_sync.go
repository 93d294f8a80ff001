package activities

import (
	"context"

	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/syncplugin"
)

// plugin reads what the side carries of the synchronizer (DR-31, DR-32, DR-35).
func (s side) plugin(ctx context.Context) (pair.Plugin, error) {
	state, found, err := s.client.Plugin(ctx, syncplugin.Name)
	if err != nil {
		return pair.Plugin{}, err
	}
	pods, err := s.client.Pods(ctx, syncplugin.Namespace, syncplugin.PodSelector)
	if err != nil {
		return pair.Plugin{}, err
	}
	out := pair.Plugin{Present: found, Version: state.Version, Phase: state.Phase, Message: state.Message, Pods: len(pods)}
	if state.Installed != "" {
		out.Version = state.Installed
	}
	for _, p := range pods {
		if p.Ready {
			out.Ready++
		}
	}
	if !found && len(pods) > 0 { // it still copies, whatever the platform says
		out.Present, out.Message = true, "its Pods run without a ModuleInfo"
	}
	if way, err := syncplugin.WayOf(out.Version); found && err == nil && way.HasLeader() {
		lease, there, err := s.client.Lease(ctx, syncplugin.Namespace, syncplugin.LeaseName)
		if err != nil {
			return pair.Plugin{}, err
		}
		out.Leads = true
		if there {
			out.Leader = lease.Holder
		}
	}
	return out, nil
}
