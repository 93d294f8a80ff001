package platform

import (
	"encoding/json"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
	"github.com/acpflow/acpflow/test/lab/synchronizer"
)

// Synchronizer are the objects that offer a version of the etcd synchronizer.
// What a version is offered with shows how it works (synchronizer.WayOf).
func Synchronizer(version string) []kubeapi.Object {
	way, err := synchronizer.WayOf(version)
	if err != nil {
		way = synchronizer.Way{} // a version of the future may be called anything
	}
	return published(synchronizer.Plugin, synchronizer.DisplayName, version, way.Defaults())
}

// synchronizerObjects are what installing the etcd synchronizer makes.
func synchronizerObjects(m module, version string) ([]object, error) {
	way, err := synchronizer.WayOf(version)
	if err != nil {
		return nil, err
	}
	parameters, _ := m.Spec["config"].(object)
	config, err := json.Marshal(withDefaults(parameters, way.Defaults()))
	if err != nil {
		return nil, err
	}
	owner, err := json.Marshal(m.owner())
	if err != nil {
		return nil, err
	}
	notes := map[string]string{synchronizer.VersionAnnotation: version, synchronizer.ConfigAnnotation: string(config), synchronizer.OwnerAnnotation: string(owner)}
	labels := map[string]string{"app": synchronizer.Plugin}
	d := deployment(Namespace, synchronizer.Plugin, way.Replicas(), labels)
	template := d["spec"].(object)["template"].(object)
	onControlPlanes(template, notes)
	out := []object{d, release(synchronizer.Plugin), with(namespaced("v1", "Service", synchronizer.Monitor), object{"spec": object{
		"selector": labels, "ports": []object{{"name": "http", "port": 80, "targetPort": 9180, "protocol": "TCP"}}}})}
	if way.Token {
		out = append(out, bootstrapJob(notes))
	}
	return out, nil
}

func withDefaults(parameters, defaults object) object {
	out := object{}
	for _, from := range []object{defaults, parameters} {
		for k, v := range from {
			out[k] = v
		}
	}
	return out
}

// onControlPlanes makes Pods run where their programs are: beside the console.
func onControlPlanes(template object, annotations map[string]string) {
	template["metadata"].(object)["annotations"] = annotations
	spec := template["spec"].(object)
	spec["nodeSelector"] = map[string]string{"node-role.kubernetes.io/control-plane": ""}
	spec["hostNetwork"] = true
}

func bootstrapJob(annotations map[string]string) object {
	const name = synchronizer.BootstrapJob
	template := object{
		"metadata": object{"labels": map[string]string{"app": name, endsByItself: "true"}},
		"spec": object{
			"restartPolicy": "Never",
			"tolerations":   []object{{"operator": "Exists"}},
			"containers":    []object{{"name": name, "image": "registry.example.com/acp/" + synchronizer.Plugin + ":" + Version}},
		},
	}
	onControlPlanes(template, annotations)
	return with(namespaced("batch/v1", "Job", name), object{"spec": object{"backoffLimit": 6, "template": template}})
}

// endsByItself marks Pods that the kubelet's stand-in must not end.
const endsByItself = "acp-lab/ends-by-itself"
