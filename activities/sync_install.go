package activities

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/site"
)

// InstallSyncInput says which version is to be installed on the standby.
type InstallSyncInput struct {
	PairInput
	Version string         `json:"version"`
	Way     syncplugin.Way `json:"way"` // of that version
	Settle  time.Duration  `json:"settle"`
}

// failedFor is how long the platform may call an install failed before a person
// is asked; it tries again by itself.
const failedFor = time.Minute

// InstallPlugin installs the synchronizer on the standby with its published
// defaults (DR-31, DR-36) and waits until the platform says that it runs. One
// that is installed is left as it is; another version is fault.Conflict.
func (a *Sync) InstallPlugin(ctx context.Context, in InstallSyncInput) (Evidence, error) {
	scope := in.standby()
	sides, err := in.sides()
	if err != nil {
		return Evidence{}, err
	}
	client, err := a.open(ctx, scope)
	if err != nil {
		return Evidence{}, err
	}
	defer client.Close()
	created := false
	var failing time.Time
	for end := time.Now().Add(in.Settle); ; {
		state, err := client.EnsurePluginConfig(ctx, syncplugin.Name, func() (string, map[string]any, error) {
			config, err := syncConfig(ctx, client, in, sides)
			return in.Version, config, err
		})
		created = created || state.Created
		if err == nil && !state.Deleting && state.Version != in.Version {
			err = fault.New(fault.Conflict, "install "+syncplugin.Name+" "+in.Version, "cluster "+in.Standby,
				"look who installed it, then start again", fmt.Errorf("version %s is installed", state.Version))
			return Evidence{}, err
		}
		switch {
		case err != nil && !fault.Is(err, fault.Conflict): // while the platform renames the object there are two for a moment
			return Evidence{}, err
		case err == nil && state.Running() && !state.Deleting:
			return installedSync(in, state, created), nil
		case state.Phase != "Failed":
			failing = time.Time{}
		case failing.IsZero():
			failing = time.Now()
		}
		if now := time.Now(); now.After(end) || !failing.IsZero() && now.Sub(failing) > failedFor {
			return Evidence{}, a.notInstalled(ctx, client, in, state, err)
		}
		report(ctx, Progress{Text: strings.TrimSpace(syncplugin.Name + ": " + state.Phase + " " + state.Message)})
		if err := pause(ctx, settlePoll); err != nil {
			return Evidence{}, err
		}
	}
}

func installedSync(in InstallSyncInput, state kube.PluginState, created bool) Evidence {
	how := "was installed already"
	if created {
		how = "is installed"
	}
	return Evidence{
		Summary: fmt.Sprintf("%s %s %s on %s", syncplugin.Name, state.Version, how, in.Standby), Host: in.Standby,
		Facts: map[string]string{"version": state.Version, "way": string(in.Way), "uid": state.UID, "created": strconv.FormatBool(created)},
	}
}

// syncConfig is the configuration that the version publishes, with what the
// document says to set.
func syncConfig(ctx context.Context, c *kube.Client, in InstallSyncInput, sides syncplugin.Sides) (map[string]any, error) {
	published, err := c.Published(ctx, syncplugin.Name)
	if err != nil {
		return nil, err
	}
	for _, p := range published {
		if p.Version == in.Version {
			return syncplugin.Parameters(in.Way, p.Config, sides)
		}
	}
	return nil, in.unpublished()
}

func (in InstallSyncInput) unpublished() error {
	return fault.New(fault.Gate, "install "+syncplugin.Name+" "+in.Version, "cluster "+in.Standby,
		"upload the package of "+syncplugin.Display+": "+PushCommand(in.Site.Name, in.Standby), errors.New("this version is not published"))
}

// PushCommand is what a person types to upload a package to a cluster.
func PushCommand(site, cluster string) string {
	return "acpflow push --site " + site + " --cluster " + cluster + " --package FILE"
}

func (a *Sync) notInstalled(ctx context.Context, c *kube.Client, in InstallSyncInput, state kube.PluginState, cause error) error {
	class := fault.Stalled
	if state.Phase == "Failed" {
		class = fault.Failed
	}
	why := []error{cause, fmt.Errorf("phase %q", state.Phase)}
	if view, err := readSync(ctx, c, in.standby()); err == nil {
		for _, t := range view.Troubles() {
			why = append(why, errors.New(t))
		}
	}
	return fault.New(class, "install "+syncplugin.Name+" "+in.Version, "cluster "+in.Standby,
		"look at its ModuleInfo and at the Pods with label "+syncplugin.PodSelector+" in "+syncplugin.Namespace+", then retry", errors.Join(why...))
}

// sides are the VIPs of both clusters.
func (in PairInput) sides() (syncplugin.Sides, error) {
	primary, ok := in.Site.Cluster(in.Primary)
	standby, ok2 := in.Site.Cluster(in.Standby)
	if !ok || !ok2 || primary.Name == standby.Name {
		return syncplugin.Sides{}, fault.New(fault.BadInput, "find both sides", "site "+in.Site.Name, "",
			fmt.Errorf("there is no pair of %q and %q", in.Primary, in.Standby))
	}
	return syncplugin.Sides{Primary: primary.Endpoint.VIP, Standby: standby.Endpoint.VIP}, nil
}

// SyncParameters is what `acpflow plan` tells of the plugin's parameters.
func SyncParameters(primary, standby *site.Cluster) string {
	return fmt.Sprintf("published defaults; from v4.3.1 also active VIP %s and etcd endpoints %s:%d and %s:%d",
		primary.Endpoint.VIP, primary.Endpoint.VIP, syncplugin.EtcdPort, standby.Endpoint.VIP, syncplugin.EtcdPort)
}
