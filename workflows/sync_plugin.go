package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/site"
)

// pluginVersion decides the procedure by the version that is there (DR-35, DR-36).
func (s *syncing) pluginVersion() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "sync.03-version", Title: "Find the synchronizer's version and the procedure it needs", Source: []string{"DR-31", "DR-35", "DR-36"}, Effect: Read,
			Calls: []string{readPluginCall + "   # on " + s.standby.Name, "known: " + syncplugin.Known},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			view, err := s.read(ctx, s.standby)
			if err != nil {
				return activities.Evidence{}, err
			}
			s.plugin = view
			return s.judgeVersion(view)
		},
	}
}

func (s *syncing) judgeVersion(view activities.PluginView) (activities.Evidence, error) {
	how := "is to be installed"
	if view.Installed {
		how = "is installed"
	}
	evidence := activities.Evidence{
		Summary: fmt.Sprintf("%s %s %s, way %s", syncplugin.Name, view.Version, how, view.Way), Host: s.standby.Name,
		Facts: map[string]string{"version": view.Version, "way": string(view.Way), "installed": fmt.Sprint(view.Installed), "published": strings.Join(view.Published, " ")},
	}
	if view.Doubt != "" {
		evidence.Findings = []checks.Finding{{Rule: "DR-36", Title: "The synchronizer fits the site's profile", Outcome: checks.Warn, Seen: view.Doubt,
			Want: "a plugin of the same edition", Fix: "set the profile of the edition that is installed", Source: "Global DR"}}
	}
	switch {
	case !view.Installed && view.Present():
		return evidence, gateFault("install "+syncplugin.Name, "wait until it has gone, or delete it, then retry",
			"remains of one that was removed are still on %s: %s", s.standby.Name, strings.Join(view.Left(), ", "))
	case view.Version == "":
		return evidence, gateFault("install "+syncplugin.Name, "upload the package of "+syncplugin.Display+" to "+s.standby.Name+": "+activities.PushCommand(s.site.Name, s.standby.Name),
			"the plugin is not published on %s", s.standby.Name)
	case view.Unknown != "":
		return evidence, gateFault("choose a procedure", "", "%s", view.Unknown)
	}
	return evidence, nil
}

// keepWhileInstalled leaves what the synchronizer works with, its ports and its
// token, on an abort that leaves the synchronizer: it would stop, and the standby
// fall behind unnoticed.
func (s *syncing) keepWhileInstalled(step Step) Step {
	takeAway := step.Undo
	step.Undo = func(ctx workflow.Context) (activities.Evidence, error) {
		view, err := s.read(ctx, s.standby)
		if err != nil {
			return activities.Evidence{}, err
		}
		if view.Present() {
			return activities.Evidence{Summary: "left as it is: the synchronizer is still on " + s.standby.Name}, nil
		}
		return takeAway(ctx)
	}
	return step
}

func (s *syncing) token() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "sync.06-token", Title: "Copy the primary's token to the standby", Source: []string{"DR-36"}, Effect: Write,
			Calls: []string{
				fmt.Sprintf("kubectl -n %s get secret %s   # on %s, key %s, in memory only", syncplugin.Namespace, syncplugin.AdminSecret, s.primary.Name, syncplugin.TokenKey),
				"POST /apis/authentication.k8s.io/v1/tokenreviews   # " + s.primary.Name + " must accept it",
				fmt.Sprintf("kubectl -n %s create secret generic %s   # on %s, key %s", syncplugin.Namespace, syncplugin.TokenSecret, s.standby.Name, syncplugin.TokenKey),
			},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.Sync
			var evidence activities.Evidence
			in := activities.TokenInput{PairInput: s.pair(), Run: runID(ctx)}
			err := workflow.ExecuteActivity(nodeWrite(ctx, "Copy the token to "+s.standby.Name), a.CopyToken, in).Get(ctx, &evidence)
			return evidence, err
		},
		Undo: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.Sync
			var evidence activities.Evidence
			in := activities.TokenInput{PairInput: s.pair(), Run: runID(ctx)}
			err := workflow.ExecuteActivity(nodeWrite(ctx, "Undo: remove the token from "+s.standby.Name), a.RemoveToken, in).Get(ctx, &evidence)
			return evidence, err
		},
	}
}

func (s *syncing) install() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "sync.07-install", Title: "Install " + syncplugin.Display + " on " + s.standby.Name, Source: []string{"DR-31", "DR-36"}, Effect: Write,
			Calls: []string{"POST /apis/cluster.alauda.io/v1alpha1/moduleinfoes   # " + syncplugin.Name + ", " + activities.SyncParameters(s.primary, s.standby)},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.Sync
			var evidence activities.Evidence
			in := activities.InstallSyncInput{PairInput: s.pair(), Version: s.plugin.Version, Way: s.plugin.Way, Settle: s.site.Policy.Stall()}
			err := workflow.ExecuteActivity(settling(ctx, s.site, "Install the synchronizer on "+s.standby.Name), a.InstallPlugin, in).Get(ctx, &evidence)
			s.ran = s.ran || err == nil
			return evidence, err
		},
		Undo: func(ctx workflow.Context) (activities.Evidence, error) {
			var evidence activities.Evidence
			if s.before == nil || s.before.Installed {
				return activities.Evidence{Summary: "the synchronizer was installed before, and stays"}, nil
			}
			var a *activities.Sync
			in := activities.RemoveSyncInput{Scope: s.scope(s.standby), Primary: s.primary.Name, Settle: removedWithin, Fresh: !s.ran}
			err := workflow.ExecuteActivity(untilReady(ctx, "Undo: remove the synchronizer from "+s.standby.Name), a.RemovePlugin, in).Get(ctx, &evidence)
			return evidence, err
		},
	}
}

