package workflows

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/site"
)

var workloads *activities.Workloads

var transformerGroup = []activities.ServiceGroup{activities.Transformer}

// restarts make everything that remembers the old primary look the name up anew
// (DR-43). They do not wait for one another.
func (t *takeover) restarts() []Step {
	out := []Step{
		t.restartStep("17-elasticsearch", "Restart Elasticsearch on "+t.to.Name, elasticsearchGroup),
		t.restartStep("18-monitoring", "Restart the monitoring on "+t.to.Name, activities.AfterSync[1:]),
		t.restartStep("19-transformer", "Restart the cluster-transformer on "+t.to.Name, transformerGroup),
	}
	for _, w := range t.site.DR.Takeover.WorkloadClusters {
		out = append(out, t.warlock(w))
	}
	return out
}

func (t *takeover) restartStep(id, title string, groups []activities.ServiceGroup) Step {
	calls := make([]string, len(groups))
	for i, g := range groups {
		calls[i] = fmt.Sprintf("kubectl delete po -n %s -l '%s'   # if installed; each by its UID, then until as many are Ready", syncplugin.Namespace, g.Selector)
	}
	return Step{
		StepInfo: StepInfo{ID: t.id(id), Title: title, Source: []string{"DR-43"}, Effect: Write, Skippable: true, Calls: calls},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			now, err := t.toRestart(ctx, id, groups)
			if err != nil {
				return activities.Evidence{}, err
			}
			evidence, err := t.restart(ctx, now)
			if err == nil {
				t.noteRestarts(t.lists[id]) // also what an earlier try deleted
			}
			return evidence, err
		},
	}
}

// toRestart are the groups with the Pods that a try restarts. A retry waits for the
// successors of those that the first try saw, and deletes none of them.
func (t *takeover) toRestart(ctx workflow.Context, id string, groups []activities.ServiceGroup) ([]activities.ServiceGroup, error) {
	first := t.lists[id]
	if first != nil && !looksAgain(ctx, id) {
		return first, nil
	}
	found, err := t.list(ctx, groups)
	if err != nil {
		return nil, err
	}
	if first != nil {
		again := retryOf(first, found)
		t.noneOf(again)
		return again, nil
	}
	t.lists[id] = found
	t.noneOf(found)
	return found, nil
}

// looksAgain reports whether a retry of a restart lists the Pods once more. A run
// whose retry began before that was so goes on as it began.
func looksAgain(ctx workflow.Context, id string) bool {
	return workflow.GetVersion(ctx, "list Pods at a retry of "+id, workflow.DefaultVersion, 1) >= 1
}

// retryOf are the groups that a retry restarts, in the order of the first try.
func retryOf(first, now []activities.ServiceGroup) []activities.ServiceGroup {
	out := slices.Clone(first)
	for i := range out {
		if len(first[i].Pods) > 0 { // what was not installed is not waited for
			out[i] = first[i].Retry(now[i].Pods)
		}
	}
	return out
}

// list finds the Pods of some services of the new side.
func (t *takeover) list(ctx workflow.Context, groups []activities.ServiceGroup) ([]activities.ServiceGroup, error) {
	in := activities.ServicesInput{Scope: t.scope(t.to), Groups: groups}
	view, err := resultOf[activities.ServicesView](steadyRead(ctx, "Find the Pods of "+groups[0].Name), (*activities.Sync)(nil).ListServices, in)
	return view.Groups, err
}

// restart deletes the Pods that were listed and waits for their successors.
func (t *takeover) restart(ctx workflow.Context, groups []activities.ServiceGroup) (activities.Evidence, error) {
	in := activities.ServicesInput{Scope: t.scope(t.to), Groups: groups, Settle: t.site.Policy.Stall()}
	evidence, err := resultOf[activities.Evidence](settling(ctx, t.site, "Restart "+groups[0].Name+" on "+t.to.Name), (*activities.Sync)(nil).RestartServices, in)
	if err == nil {
		t.noteRestarts(groups)
	}
	return evidence, err
}

func (t *takeover) noteRestarts(groups []activities.ServiceGroup) {
	for _, g := range groups {
		t.restarted("", g.Restarts())
	}
}

func (t *takeover) restarted(cluster string, pods []kube.Pod) {
	for _, p := range pods {
		line := fmt.Sprintf("%s/%s %s", p.Namespace, p.Name, p.UID)
		if cluster != "" {
			line += " of " + cluster
		}
		if !slices.Contains(t.rec.Restarted, line) {
			t.rec.Restarted = append(t.rec.Restarted, line)
		}
	}
}

// noneOf notes what is not installed, and reports whether that is all of it.
func (t *takeover) noneOf(groups []activities.ServiceGroup) bool {
	none := true
	for _, g := range groups {
		if len(g.Pods) > 0 || g.Again {
			none = false
			continue
		}
		t.absent(g.Name)
	}
	return none
}

func (t *takeover) absent(name string) {
	if !slices.Contains(t.rec.NotInstalled, name) {
		t.rec.NotInstalled = append(t.rec.NotInstalled, name)
	}
}

// warlock restarts what sends a workload cluster's monitoring. One that can't be
// reached is owed: it must not keep the others, or the platform's users, waiting.
func (t *takeover) warlock(w site.WorkloadCluster) Step {
	id := "20-warlock-" + w.Name
	var first *activities.Warlock
	return Step{
		StepInfo: StepInfo{ID: t.id(id), Title: "Restart warlock on workload cluster " + w.Name + ", or owe it", Source: []string{"DR-43"}, Effect: Write, Skippable: true,
			Calls: []string{"kubectl delete po -n cpaas-system -l service_name=warlock   # on " + w.Name + ", if installed; each by its UID, then until as many are Ready"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			t.rec.Owed = slices.DeleteFunc(t.rec.Owed, func(o activities.Owed) bool { return sameDebt(o, w.Name, activities.OwedWarlock, 0) })
			in := activities.WorkloadInput{Site: *t.site, Name: w.Name, Settle: t.site.Policy.Stall()}
			var evidence activities.Evidence
			err := func() (err error) {
				if in, err = findWarlock(ctx, id, in, &first); err != nil {
					return err
				}
				if len(first.Pods) == 0 {
					if evidence = first.Evidence; !first.Installed {
						t.absent("warlock of " + w.Name)
					}
					return nil
				}
				evidence, err = resultOf[activities.Evidence](settling(ctx, t.site, "Restart warlock on "+w.Name), workloads.RestartWarlock, in)
				return err
			}()
			if away(ctx, err) {
				return t.owe(ctx, activities.Owed{Cluster: w.Name, Action: activities.OwedWarlock, Why: clip(plainText(err), 500)}), nil
			}
			if err == nil {
				t.closed = append(t.closed, activities.Owed{Cluster: w.Name, Action: activities.OwedWarlock})
				in.Pods = first.Pods
				t.restarted(w.Name, in.Restarts())
			}
			return evidence, err
		},
	}
}

// findWarlock completes the input of a try by what is there; first is what the
// first try saw.
func findWarlock(ctx workflow.Context, id string, in activities.WorkloadInput, first **activities.Warlock) (activities.WorkloadInput, error) {
	before := *first
	if before != nil {
		if in.Pods = before.Pods; len(in.Pods) == 0 || !looksAgain(ctx, id) {
			return in, nil
		}
	}
	view, err := resultOf[activities.Warlock](nodeRead(ctx, "Find warlock on "+in.Name), workloads.ListWarlock, in)
	switch {
	case err != nil:
		return in, err
	case before != nil:
		return in.Retry(view.Pods), nil
	}
	*first, in.Pods = &view, view.Pods
	return in, nil
}
