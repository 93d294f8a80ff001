package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
)

var (
	elastic *activities.Elastic
	safety  *activities.Safety
)

// templateTries bounds the script for Elasticsearch: 401 is mended by a restart
// (DR-40), but what a few restarts do not mend, no restart mends.
const templateTries = 3

var elasticsearchGroup = activities.AfterSync[:1]

// elasticsearch prepares it for what the new primary will write (DR-40).
func (t *takeover) elasticsearch() Step {
	const id = "03-elasticsearch"
	return Step{
		StepInfo: StepInfo{
			ID: t.id(id), Title: "Prepare Elasticsearch on " + t.to.Name, Source: []string{"DR-40"}, Effect: Write,
			Skippable: !t.planned, // a platform that is down is worse than one whose logs can't be searched
			Calls: []string{
				"kubectl get po -n cpaas-system -l " + elasticsearchGroup[0].Selector + "   # none: nothing is to be done",
				strings.Join(activities.TemplateScriptCommands(t.site.Package.Directory), "; ") + "   # as root on the installer node of " + t.to.Name,
				fmt.Sprintf("kubectl delete po -n cpaas-system POD   # each by its UID, then until Ready; on 401, and the script again, %d times at most; and once at the end", templateTries),
			},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			if t.lists[id] != nil && looksAgain(ctx, id) { // the script has done its work, its restart did not end
				now, err := t.toRestart(ctx, id, elasticsearchGroup)
				if err != nil {
					return activities.Evidence{}, err
				}
				return t.restart(ctx, now)
			}
			found, err := t.list(ctx, elasticsearchGroup)
			if err != nil {
				return activities.Evidence{}, err
			}
			if t.noneOf(found) {
				return activities.Evidence{Summary: "Elasticsearch is not installed on " + t.to.Name, Host: t.to.Name}, nil
			}
			for try := 1; ; try++ {
				t.scripts++
				in := activities.TemplateScriptInput{Scope: t.scope(t.to), Run: fmt.Sprintf("%s-%d", runID(ctx), t.scripts)} // each try is a run of its own
				script, err := resultOf[activities.TemplateScript](scripted(ctx, "Run the script for Elasticsearch"), elastic.RunTemplateScript, in)
				if err != nil {
					return script.Evidence, err
				}
				if script.Unauthorized && try == templateTries {
					return script.Evidence, gateFault("prepare Elasticsearch on "+t.to.Name, "see its log and its password, then retry", "the script got 401 %d times, with a restart after each but the last", try)
				}
				if !script.Unauthorized {
					t.lists[id] = found
				}
				restarted, err := t.restart(ctx, found)
				if err != nil {
					return script.Evidence, err
				}
				if !script.Unauthorized {
					script.Summary = fmt.Sprintf("%s at try %d; %s", script.Summary, try, restarted.Summary)
					return script.Evidence, nil
				}
				if found, err = t.list(ctx, elasticsearchGroup); err != nil {
					return script.Evidence, err
				}
			}
		},
	}
}

// snapshot keeps the new side's etcd as it was before anything changed.
func (t *takeover) snapshot() Step {
	return t.copyOf("04-snapshot", "Keep a snapshot of the etcd of "+t.to.Name+" on it", safety.SnapshotEtcd,
		fmt.Sprintf("etcdctl snapshot save /var/lib/acpflow/safety/RUN/%s-etcd.db   # root 0600; its SHA-256 is checked there", t.to.Name))
}

// export keeps what a mistake deletes first, in a form that a person can apply.
func (t *takeover) export() Step {
	return t.copyOf("05-export", "Keep the Machine and Cluster objects of "+t.to.Name+" on it", safety.ExportObjects,
		"kubectl get machines.platform.tkestack.io,clusters.platform.tkestack.io -o yaml   # into the same folder")
}

func (t *takeover) copyOf(id, title string, activity any, call string) Step {
	return Step{
		StepInfo: StepInfo{ID: t.id(id), Title: title, Source: []string{"DR-41"}, Effect: Write, Skippable: !t.planned, Calls: []string{call}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			in := activities.SafetyInput{Scope: t.scope(t.to), Run: runID(ctx), Label: t.to.Name}
			return resultOf[activities.Evidence](proving(ctx, title), activity, in)
		},
	}
}
