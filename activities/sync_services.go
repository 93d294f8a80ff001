package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
)

// ServiceGroup are Pods that are restarted together.
type ServiceGroup struct {
	Name      string     `json:"name"`
	Namespace string     `json:"namespace,omitempty"` // default cpaas-system
	Selector  string     `json:"selector"`            // of their labels
	Pods      []kube.Pod `json:"pods,omitempty"`      // that were there before
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

// RestartServices deletes the Pods that were listed, by their UIDs, and waits
// until as many others are ready. A group without Pods is not installed.
func (a *Sync) RestartServices(ctx context.Context, in ServicesInput) (Evidence, error) {
	client, err := a.open(ctx, in.Scope)
	if err != nil {
		return Evidence{}, err
	}
	defer client.Close()
	for _, g := range in.Groups {
		for _, p := range g.Pods {
			if _, err := client.DeletePod(ctx, p); err != nil {
				return Evidence{}, err
			}
		}
	}
	for end := time.Now().Add(in.Settle); ; {
		waits, err := waitsFor(ctx, client, in.Groups)
		if err != nil {
			return Evidence{}, err
		}
		if len(waits) == 0 {
			return restartedEvidence(in), nil
		}
		text := strings.Join(waits, "; ")
		if time.Now().After(end) {
			return Evidence{}, fault.New(fault.Stalled, "restart services", "cluster "+in.Cluster, "look at these Pods, then retry", errors.New(text))
		}
		report(ctx, Progress{Text: text})
		if err := pause(ctx, settlePoll); err != nil {
			return Evidence{}, err
		}
	}
}

func restartedEvidence(in ServicesInput) Evidence {
	var parts []string
	facts := map[string]string{}
	for _, g := range in.Groups {
		if len(g.Pods) == 0 {
			parts = append(parts, g.Name+" is not installed")
			continue
		}
		parts = append(parts, fmt.Sprintf("%s: %d Pods restarted", g.Name, len(g.Pods)))
		facts[g.Name] = fmt.Sprint(len(g.Pods))
	}
	return Evidence{Summary: strings.Join(parts, "; "), Host: in.Cluster, Facts: facts}
}

// waitsFor tells which groups are not back yet.
func waitsFor(ctx context.Context, c *kube.Client, groups []ServiceGroup) ([]string, error) {
	var out []string
	for _, g := range groups {
		if len(g.Pods) == 0 {
			continue
		}
		pods, err := c.Pods(ctx, g.namespace(), g.Selector)
		if err != nil {
			return nil, err
		}
		if why := notBack(g, pods); why != "" {
			out = append(out, g.Name+": "+why)
		}
	}
	return out, nil
}

// notBack tells why a group with these Pods is not restarted yet.
func notBack(g ServiceGroup, now []kube.Pod) string {
	ready := 0
	var why string
	for _, p := range now {
		switch {
		case slices.ContainsFunc(g.Pods, func(old kube.Pod) bool { return old.UID == p.UID }):
			return "Pod " + p.Name + " has not gone yet"
		case p.Ready:
			ready++
		default:
			why = fmt.Sprintf(", Pod %s: %s", p.Name, p.Why)
		}
	}
	if ready < len(g.Pods) {
		return fmt.Sprintf("%d of %d Pods are ready%s", ready, len(g.Pods), why)
	}
	return ""
}
