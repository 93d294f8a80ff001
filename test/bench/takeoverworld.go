package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	temporal "go.temporal.io/sdk/client"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/workflows"
)

// What a switchover waits for in the measurement: a restarted Pod is ready after
// readyAfter, as a log store is at best; the name's TTL is the lab's, 5 s.
const (
	readyAfter   = 20 * time.Second
	takeoverSoak = "10s"
)

// takeoverWorld is a synchronised pair with acpflow around it.
type takeoverWorld struct {
	lab              *lab.Lab
	site             *site.Site
	temporal         temporal.Client
	primary, standby string // as they are now

	runs int
}

// onPair builds the pair, lets use have it, and takes it down.
func onPair(ctx context.Context, use func(*takeoverWorld) error) (err error) {
	plan := func(name string) lab.ClusterPlan {
		return lab.ClusterPlan{Name: name, ControlPlanes: 1, Balancer: true}
	}
	options := lab.Options{Clusters: []lab.ClusterPlan{plan("west"), plan("east")}, Workloads: []string{"work-1", "work-2"},
		Site: func(s *site.Site) { s.DR.Takeover.Soak = takeoverSoak }}
	return onLab(ctx, options, func(l *lab.Lab, d *harness.Devserver, sites string) error {
		file := filepath.Join(sites, overheadLab+".yaml")
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		doc, err := site.Parse(file, text)
		if err != nil {
			return err
		}
		c, err := d.Client(ctx)
		if err != nil {
			return err
		}
		defer c.Close()
		w := &takeoverWorld{lab: l, site: doc, temporal: c, primary: "west", standby: "east"}
		if _, _, err := w.runbook(ctx, workflows.InstallPairName, w.primary); err != nil {
			return err
		}
		if err := w.slowPods(ctx); err != nil {
			return err
		}
		return use(w)
	})
}

// runbook runs one to its end; what it asks is approved at once by another
// person than the one who started it.
func (w *takeoverWorld) runbook(ctx context.Context, name, cluster string) (*workflows.Progress, string, error) {
	w.runs++
	id := fmt.Sprintf("bench-%d", w.runs)
	run, err := w.temporal.ExecuteWorkflow(ctx, temporal.StartWorkflowOptions{ID: id, TaskQueue: workflows.TaskQueue}, name,
		workflows.Request{Site: overheadLab, Cluster: cluster, RequestedBy: "bench"})
	if err != nil {
		return nil, id, err
	}
	for {
		value, err := w.temporal.QueryWorkflow(ctx, id, "", workflows.StatusQuery)
		if err != nil {
			return nil, id, err
		}
		var p workflows.Progress
		if err := value.Get(&p); err != nil {
			return nil, id, err
		}
		switch {
		case p.Ended != nil:
			return &p, id, run.Get(ctx, nil)
		case p.Gate != nil && p.Gate.Question == "":
			return nil, id, errors.Join(fmt.Errorf("%s parked at %s: %s", name, p.Gate.Step, p.Gate.Error), w.temporal.TerminateWorkflow(ctx, id, "", "it parked"))
		case p.Gate != nil:
			in := workflows.Decision{Step: p.Gate.Step, Action: workflows.Approve, By: "second", Reason: "bench"}
			handle, err := w.temporal.UpdateWorkflow(ctx, temporal.UpdateWorkflowOptions{WorkflowID: id, UpdateName: workflows.DecideUpdate, Args: []any{in}, WaitForStage: temporal.WorkflowUpdateStageCompleted})
			if err == nil {
				err = handle.Get(ctx, nil)
			}
			if err != nil {
				return nil, id, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, id, ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// protect makes the old primary the standby.
func (w *takeoverWorld) protect(ctx context.Context) error {
	_, _, err := w.runbook(ctx, workflows.ReprotectName, w.standby)
	return err
}

// slowPods makes the restarted Pods of all clusters take their time.
func (w *takeoverWorld) slowPods(ctx context.Context) error {
	patch := []byte(fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"acp-lab/ready-after":%q}}}}}`, readyAfter))
	for _, machine := range []string{"west-1", "east-1", "work-1", "work-2"} {
		api, err := w.api(ctx, machine)
		if err != nil {
			return err
		}
		deployments := api.AppsV1().Deployments("cpaas-system")
		list, err := deployments.List(ctx, metav1.ListOptions{LabelSelector: "service_name in (cpaas-elasticsearch,alertmanager,vmselect,vminsert,cluster-transformer,warlock)"})
		if err != nil {
			return err
		}
		for _, d := range list.Items {
			if _, err := deployments.Patch(ctx, d.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
				return err
			}
		}
	}
	time.Sleep(readyAfter + 5*time.Second) // the new Pods are ready
	return nil
}

// api opens the cluster of a control plane.
func (w *takeoverWorld) api(ctx context.Context, machine string) (kubernetes.Interface, error) {
	n, err := w.lab.Node(machine)
	if err != nil {
		return nil, err
	}
	text, err := n.Exec(ctx, "cat", "/etc/kubernetes/admin.conf")
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(text))
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}
