package platform

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/test/lab/elastic"
	"github.com/acpflow/acpflow/test/lab/kubeapi"
	"github.com/acpflow/acpflow/test/lab/podnet"
)

// platformDeployment is a Deployment of the platform; the runbooks find its
// Pods by the label service_name.
func platformDeployment(name string) object {
	return deployment(Namespace, name, 1, map[string]string{"service_name": name, "app": name})
}

// deployment runs anywhere, also on control planes closed to applications.
func deployment(namespace, name string, replicas int, labels map[string]string) object {
	return object{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": object{"name": name, "namespace": namespace, "labels": labels},
		"spec": object{
			"replicas": replicas,
			"selector": object{"matchLabels": labels},
			"template": object{
				"metadata": object{"labels": labels},
				"spec": object{
					"tolerations": []object{{"operator": "Exists"}},
					"containers":  []object{{"name": name, "image": "registry.example.com/acp/" + name + ":" + Version}},
				},
			},
		},
	}
}

// running makes the Pods of a Deployment run a real program. The label is none
// of its selector's: those are what a person knows the Pods by.
func running(program string, deployment object) object {
	meta := deployment["spec"].(object)["template"].(object)["metadata"].(object)
	labels := maps.Clone(meta["labels"].(map[string]string))
	labels[podnet.ProgramLabel] = program
	meta["labels"] = labels
	return deployment
}

// elasticsearch is the log store with its chart and its login.
func elasticsearch(v Values) []object {
	return []object{elastic.LoginObject(v.ElasticPassword), running(elastic.Program, platformDeployment(elastic.Deployment)), release(elastic.Deployment)}
}

const (
	imagesName = "registry-images"
	imagesPath = "/api/v1/namespaces/" + Namespace + "/configmaps/" + imagesName
	archKey    = "architectures"
)

// images records which image sets the registry holds.
func images(architectures []string) object {
	return with(namespaced("v1", "ConfigMap", imagesName), object{"data": object{archKey: strings.Join(architectures, ",")}})
}

// RegistryArchitectures reads which image sets the cluster's registry holds.
func RegistryArchitectures(ctx context.Context, api *kubeapi.Client) ([]string, error) {
	var config struct {
		Data map[string]string `json:"data"`
	}
	err := api.Get(ctx, imagesPath, &config)
	if kubeapi.IsCode(err, http.StatusNotFound) {
		return nil, nil
	}
	if err != nil || config.Data[archKey] == "" {
		return nil, err
	}
	return strings.Split(config.Data[archKey], ","), nil
}

// SyncImages adds a package's image sets to the registry, as upgrade.sh
// --only-sync-image does (PKG-10). It returns what the registry holds now.
func SyncImages(ctx context.Context, api *kubeapi.Client, architectures []string) ([]string, error) {
	have, err := RegistryArchitectures(ctx, api)
	if err != nil {
		return nil, err
	}
	all := append(slices.Clone(have), architectures...)
	slices.Sort(all)
	all = slices.Compact(all)
	return all, api.Apply(ctx, images(all))
}
