package activities

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/kube"
)

// ServiceGroup are Pods that are restarted together.
type ServiceGroup struct {
	Name      string     `json:"name"`
	Namespace string     `json:"namespace,omitempty"` // default cpaas-system
	Selector  string     `json:"selector"`            // of their labels
	Pods      []kube.Pod `json:"pods,omitempty"`      // that were there before

	Again bool     `json:"again,omitempty"` // an earlier try has begun to restart it; see Retry
	Want  int      `json:"want,omitempty"`  // Pods that must be ready then, beside those that stay behind
	Going []string `json:"going,omitempty"` // then, UIDs of Pods that lived before that try and are going
}

func (g ServiceGroup) namespace() string { return cmp.Or(g.Namespace, platformNamespace) }

// AfterSync are the services that read what the synchronizer copies only when
// they start (DR-34).
var AfterSync = []ServiceGroup{
	{Name: "Elasticsearch", Selector: "service_name=cpaas-elasticsearch"},
	{Name: "VictoriaMetrics", Selector: "service_name in (alertmanager,vmselect,vminsert)"},
}

// What a takeover restarts beside that.
var (
	// Transformer turns what workload clusters report into objects (DR-43).
	Transformer = ServiceGroup{Name: "cluster transformer", Selector: "service_name=cluster-transformer"}
	// CoreDNS keeps the platform's old address for a while (DR-42).
	CoreDNS = ServiceGroup{Name: "coredns", Namespace: "kube-system", Selector: "k8s-app in (kube-dns,coredns)"}
)

// ServicesInput names groups of services of one side.
type ServicesInput struct {
	Scope
	Groups []ServiceGroup `json:"groups"`
	Settle time.Duration  `json:"settle,omitempty"`
}

// ServicesView are the groups with the Pods that are there.
type ServicesView struct {
	Groups []ServiceGroup `json:"groups"`
}

// ListServices finds the Pods of each group. Their UIDs go into history, so
// that another attempt of the restart deletes no Pod that the first one made.
func (a *Sync) ListServices(ctx context.Context, in ServicesInput) (ServicesView, error) {
	client, err := a.open(ctx, in.Scope)
	if err != nil {
		return ServicesView{}, err
	}
	defer client.Close()
	out := ServicesView{Groups: slices.Clone(in.Groups)}
	for i, g := range out.Groups {
		if out.Groups[i].Pods, err = client.Pods(ctx, g.namespace(), g.Selector); err != nil {
			return ServicesView{}, err
		}
	}
	return out, nil
}

// RestartServices deletes the Pods that were listed and lived then, by their UIDs,
// and waits until as many others are ready. A Pod that is deleted and lies on a
// node that is away counts as gone, and the evidence names it. A group without Pods
// is not installed; one of which nothing can come back is fault.Stalled at once.
func (a *Sync) RestartServices(ctx context.Context, in ServicesInput) (Evidence, error) {
	client, err := a.open(ctx, in.Scope)
	if err != nil {
		return Evidence{}, err
	}
	defer client.Close()
	parts, err := restarting{what: "restart services", place: "cluster " + in.Cluster, groups: in.Groups, namespace: ServiceGroup.namespace, settle: in.Settle,
		fix: "look at these Pods, delete what is left over of a service that is not installed, then retry; where fewer Pods shall be there by now, skip, or abort and start again"}.do(ctx, client)
	if err != nil {
		return Evidence{}, err
	}
	facts := map[string]string{}
	for _, g := range in.Groups {
		if len(g.Pods) > 0 {
			facts[g.Name] = fmt.Sprint(len(g.Restarts()))
		}
	}
	return Evidence{Summary: strings.Join(parts, "; "), Host: in.Cluster, Facts: facts}, nil
}