func (s *syncing) bootstrap() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "sync.08-bootstrap", Title: "Wait for the bootstrap Job and what it makes", Source: []string{"DR-36"}, Effect: Read,
			Calls: []string{fmt.Sprintf("kubectl -n %s get job/%s secret/%s issuer/%s certificate/%s secret/%s",
				syncplugin.Namespace, syncplugin.BootstrapJob, syncplugin.RemoteCA, syncplugin.RemoteIssuer, syncplugin.RemoteClient, syncplugin.RemoteClient)},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.Sync
			var evidence activities.Evidence
			in := activities.ClusterInput{Scope: s.scope(s.standby), Settle: s.site.Policy.Stall()}
			err := workflow.ExecuteActivity(settling(ctx, s.site, "Bootstrap of the synchronizer"), a.WaitBootstrap, in).Get(ctx, &evidence)
			return evidence, err
		},
	}
}

func (s *syncing) firstSync() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "sync.09-first-sync", Title: "Wait for the first full copy", Source: []string{"DR-32", "DR-35"}, Effect: Read,
			Calls: []string{fmt.Sprintf("kubectl -n %s logs POD | grep -i %q   # with a leader lease: of the leader", syncplugin.Namespace, syncplugin.FirstSyncDone)},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			err := s.waitFirstSync(ctx)
			return s.synced.Evidence, err
		},
	}
}

func (s *syncing) podInput() activities.SyncPodInput {
	return activities.SyncPodInput{Scope: s.scope(s.standby), Way: s.plugin.Way, Settle: s.site.Policy.Stall()}
}

func (s *syncing) waitFirstSync(ctx workflow.Context) error {
	var a *activities.Sync
	return workflow.ExecuteActivity(settling(ctx, s.site, "First full copy"), a.WaitFirstSync, s.podInput()).Get(ctx, &s.synced)
}

// recreate lets objects be copied again whose owners arrived after them.
func (s *syncing) recreate() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "sync.10-recreate", Title: "Recreate the Pod that copies, so that owner references are right", Source: []string{"DR-32", "DR-35"}, Effect: Write,
			Calls: []string{fmt.Sprintf("DELETE /api/v1/namespaces/%s/pods/POD   # with its UID as precondition; with a leader lease: the leader", syncplugin.Namespace)},
		},
		Do: s.doRecreate,
	}
}

func (s *syncing) doRecreate(ctx workflow.Context) (activities.Evidence, error) {
	var a *activities.Sync
	in := activities.RecreateInput{SyncPodInput: s.podInput(), Pod: s.synced.Pod, Seen: s.synced.Seen}
	var renewed activities.SyncPod
	err := workflow.ExecuteActivity(settling(ctx, s.site, "Recreate Pod "+in.Pod.Name), a.RecreateSyncPod, in).Get(ctx, &renewed)
	return renewed.Evidence, err
}

func (s *syncing) services() Step {
	return restartServices("sync.12-services", "Restart what reads the copied data only when it starts", s.site, s.standby, activities.AfterSync)
}

// restartServices is a step that deletes the Pods of some services, where they
// are installed, and waits for their successors (DR-34, DR-43).
func restartServices(id, title string, s *site.Site, c *site.Cluster, groups []activities.ServiceGroup) Step {
	calls := make([]string, len(groups))
	for i, g := range groups {
		calls[i] = fmt.Sprintf("kubectl -n %s delete pod -l '%s'   # %s, if installed; each by its UID", syncplugin.Namespace, g.Selector, g.Name)
	}
	var first []activities.ServiceGroup // as the first try saw them: a retry deletes no successor
	return Step{
		StepInfo: StepInfo{ID: id, Title: title, Source: []string{"DR-34"}, Effect: Write, Skippable: true, Calls: calls},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.Sync
			var found activities.ServicesView
			var evidence activities.Evidence
			in := activities.ServicesInput{Scope: activities.Scope{Site: *s, Cluster: c.Name}, Groups: groups, Settle: s.Policy.Stall()}
			if err := workflow.ExecuteActivity(quickRead(ctx, "Find the services to restart"), a.ListServices, in).Get(ctx, &found); err != nil {
				return evidence, err
			}
			if in.Groups = found.Groups; first != nil {
				in.Groups = retryOf(first, found.Groups)
			} else {
				first = found.Groups
			}
			err := workflow.ExecuteActivity(settling(ctx, s, "Restart services of "+c.Name), a.RestartServices, in).Get(ctx, &evidence)
			return evidence, err
		},
	}
}
