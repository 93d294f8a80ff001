package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/acpflow/acpflow/internal/fault"
)

// ProductDocs is the display name of the plugin that VER-06 installs.
const ProductDocs = "Alauda Container Platform Product Docs"

// Labels and annotations of the platform's plugins.
const (
	moduleNameLabel  = "cpaas.io/module-name"
	moduleTypeLabel  = "cpaas.io/module-type"
	clusterNameLabel = "cpaas.io/cluster-name"
	displayNameNote  = "cpaas.io/display-name" // JSON by language, or plain text
)

// PluginState is what is known of a cluster plugin on the `global` cluster.
type PluginState struct {
	Name      string `json:"name"`                // of the plugin, not of its object
	UID       string `json:"uid,omitempty"`       // of its object
	Version   string `json:"version"`             // asked for
	Installed string `json:"installed,omitempty"` // that the platform reports
	Phase     string `json:"phase,omitempty"`     // "" = just created or not reported; "Running" = installed
	Message   string `json:"message,omitempty"`   // why it does not run
	Created   bool   `json:"created"`             // by this call
	Prevented bool   `json:"prevented,omitempty"` // the platform prevents its removal
	Deleting  bool   `json:"deleting,omitempty"`  // since somebody removed it
}

// Running reports whether the plugin is installed.
func (s PluginState) Running() bool { return s.Phase == "Running" }

// EnsurePlugin installs the plugin with a display name on the `global` cluster
// unless it is there, in its newest published version with its published
// defaults, and returns its state; call again until it is Running. A plugin that
// is not published, or not exactly once, is fault.Gate.
func (c *Client) EnsurePlugin(ctx context.Context, displayName string) (PluginState, error) {
	plugin, err := c.findPlugin(ctx, displayName)
	if err != nil {
		return PluginState{}, err
	}
	return c.EnsurePluginConfig(ctx, plugin, func() (string, map[string]any, error) {
		published, err := c.Published(ctx, plugin)
		if err != nil {
			return "", nil, err
		}
		if len(published) == 0 {
			return "", nil, fault.New(fault.Gate, "install plugin "+plugin, c.place,
				"upload the plugin's package with violet", errors.New("the plugin is published without a ModuleConfig"))
		}
		return published[0].Version, published[0].Config, nil
	})
}

// EnsurePluginConfig installs the named plugin unless it is there, in the
// version and with the configuration that choose returns, and returns its
// state. The platform renames the object it finds, so an installed plugin is
// looked up by its labels only; what is installed is never changed.
func (c *Client) EnsurePluginConfig(ctx context.Context, plugin string, choose func() (version string, config map[string]any, err error)) (PluginState, error) {
	state, found, err := c.Plugin(ctx, plugin)
	if err != nil || found {
		return state, err
	}
	ver, config, err := choose()
	if err != nil {
		return PluginState{}, err
	}
	info := moduleInfo(plugin, ver, config)
	_, err = c.dynamic.Resource(moduleInfos).Create(ctx, info, metav1.CreateOptions{FieldManager: "acpflow"})
	if err != nil && !apierrors.IsAlreadyExists(err) { // an overlapping attempt was first
		return PluginState{}, c.fault("install plugin "+plugin, err)
	}
	return PluginState{Name: plugin, Version: ver, Created: err == nil}, nil
}

// RemovePlugin uninstalls the plugin: it deletes the very object that was seen
// before, by its UID. One that is gone, or has another UID, is fine: the caller
// looks again.
func (c *Client) RemovePlugin(ctx context.Context, plugin, uid string) error {
	infos, err := c.list(ctx, moduleInfos, pluginSelector(plugin))
	if err != nil {
		return err
	}
	for _, info := range infos {
		if string(info.GetUID()) != uid {
			continue
		}
		err := c.dynamic.Resource(moduleInfos).Delete(ctx, info.GetName(), deleteByUID(uid))
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return c.fault("uninstall plugin "+plugin, err)
		}
	}
	return nil
}

// findPlugin returns the name of the plugin with the display name.
func (c *Client) findPlugin(ctx context.Context, displayName string) (string, error) {
	plugins, err := c.list(ctx, modulePlugins, "")
	if err != nil {
		return "", err
	}
	var names []string
	for _, p := range plugins {
		if displayed(p.GetAnnotations()[displayNameNote], displayName) {
			names = append(names, moduleName(p))
		}
	}
	if len(names) == 1 {
		return names[0], nil
	}
	return "", fault.New(fault.Gate, "find the plugin "+displayName, c.place,
		"upload the plugin's package with violet, or install it in Marketplace > Cluster Plugins",
		fmt.Errorf("%d published plugins have this display name (of %d in all)", len(names), len(plugins)))
}

// displayed reports whether an annotation shows the name in some language.
func displayed(note, name string) bool {
	var byLanguage map[string]string
	if json.Unmarshal([]byte(note), &byLanguage) != nil {
		return strings.EqualFold(strings.TrimSpace(note), name)
	}
	for _, shown := range byLanguage {
		if strings.EqualFold(strings.TrimSpace(shown), name) {
			return true
		}
	}
	return false
}

