package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/syncplugin"
)

// Sync looks at, installs and mends the etcd synchronizer, the plugin that the
// standby of a pair carries (DR-31…DR-36).
type Sync struct{ Hosts *Hosts }

// PluginView is the state of the synchronizer on one side. That it is not there
// is a state, not an error.
type PluginView struct {
	Cluster string `json:"cluster"`
	UID     string `json:"uid"` // of the cluster: that of its namespace kube-system

	Published []string         `json:"published"` // versions that can be installed, the newest first
	Installed bool             `json:"installed"`
	Plugin    kube.PluginState `json:"plugin"` // when installed

	Version string         `json:"version,omitempty"` // installed, else the newest published
	Way     syncplugin.Way `json:"way,omitempty"`     // of that version
	Unknown string         `json:"unknown,omitempty"` // why there is no way for it
	Doubt   string         `json:"doubt,omitempty"`   // why it does not fit the site's profile

	Deployment *kube.DeploymentState `json:"deployment,omitempty"` // nil = there is none
	Pods       []kube.Pod            `json:"pods"`
	Lease      *kube.LeaseState      `json:"lease,omitempty"`
	Leader     string                `json:"leader,omitempty"` // Pod that the Lease names and that is there
	Bootstrap  *kube.JobState        `json:"bootstrap,omitempty"`

	// What a removed plugin may leave behind, judged when it was looked at.
	Holder        string `json:"holder,omitempty"`        // who has the Lease, or may have: "" = nobody, or not looked at
	LeaseFree     bool   `json:"leaseFree,omitempty"`     // nobody has the Lease
	BootstrapOver bool   `json:"bootstrapOver,omitempty"` // the Job has ended, well or not

	Record *PairRecord `json:"record,omitempty"` // what the side remembers of the pair, when it was asked for that
}

// ReadPluginInput names the side. With Record its record of the pair is read, too.
type ReadPluginInput struct {
	Scope
	Record bool `json:"record,omitempty"`
}

// ReadPlugin tells the state of the synchronizer on one side. A record that is asked
// for and can't be read is fault.Corrupt.
func (a *Sync) ReadPlugin(ctx context.Context, in ReadPluginInput) (PluginView, error) {
	client, err := a.open(ctx, in.Scope)
	if err != nil {
		return PluginView{}, err
	}
	defer client.Close()
	view, err := readSync(ctx, client, in.Scope)
	if err != nil || !in.Record {
		return view, err
	}
	view.Record, err = keptRecord(ctx, client)
	return view, err
}

func (a *Sync) open(ctx context.Context, scope Scope) (*kube.Client, error) {
	return (&Cluster{Hosts: a.Hosts}).open(ctx, scope)
}

func readSync(ctx context.Context, c *kube.Client, in Scope) (view PluginView, err error) {
	view.Cluster = in.Cluster
	if view.UID, err = c.UID(ctx); err != nil {
		return view, err
	}
	published, err := c.Published(ctx, syncplugin.Name)
	if err != nil {
		return view, err
	}
	for _, p := range published {
		view.Published = append(view.Published, p.Version)
	}
	if view.Plugin, view.Installed, err = settledPlugin(ctx, c); err != nil {
		return view, err
	}
	if err := readWorkload(ctx, c, &view); err != nil {
		return view, err
	}
	view.choose(in.Site.Profile)
	return view, nil
}

// settledPlugin waits while the platform renames the object.
func settledPlugin(ctx context.Context, c *kube.Client) (state kube.PluginState, found bool, err error) {
	for end := time.Now().Add(20 * time.Second); ; {
		state, found, err = c.Plugin(ctx, syncplugin.Name)
		if !fault.Is(err, fault.Conflict) || time.Now().After(end) {
			return state, found, err
		}
		if err := pause(ctx, time.Second); err != nil {
			return state, found, err
		}
	}
}

func readWorkload(ctx context.Context, c *kube.Client, view *PluginView) error {
	if err := readPods(ctx, c, view); err != nil {
		return err
	}
	if err := readLeader(ctx, c, view); err != nil {
		return err
	}
	j, found, err := c.Job(ctx, syncplugin.Namespace, syncplugin.BootstrapJob)
	if found {
		view.Bootstrap, view.BootstrapOver = &j, j.Complete || j.Failed
	}
	return err
}

// readPods reads what copies.
func readPods(ctx context.Context, c *kube.Client, view *PluginView) (err error) {
	if view.Pods, err = c.Pods(ctx, syncplugin.Namespace, syncplugin.PodSelector); err != nil {
		return err
	}
	d, found, err := c.Deployment(ctx, syncplugin.Namespace, syncplugin.Deployment)
	if found {
		view.Deployment = &d
	}
	return err
}

// choose decides by the version that is there, or would be installed.
func (v *PluginView) choose(profile string) {
	switch {
	case v.Installed && v.Plugin.Installed != "":
		v.Version = v.Plugin.Installed
	case v.Installed:
		v.Version = v.Plugin.Version
	case len(v.Published) > 0:
		v.Version = v.Published[0]
	default:
		return
	}
	var err error
	if v.Way, err = syncplugin.WayOf(v.Version); err != nil {
		v.Unknown = err.Error()
	}
	v.Doubt = syncplugin.Doubt(profile, v.Version)
}

// Troubles says what is wrong with what is there, for a message.
func (v PluginView) Troubles() []string {
	var out []string
	if v.Plugin.Message != "" {
		out = append(out, v.Plugin.Message)
	}
	if v.Bootstrap != nil && v.Bootstrap.Failed {
		out = append(out, "Job "+syncplugin.BootstrapJob+" failed: "+v.Bootstrap.Message)
	}
	for _, p := range v.Pods {
		if !p.Ready {
			out = append(out, fmt.Sprintf("Pod %s on %s is not ready: %s", p.Name, p.Node, p.Why))
		}
	}
	return out
}
