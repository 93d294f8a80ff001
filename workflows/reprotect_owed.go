package workflows

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/kube"
)

// nothingOwed says, where it is so, that no debt of the kind is recorded.
func (r *reprotecting) nothingOwed(kind string, is func(activities.Owed) bool) func() string {
	return func() string {
		if r.record != nil && slices.ContainsFunc(r.record.Owed, is) {
			return ""
		}
		return fmt.Sprintf("no %s is owed", kind)
	}
}

// isRestart tells what is owed to a workload cluster from what is owed to a side,
// where isPort also takes what this version does not know, to refuse it.
func isRestart(o activities.Owed) bool { return o.Action == activities.OwedWarlock }
func isPort(o activities.Owed) bool    { return !isRestart(o) && !isNameServer(o) }

// owed makes the changes that the takeover could not make because the old side
// was away, and strikes each from the record when it is made.
func (r *reprotecting) owed() Step {
	return unless(r.nothingOwed("closed port", r.toClose), Step{
		StepInfo: StepInfo{
			ID: "reprotect.04-owed", Title: "Close the ports of " + r.standby.Name + " that the takeover could not", Source: []string{"DR-42"}, Effect: Write,
			Calls: []string{"what the record of " + r.primary.Name + " says is owed:", "connect to " + r.standby.Endpoint.VIP + " port PORT   # until it is refused",
				"PUT /api/v1/namespaces/cpaas-system/configmaps/acpflow-pair   # on " + r.primary.Name + ", without what is paid"},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			return r.pay(ctx, r.toClose, func(ctx workflow.Context, o activities.Owed) (activities.Evidence, error) {
				var a *activities.Forwarding
				var evidence activities.Evidence
				if o.Action != activities.OwedClosePort {
					return evidence, r.refuse("use the version of acpflow that recorded it", "%s of %s is owed, and this version does not know how to do that", o.Action, o.Cluster)
				}
				in := activities.PortInput{Scope: activities.Scope{Site: *r.site, Cluster: o.Cluster}, Port: o.Port}
				err := workflow.ExecuteActivity(balancing(ctx, fmt.Sprintf("Close port %d of %s", o.Port, o.Cluster)), a.ClosePort, in).Get(ctx, &evidence)
				return evidence, err
			})
		},
	})
}

// owedNames sees that the name servers and resolvers which were silent during the
// takeover lead to the new primary. The roles have been judged by every server that
// answers; here each is held to what the takeover would have demanded of it.
func (r *reprotecting) owedNames() Step {
	return unless(r.nothingOwed("name server", isNameServer), Step{
		StepInfo: StepInfo{
			ID: "reprotect.05-owed-names", Title: fmt.Sprintf("Name servers that were silent during the takeover lead to %s", r.primary.Name), Source: []string{"DR-42"}, Effect: Write,
			Calls: []string{"what the record of " + r.primary.Name + " says is owed:", fmt.Sprintf("dig @SERVER %s. A AAAA   # until right three times in a row; one that the site document does not name any more is struck", r.site.Platform.Address),
				"PUT /api/v1/namespaces/cpaas-system/configmaps/acpflow-pair   # on " + r.primary.Name + ", without what is paid"},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			return r.pay(ctx, isNameServer, func(ctx workflow.Context, o activities.Owed) (evidence activities.Evidence, err error) {
				var a *activities.DNS
				in := activities.ServerInput{Scope: r.scope(r.primary), Server: o.Server}
				err = workflow.ExecuteActivity(caches(ctx, "See that "+o.Server+" leads to "+r.primary.Name), a.CheckServer, in).Get(ctx, &evidence)
				return evidence, err
			})
		},
	})
}

// owedRestarts restarts what sends monitoring to the platform in workload clusters
// that could not be reached. One that still can't be may be let go: it stays owed.
func (r *reprotecting) owedRestarts() Step {
	first := map[string][]kube.Pod{} // by cluster, as the first try saw them: a retry deletes no successor
	return unless(r.nothingOwed("restart of warlock", isRestart), Step{
		StepInfo: StepInfo{
			ID: "reprotect.05-owed-restarts", Title: "Restart warlock in the workload clusters where the takeover could not", Source: []string{"DR-43"}, Effect: Write, Skippable: true,
			Calls: []string{"kubectl --kubeconfig WORKLOAD-CLUSTER delete po -A -l service_name=warlock   # each by its UID"},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			return r.pay(ctx, isRestart, func(ctx workflow.Context, o activities.Owed) (activities.Evidence, error) {
				var a *activities.Workloads
				var found activities.Warlock
				var evidence activities.Evidence
				in := activities.WorkloadInput{Site: *r.site, Name: o.Cluster, Settle: r.site.Policy.Stall()}
				if err := workflow.ExecuteActivity(quickRead(ctx, "Find warlock on "+o.Cluster), a.ListWarlock, in).Get(ctx, &found); err != nil || !found.Installed {
					return found.Evidence, err
				}
				if before := first[o.Cluster]; len(before) > 0 {
					in.Pods = before
					in = in.Retry(found.Pods)
				} else {
					in.Pods, first[o.Cluster] = found.Pods, found.Pods
				}
				err := workflow.ExecuteActivity(settling(ctx, r.site, "Restart warlock on "+o.Cluster), a.RestartWarlock, in).Get(ctx, &evidence)
				return evidence, err
			})
		},
	})
}

// pay makes what is owed of a kind; one that fails does not stop the rest. What is
// paid is struck from the record at once, so that a run which ends here owes only
// what is left.
func (r *reprotecting) pay(ctx workflow.Context, is func(activities.Owed) bool, do func(workflow.Context, activities.Owed) (activities.Evidence, error)) (activities.Evidence, error) {
	var paid []string
	var failed error
	for i := 0; i < len(r.record.Owed); {
		o := r.record.Owed[i]
		if !is(o) {
			i++
			continue
		}
		evidence, err := do(ctx, o)
		left := *r.record
		left.Owed = slices.Delete(slices.Clone(r.record.Owed), i, i+1)
		if err == nil {
			err = r.write(ctx, r.primary.Name, left)
		}
		if err != nil {
			failed = cmp.Or(failed, err)
			i++
			continue
		}
		r.record = &left
		paid = append(paid, evidence.Summary)
	}
	return activities.Evidence{Summary: strings.Join(paid, "; "), Host: r.primary.Name}, failed
}

// write puts a record onto one side.
func (r *reprotecting) write(ctx workflow.Context, cluster string, record activities.PairRecord) error {
	in := activities.WriteRecordInput{Scope: activities.Scope{Site: *r.site, Cluster: cluster}, Record: record}
	return workflow.ExecuteActivity(nodeWrite(ctx, "Record on "+cluster+" who is primary"), sidesView.WritePairRecord, in).Get(ctx, nil)
}