// moduleName is the plugin's name: its label, or the object's name.
func moduleName(o unstructured.Unstructured) string {
	if n := o.GetLabels()[moduleNameLabel]; n != "" {
		return n
	}
	return o.GetName()
}

// Plugin looks for the plugin's ModuleInfo by its labels. While the platform
// renames the object there are two for a moment: fault.Conflict.
func (c *Client) Plugin(ctx context.Context, plugin string) (state PluginState, found bool, err error) {
	infos, err := c.list(ctx, moduleInfos, pluginSelector(plugin))
	if err != nil || len(infos) == 0 {
		return PluginState{}, false, err
	}
	if len(infos) > 1 {
		return PluginState{}, true, fault.New(fault.Conflict, "look at plugin "+plugin, c.place,
			"delete the ModuleInfo that is too many", fmt.Errorf("%d ModuleInfo objects have its labels", len(infos)))
	}
	return readPlugin(plugin, infos[0]), true, nil
}

func readPlugin(plugin string, info unstructured.Unstructured) PluginState {
	out := PluginState{Name: plugin, UID: string(info.GetUID()), Deleting: info.GetDeletionTimestamp() != nil}
	out.Version, _, _ = unstructured.NestedString(info.Object, "spec", "version")
	out.Installed, _, _ = unstructured.NestedString(info.Object, "status", "version")
	out.Phase, _, _ = unstructured.NestedString(info.Object, "status", "phase")
	out.Prevented, _, _ = unstructured.NestedBool(info.Object, "status", "removeIsPrevented")
	conditions, _, _ := unstructured.NestedSlice(info.Object, "status", "conditions")
	for _, raw := range conditions {
		cond, _ := raw.(map[string]any)
		if text(cond["status"]) != "True" && text(cond["message"]) != "" {
			out.Message = shorten(text(cond["type"]) + ": " + text(cond["message"]))
		}
	}
	return out
}

// PublishedVersion is a version of a plugin that can be installed.
type PublishedVersion struct {
	Version string         `json:"version"`
	Config  map[string]any `json:"config,omitempty"` // the published defaults
}

// Published lists the versions of a plugin that its ModuleConfigs offer: first
// the one that its ModulePlugin calls the latest, as the marketplace does, then
// the newest first. None when the plugin is not published.
func (c *Client) Published(ctx context.Context, plugin string) ([]PublishedVersion, error) {
	plugins, err := c.list(ctx, modulePlugins, "")
	if err != nil {
		return nil, err
	}
	offer := slices.IndexFunc(plugins, func(p unstructured.Unstructured) bool { return moduleName(p) == plugin })
	if offer < 0 {
		return nil, nil // without a ModulePlugin none of its versions can be installed
	}
	latest, _, _ := unstructured.NestedString(plugins[offer].Object, "status", "latestVersion")
	all, err := c.list(ctx, moduleConfigs, "")
	if err != nil {
		return nil, err
	}
	var out []PublishedVersion
	for _, m := range all {
		if m.GetLabels()[moduleNameLabel] == plugin || configVersion(m) != "" && m.GetName() == plugin+"-"+configVersion(m) {
			config, _, _ := unstructured.NestedMap(m.Object, "spec", "config")
			out = append(out, PublishedVersion{Version: configVersion(m), Config: config})
		}
	}
	slices.SortFunc(out, func(a, b PublishedVersion) int {
		if (a.Version == latest) != (b.Version == latest) {
			return map[bool]int{true: -1, false: 1}[a.Version == latest]
		}
		return compareVersions(b.Version, a.Version)
	})
	return out, nil
}

func configVersion(m unstructured.Unstructured) string {
	v, _, _ := unstructured.NestedString(m.Object, "spec", "version")
	return v
}

// compareVersions orders by semantic version; what is none sorts first.
func compareVersions(a, b string) int {
	va, errA := version.ParseSemantic(a)
	_, errB := version.ParseSemantic(b)
	switch {
	case errA != nil && errB != nil:
		return strings.Compare(a, b)
	case errA != nil:
		return -1
	case errB != nil:
		return 1
	}
	c, err := va.Compare(b)
	if err != nil { // b was parsed above: cannot happen
		return 0
	}
	return c
}

// moduleInfo asks for the plugin. Its name is a fixed one, so that overlapping
// attempts collide instead of asking twice.
func moduleInfo(plugin, ver string, config map[string]any) *unstructured.Unstructured {
	spec := map[string]any{"version": ver}
	if config != nil {
		spec["config"] = config
	}
	info := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	info.SetGroupVersionKind(moduleInfos.GroupVersion().WithKind("ModuleInfo"))
	info.SetName(globalName + "-" + plugin + "-acpflow")
	info.SetLabels(pluginLabels(plugin))
	return info
}

func pluginLabels(plugin string) map[string]string {
	return map[string]string{clusterNameLabel: globalName, moduleNameLabel: plugin, moduleTypeLabel: "plugin"}
}

func pluginSelector(plugin string) string {
	return metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: pluginLabels(plugin)})
}
