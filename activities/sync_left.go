package activities

import (
	"context"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/syncplugin"
)

// Present reports whether anything of the plugin is there that could copy.
func (v PluginView) Present() bool {
	return v.Installed || v.Deployment != nil || len(v.Pods) > 0 || v.Holder != ""
}

// Left lists what is there of the plugin and could copy, or can't be told not to,
// for a message; nothing when it is gone. A Lease that nobody has and a Job that
// has ended are none of it: leader election leaves its Lease without an owner, so
// nothing takes that away with the plugin.
func (v PluginView) Left() []string {
	var out []string
	if v.Installed {
		out = append(out, "ModuleInfo "+v.Plugin.Version)
	}
	if v.Deployment != nil {
		out = append(out, "Deployment "+syncplugin.Deployment)
	}
	for _, p := range v.Pods {
		out = append(out, "Pod "+p.Name)
	}
	if v.Lease != nil && !v.LeaseFree {
		out = append(out, strings.TrimSpace("Lease "+syncplugin.LeaseName+" "+v.Holder))
	}
	if v.Bootstrap != nil && !v.BootstrapOver {
		out = append(out, "Job "+syncplugin.BootstrapJob+", which has not ended")
	}
	return out
}

// Behind says what a removed plugin has left behind that can't copy, for the end
// of a message: "; left behind: …". It is "" when there is nothing, or the plugin
// is still there.
func (v PluginView) Behind() string {
	var out []string
	if v.Lease != nil && v.LeaseFree {
		out = append(out, "lease "+syncplugin.LeaseName+", which nobody has")
	}
	if v.Bootstrap != nil && v.BootstrapOver {
		out = append(out, "job "+syncplugin.BootstrapJob+", which has ended")
	}
	if len(out) == 0 || len(v.Left()) > 0 {
		return ""
	}
	return "; left behind: " + strings.Join(out, ", ")
}

// Carries says what is there of the plugin, of whatever kind; "" = nothing.
func (v PluginView) Carries() string {
	return strings.TrimPrefix(strings.Join(v.Left(), ", ")+v.Behind(), "; ")
}

// usualLease is how long a renewal holds where the Lease does not say.
const usualLease = 15 * time.Second

// readLeader reads which of the Pods leads, and whether anybody has its Lease.
func readLeader(ctx context.Context, c *kube.Client, view *PluginView) error {
	l, found, err := c.Lease(ctx, syncplugin.Namespace, syncplugin.LeaseName)
	if err != nil || !found {
		return err
	}
	view.Lease = &l
	if slices.ContainsFunc(view.Pods, func(p kube.Pod) bool { return p.Name == l.Holder && !p.Deleting }) {
		view.Leader = l.Holder
	}
	view.Holder, err = holderOf(ctx, c, l, view.Pods, time.Now())
	view.LeaseFree = err == nil && view.Holder == ""
	return err
}

// holderOf says who has the Lease: a Pod that is there and has not ended, whatever
// its labels, or somebody unknown who has renewed it just now. A name may carry a
// suffix, as client-go's own do: POD_UUID.
func holderOf(ctx context.Context, c *kube.Client, l kube.LeaseState, known []kube.Pod, now time.Time) (string, error) {
	if l.Holder == "" { // given back
		return "", nil
	}
	name, _, _ := strings.Cut(l.Holder, "_")
	if slices.ContainsFunc(known, func(p kube.Pod) bool { return p.Name == name && !p.Ended() }) {
		return "of Pod " + name, nil
	}
	if len(validation.IsDNS1123Subdomain(name)) == 0 {
		pod, found, err := c.Pod(ctx, syncplugin.Namespace, name)
		switch {
		case err != nil:
			return "", err
		case found && !pod.Ended():
			return "of Pod " + name, nil
		}
	}
	if now.Sub(l.Renewed) < max(l.Duration, usualLease) {
		return "of " + l.Holder + ", which is no Pod there and renewed it at " + l.Renewed.Format("15:04:05 UTC"), nil
	}
	return "", nil
}
