package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// RestartWarlock deletes the Pods that were listed, by their UIDs, and waits until
// as many others are ready. Without Pods it does nothing.
func (a *Workloads) RestartWarlock(ctx context.Context, in WorkloadInput) (Evidence, error) {
	if len(in.Pods) == 0 {
		return Evidence{Summary: "warlock has no Pod on " + in.Name, Host: in.Name}, nil
	}
	client, err := a.open(in)
	if err != nil {
		return Evidence{}, err
	}
	defer client.Close()
	for _, p := range in.Pods {
		if _, err := client.DeletePod(ctx, p); err != nil {
			return Evidence{}, err
		}
	}
	before := ServiceGroup{Name: "warlock", Selector: warlockSelector, Pods: in.Pods}
	for end := time.Now().Add(in.Settle); ; {
		now, err := client.Pods(ctx, "", warlockSelector)
		if err != nil {
			return Evidence{}, err
		}
		why := notBack(before, now)
		if why == "" {
			return Evidence{Summary: fmt.Sprintf("warlock: %d Pods of %s restarted", len(in.Pods), in.Name), Host: in.Name, Facts: map[string]string{"pods": fmt.Sprint(len(in.Pods))}}, nil
		}
		if time.Now().After(end) {
			return Evidence{}, fault.New(fault.Stalled, "restart warlock", "workload cluster "+in.Name, "look at these Pods there, then retry", errors.New(why))
		}
		report(ctx, Progress{Text: in.Name + ": " + why})
		if err := pause(ctx, settlePoll); err != nil {
			return Evidence{}, err
		}
	}
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
