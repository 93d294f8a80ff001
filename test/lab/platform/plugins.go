package platform

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
	"github.com/acpflow/acpflow/test/lab/synchronizer"
	"github.com/acpflow/acpflow/test/lab/synchronizer/faults"
)

const (
	modulesPath = "/apis/cluster.alauda.io/v1alpha1/moduleinfoes"
	configsPath = "/apis/cluster.alauda.io/v1alpha1/moduleconfigs"
	pluginDelay = 2 * time.Second // from asked for to Running
)

// module is what the operator reads of a ModuleInfo.
type module struct {
	Metadata struct {
		Name              string            `json:"name"`
		UID               string            `json:"uid"`
		Labels            map[string]string `json:"labels"`
		CreationTimestamp time.Time         `json:"creationTimestamp"`
	} `json:"metadata"`
	Spec   map[string]any `json:"spec"`
	Status struct {
		Phase string `json:"phase"`
	} `json:"status"`
}

func (m module) plugin() string { return m.Metadata.Labels["cpaas.io/module-name"] }

// lastName is the name the platform gives to an installed plugin.
func (m module) lastName() string {
	cluster := m.Metadata.Labels["cpaas.io/cluster-name"]
	sum := sha256.Sum256([]byte(cluster + "/" + m.plugin()))
	return fmt.Sprintf("%s-%s", cluster, hex.EncodeToString(sum[:])[:32])
}

// operatePlugins reacts to ModuleInfos. Every control plane runs it: each step
// is one that a second operator may do again.
func operatePlugins(ctx context.Context, api *kubeapi.Client) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for last := ""; ; {
		if err := errors.Join(reconcilePlugins(ctx, api), issueCertificates(ctx, api)); err != nil && ctx.Err() == nil && err.Error() != last {
			last = err.Error()
			slog.Warn("cluster plugins", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func reconcilePlugins(ctx context.Context, api *kubeapi.Client) error {
	var list struct {
		Items []module `json:"items"`
	}
	if err := api.Get(ctx, modulesPath, &list); err != nil {
		return err
	}
	for _, m := range list.Items {
		if m.plugin() == "" || m.Metadata.Labels["cpaas.io/module-type"] != "plugin" || m.Metadata.Labels["cpaas.io/cluster-name"] == "" {
			continue // without its labels the platform does not see it
		}
		if err := reconcilePlugin(ctx, api, m); err != nil {
			return fmt.Errorf("%s: %w", m.Metadata.Name, err)
		}
	}
	if slices.ContainsFunc(list.Items, func(m module) bool { return m.plugin() == synchronizer.Plugin }) {
		return nil
	}
	return collectGarbage(ctx, api)
}

// collectGarbage deletes the Machines that orders name: what the vendor warns of
// when the synchronizer is uninstalled over a difference.
func collectGarbage(ctx context.Context, api *kubeapi.Client) error {
	orders, err := faults.Read(faults.Path)
	if err != nil {
		return err
	}
	for _, name := range orders.GarbageMachines {
		err := api.Do(ctx, http.MethodDelete, "/apis/platform.tkestack.io/v1/machines/"+name, "", nil, nil)
		if err != nil && !kubeapi.IsCode(err, http.StatusNotFound) {
			return err
		}
	}
	return nil
}

func reconcilePlugin(ctx context.Context, api *kubeapi.Client, m module) error {
	if m.Metadata.Name != m.lastName() {
		return rename(ctx, api, m)
	}
	if m.Status.Phase == "Running" {
		return nil
	}
	version, _ := m.Spec["version"].(string)
	err := api.Get(ctx, configsPath+"/"+m.plugin()+"-"+version, nil)
	switch {
	case kubeapi.IsCode(err, http.StatusNotFound):
		return setStatus(ctx, api, m, object{"phase": "Failed", "conditions": []object{{
			"type": "Ready", "status": "False", "reason": "NotPublished", "message": "there is no ModuleConfig for version " + version}}})
	case err != nil:
		return err
	case time.Since(m.Metadata.CreationTimestamp) < pluginDelay:
		return setStatus(ctx, api, m, object{"phase": "Processing"})
	}
	objects, err := m.objects(version)
	if err != nil {
		return setStatus(ctx, api, m, object{"phase": "Failed", "conditions": []object{{
			"type": "Ready", "status": "False", "reason": "BadParameters", "message": err.Error()}}})
	}
	for _, o := range objects {
		// Uninstalling is deleting the ModuleInfo: the rest goes with it.
		o["metadata"].(object)["ownerReferences"] = []object{m.owner()}
		if err := api.Apply(ctx, o); err != nil {
			return err
		}
	}
	return setStatus(ctx, api, m, object{"phase": "Running", "version": version, "removeIsPrevented": false,
		"appReleases": []object{{"name": m.plugin(), "ready": true, "synced": true, "failed": false, "message": ""}},
		"conditions":  []object{{"type": "Ready", "status": "True", "reason": "Installed", "message": ""}}})
}

func (m module) owner() object {
	return object{"apiVersion": "cluster.alauda.io/v1alpha1", "kind": "ModuleInfo", "name": m.Metadata.Name, "uid": m.Metadata.UID}
}

// objects are what installing the plugin makes.
func (m module) objects(version string) ([]object, error) {
	if m.plugin() == synchronizer.Plugin {
		return synchronizerObjects(m, version)
	}
	return []object{platformDeployment(m.plugin()), release(m.plugin())}, nil
}

// rename gives the object its last name: a new one is made, the first removed.
func rename(ctx context.Context, api *kubeapi.Client, m module) error {
	o := with(labelled(global("cluster.alauda.io/v1alpha1", "ModuleInfo", m.lastName()), m.Metadata.Labels), object{"spec": m.Spec})
	err := api.Do(ctx, http.MethodPost, modulesPath, "", o, nil)
	if err != nil && !kubeapi.IsCode(err, http.StatusConflict) {
		return err
	}
	preconditions := object{"preconditions": object{"uid": m.Metadata.UID}}
	err = api.Do(ctx, http.MethodDelete, modulesPath+"/"+m.Metadata.Name, "", preconditions, nil)
	if kubeapi.IsCode(err, http.StatusNotFound) {
		return nil
	}
	return err
}

func setStatus(ctx context.Context, api *kubeapi.Client, m module, status object) error {
	err := api.Do(ctx, http.MethodPatch, modulesPath+"/"+m.Metadata.Name+"/status", kubeapi.MergePatch, object{"status": status}, nil)
	if kubeapi.IsCode(err, http.StatusNotFound) {
		return nil // deleted meanwhile
	}
	return err
}
