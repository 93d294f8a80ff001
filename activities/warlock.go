package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
)

// warlockSelector finds the Pods that send a workload cluster's monitoring to the
// platform (DR-43). They lie in cpaas-system, and elsewhere where somebody moved them.
const warlockSelector = "service_name=warlock"

// Workloads acts on workload clusters, each by a kubeconfig of its own. They are
// reached from the worker or, where that gets no connection, through a node of the
// platform.
type Workloads struct{ Hosts *Hosts }

// WorkloadInput names a workload cluster of dr.takeover.workloadClusters.
type WorkloadInput struct {
	Site   site.Site     `json:"site"`
	Name   string        `json:"name"`
	Settle time.Duration `json:"settle,omitempty"` // nanoseconds; of RestartWarlock: how long the new Pods may take
	Pods   []kube.Pod    `json:"pods,omitempty"`   // of RestartWarlock: those that were listed
	Again  bool          `json:"again,omitempty"`  // of RestartWarlock, as Want and Going: see ServiceGroup
	Want   int           `json:"want,omitempty"`
	Going  []string      `json:"going,omitempty"`
}

// Warlock is what a workload cluster has of it.
type Warlock struct {
	Evidence
	Installed bool       `json:"installed"`      // there are Pods, or something that shall have Pods
	Pods      []kube.Pod `json:"pods,omitempty"` // that are there
}

// ListWarlock finds the Pods of warlock in a workload cluster (DR-43). That it is
// not installed is a result; a cluster that can't be reached is fault.Unreachable.
// The Pods' UIDs go into history, so that another attempt of the restart deletes no
// Pod that the first one made.
func (a *Workloads) ListWarlock(ctx context.Context, in WorkloadInput) (Warlock, error) {
	client, err := a.open(in)
	if err != nil {
		return Warlock{}, err
	}
	defer client.Close()
	out := Warlock{Evidence: Evidence{Host: in.Name}}
	if out.Pods, err = client.Pods(ctx, "", warlockSelector); err != nil {
		return Warlock{}, err
	}
	makers, err := client.PodMakers(ctx, warlockSelector)
	if err != nil {
		return Warlock{}, err
	}
	out.Installed = len(out.Pods)+len(makers) > 0
	switch {
	case !out.Installed:
		out.Summary = "warlock is not installed on " + in.Name
	case len(out.Pods) == 0:
		out.Summary = fmt.Sprintf("warlock is installed on %s and has no Pod: see %s", in.Name, makers[0])
	default:
		out.Summary = fmt.Sprintf("%d Pods of warlock on %s", len(out.Pods), in.Name)
	}
	return out, nil
}

// RestartWarlock deletes the Pods that were listed and lived then, by their UIDs,
// and waits until as many others are ready; see RestartServices. Without Pods it
// does nothing, unless it is another try.
func (a *Workloads) RestartWarlock(ctx context.Context, in WorkloadInput) (Evidence, error) {
	if len(in.Pods) == 0 && !in.Again {
		return Evidence{Summary: "warlock has no Pod on " + in.Name, Host: in.Name}, nil
	}
	client, err := a.open(in)
	if err != nil {
		return Evidence{}, err
	}
	defer client.Close()
	group := in.group()
	parts, err := restarting{what: "restart warlock", place: "workload cluster " + in.Name, groups: []ServiceGroup{group}, settle: in.Settle,
		namespace: func(ServiceGroup) string { return "" }, fix: "look at these Pods there, then retry; skip where fewer shall be there by now"}.do(ctx, client)
	if err != nil {
		return Evidence{}, err
	}
	return Evidence{Summary: in.Name + ": " + strings.Join(parts, "; "), Host: in.Name, Facts: map[string]string{"pods": fmt.Sprint(len(group.Restarts()))}}, nil
}

func (in WorkloadInput) group() ServiceGroup {
	return ServiceGroup{Name: "warlock", Selector: warlockSelector, Pods: in.Pods, Again: in.Again, Want: in.Want, Going: in.Going}
}

// Restarts are the Pods that a restart deletes; see ServiceGroup.
func (in WorkloadInput) Restarts() []kube.Pod { return in.group().Restarts() }

// Retry is the input of another try, by what is there now; see ServiceGroup.Retry.
func (in WorkloadInput) Retry(now []kube.Pod) WorkloadInput {
	group := in.group().Retry(now)
	in.Pods, in.Again, in.Want, in.Going = group.Pods, group.Again, group.Want, group.Going
	return in
}

// open makes a client from the cluster's kubeconfig, which is resolved here.
func (a *Workloads) open(in WorkloadInput) (*kube.Client, error) {
	all := in.Site.DR.Takeover.WorkloadClusters
	at := slices.IndexFunc(all, func(w site.WorkloadCluster) bool { return w.Name == in.Name })
	if at < 0 {
		return nil, fault.New(fault.BadInput, "choose workload cluster "+in.Name, "site "+in.Site.Name, "name one of dr.takeover.workloadClusters", errors.New("no such cluster"))
	}
	kubeconfig, err := secret.Resolve(string(all[at].Kubeconfig))
	if err != nil {
		return nil, err
	}
	if kubeconfig.Empty() {
		return nil, fault.New(fault.BadInput, "open workload cluster "+in.Name, "site "+in.Site.Name, "set its kubeconfig in dr.takeover.workloadClusters", errors.New("it has no kubeconfig"))
	}
	client, err := kube.New(kubeconfig, kube.Options{Dial: a.Hosts.dialSomehow(&in.Site), Timeout: 20 * time.Second})
	if err != nil { // kube says to copy a kubeadm file, which nobody has of such a cluster
		class := fault.ClassOf(err)
		cause := err
		if f, ok := errors.AsType[*fault.Error](err); ok && f.Err != nil {
			cause = f.Err
		}
		return nil, fault.New(class, "open workload cluster "+in.Name, string(all[at].Kubeconfig), "give a kubeconfig with a token or a client certificate in it, without programs, files, proxies or unverified servers", cause)
	}
	return client, nil
}
