package synchronizer

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

// podsPath lists the plugin's Pods.
const podsPath = "/api/v1/namespaces/" + Namespace + "/pods"

// pod is what is read of a Pod.
type pod struct {
	Metadata struct {
		Name              string            `json:"name"`
		UID               string            `json:"uid"`
		Labels            map[string]string `json:"labels"`
		Annotations       map[string]string `json:"annotations"`
		CreationTimestamp time.Time         `json:"creationTimestamp"`
		DeletionTimestamp *time.Time        `json:"deletionTimestamp"`
	} `json:"metadata"`
	Spec struct {
		NodeName   string `json:"nodeName"`
		Containers []struct {
			Name string `json:"name"`
		} `json:"containers"`
	} `json:"spec"`
	Status struct {
		Phase string `json:"phase"`
		PodIP string `json:"podIP"`
	} `json:"status"`
}

func (p pod) container() string {
	if len(p.Spec.Containers) == 0 {
		return Plugin
	}
	return p.Spec.Containers[0].Name
}

func (p pod) runs() bool { return p.Metadata.DeletionTimestamp == nil && p.Status.Phase == "Running" }

func (p pod) path() string { return podsPath + "/" + p.Metadata.Name }

// listPods returns the Pods with the label app, on one node unless it is "".
func listPods(ctx context.Context, api *kubeapi.Client, app, node string) ([]pod, error) {
	query := url.Values{"labelSelector": {"app=" + app}}
	if node != "" {
		query.Set("fieldSelector", "spec.nodeName="+node)
	}
	var list struct {
		Items []pod `json:"items"`
	}
	err := api.Get(ctx, podsPath+"?"+query.Encode(), &list)
	return list.Items, err
}

// setReady says in the API whether the Pod's container is well.
func (p pod) setReady(ctx context.Context, api *kubeapi.Client, ready bool) error {
	var full kubeapi.Object
	if err := api.Get(ctx, p.path(), &full); err != nil {
		return err
	}
	status, _ := full["status"].(kubeapi.Object)
	if meta, _ := full["metadata"].(kubeapi.Object); status == nil || meta["uid"] != p.Metadata.UID {
		return nil // another Pod of that name
	}
	word := map[bool]string{true: "True", false: "False"}[ready]
	changed := false
	conditions, _ := status["conditions"].([]any)
	for _, item := range conditions {
		c, _ := item.(kubeapi.Object)
		if (c["type"] == "Ready" || c["type"] == "ContainersReady") && c["status"] != word {
			c["status"], c["lastTransitionTime"], changed = word, now(), true
		}
	}
	containers, _ := status["containerStatuses"].([]any)
	for _, item := range containers {
		if c, _ := item.(kubeapi.Object); c != nil && c["ready"] != ready {
			c["ready"], changed = ready, true
		}
	}
	if !changed {
		return nil
	}
	return api.Do(ctx, http.MethodPut, p.path()+"/status", "", full, nil)
}

// end says in the API how a Pod that runs to its end has ended.
func (p pod) end(ctx context.Context, api *kubeapi.Client, failure error) error {
	phase, code, message := "Succeeded", 0, ""
	if failure != nil {
		phase, code, message = "Failed", 1, failure.Error()
	}
	return api.Do(ctx, http.MethodPatch, p.path()+"/status", kubeapi.MergePatch, kubeapi.Object{
		"metadata": kubeapi.Object{"uid": p.Metadata.UID},
		"status": kubeapi.Object{"phase": phase, "containerStatuses": []kubeapi.Object{{
			"name": p.container(), "image": "", "imageID": "", "ready": false, "restartCount": 0,
			"state": kubeapi.Object{"terminated": kubeapi.Object{"exitCode": code, "message": message, "finishedAt": now()}}}}},
	}, nil)
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

// owner is the reference to what the Pod was installed for, so that what the
// Pod makes goes with it.
func (p pod) owner() []kubeapi.Object {
	var o kubeapi.Object
	if json.Unmarshal([]byte(p.Metadata.Annotations[OwnerAnnotation]), &o) != nil || o == nil {
		return nil
	}
	return []kubeapi.Object{o}
}
