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
	Name    string `json:"name"`              // of the plugin, not of its object
	Version string `json:"version"`           // asked for
	Phase   string `json:"phase,omitempty"`   // "" = just created or not reported; "Running" = installed
	Message string `json:"message,omitempty"` // why it does not run
	Created bool   `json:"created"`           // by this call
}

// Running reports whether the plugin is installed.
func (s PluginState) Running() bool { return s.Phase == "Running" }

// EnsurePlugin installs the plugin with a display name on the `global` cluster
// unless it is there, and returns its state; call again until it is Running.
// The platform renames the object it finds, so an installed plugin is looked
// up by its labels only. A plugin that is not published, or not exactly once,
// is fault.Gate.
func (c *Client) EnsurePlugin(ctx context.Context, displayName string) (PluginState, error) {
	plugin, err := c.findPlugin(ctx, displayName)
	if err != nil {
		return PluginState{}, err
	}
	state, found, err := c.installed(ctx, plugin)
	if err != nil || found {
		return state, err
	}
	config, err := c.pluginConfig(ctx, plugin)
	if err != nil {
		return PluginState{}, err
	}
	info := moduleInfo(plugin, config)
	_, err = c.dynamic.Resource(moduleInfos).Create(ctx, info, metav1.CreateOptions{FieldManager: "acpflow"})
	if err != nil && !apierrors.IsAlreadyExists(err) { // an overlapping attempt was first
		return PluginState{}, c.fault("install plugin "+plugin, err)
	}
	ver, _, _ := unstructured.NestedString(info.Object, "spec", "version")
	return PluginState{Name: plugin, Version: ver, Created: err == nil}, nil
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

// installed looks for the plugin's ModuleInfo by its labels.
func (c *Client) installed(ctx context.Context, plugin string) (PluginState, bool, error) {
	selector := metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: pluginLabels(plugin)})
	infos, err := c.list(ctx, moduleInfos, selector)
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
	out := PluginState{Name: plugin}
	out.Version, _, _ = unstructured.NestedString(info.Object, "spec", "version")
	out.Phase, _, _ = unstructured.NestedString(info.Object, "status", "phase")
	conditions, _, _ := unstructured.NestedSlice(info.Object, "status", "conditions")
	for _, raw := range conditions {
		cond, _ := raw.(map[string]any)
		if text(cond["status"]) != "True" && text(cond["message"]) != "" {
			out.Message = shorten(text(cond["type"]) + ": " + text(cond["message"]))
		}
	}
	return out
}

// pluginConfig returns the newest published ModuleConfig of the plugin.
func (c *Client) pluginConfig(ctx context.Context, plugin string) (unstructured.Unstructured, error) {
	all, err := c.list(ctx, moduleConfigs, "")
	if err != nil {
		return unstructured.Unstructured{}, err
	}
	var mine []unstructured.Unstructured
	for _, m := range all {
		if m.GetLabels()[moduleNameLabel] == plugin || configVersion(m) != "" && m.GetName() == plugin+"-"+configVersion(m) {
			mine = append(mine, m)
		}
	}
	if len(mine) == 0 {
		return unstructured.Unstructured{}, fault.New(fault.Gate, "install plugin "+plugin, c.place,
			"upload the plugin's package with violet", errors.New("the plugin is published without a ModuleConfig"))
	}
	return slices.MaxFunc(mine, func(a, b unstructured.Unstructured) int {
		return compareVersions(configVersion(a), configVersion(b))
	}), nil
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

// moduleInfo asks for the plugin with its published defaults. Its name is a
// fixed one, so that overlapping attempts collide instead of asking twice.
func moduleInfo(plugin string, config unstructured.Unstructured) *unstructured.Unstructured {
	spec := map[string]any{"version": configVersion(config)}
	if defaults, ok, _ := unstructured.NestedMap(config.Object, "spec", "config"); ok {
		spec["config"] = defaults
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
