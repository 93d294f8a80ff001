package workflows

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/site"
)

// EnableSyncBook lets the synchronizer copy the primary's etcd to the cluster of
// the request, which becomes the standby (DR-30…DR-36).
var EnableSyncBook = Runbook{
	Name:    EnableSyncName,
	Verb:    "enable-sync",
	Changes: true,
	Pair:    true,
	Steps: func(s *site.Site, c *site.Cluster, out *Progress) []Step {
		return newSync(s, c, out).heeding(always).steps()
	},
}

// EnableSync is the workflow of EnableSyncBook. Its input is one Request.
func EnableSync(ctx workflow.Context, input converter.RawValue) (*Progress, error) {
	return execute(ctx, EnableSyncBook, input)
}

// syncing is what the steps of enabling the synchronizer share.
type syncing struct {
	site             *site.Site
	primary, standby *site.Cluster
	out              *Progress
	heeds            func() bool // whether the records of both sides count; nil = never, see heeding

	before *activities.PluginView // the standby's synchronizer as it was found
	plugin activities.PluginView  // by pluginVersion
	ran    bool                   // by install: the platform said that it runs, so it may have copied
	synced activities.SyncPod     // by firstSync
	pace   *pace                  // of the run's comparisons
}

// newSync prepares the steps that make a cluster of a pair its standby.
func newSync(s *site.Site, standby *site.Cluster, out *Progress) *syncing {
	primary, ok := s.Partner(standby.Name)
	if !ok { // the kernel has refused it already
		primary = standby
	}
	return &syncing{site: s, primary: primary, standby: standby, out: out, pace: &pace{}}
}

func (s *syncing) steps() []Step {
	withToken := func(step Step) Step { return unless(s.needsNoToken, step) }
	return []Step{
		s.sides(),
		s.sameKeys(),
		s.pluginVersion(),
		s.keepWhileInstalled(openPort("sync.04-port-primary", "Forward port 2379 of "+s.primary.Name+" as plain TCP", s.site, s.primary, activities.EtcdPort)),
		s.keepWhileInstalled(openPort("sync.05-port-standby", "Forward port 2379 of "+s.standby.Name+" as plain TCP", s.site, s.standby, activities.EtcdPort)),
		withToken(s.keepWhileInstalled(s.token())),
		s.install(),
		withToken(s.bootstrap()),
		s.firstSync(),
		s.recreate(),
		s.consistent(),
		s.services(),
	}
}

func (s *syncing) scope(c *site.Cluster) activities.Scope {
	return activities.Scope{Site: *s.site, Cluster: c.Name}
}

func (s *syncing) pair() activities.PairInput {
	return activities.PairInput{Site: *s.site, Primary: s.primary.Name, Standby: s.standby.Name}
}

// needsNoToken is why the steps of DR-36 are left out.
func (s *syncing) needsNoToken() string {
	if s.plugin.Way == syncplugin.WayToken {
		return ""
	}
	return fmt.Sprintf("%s %s works without the primary's token (way %s)", syncplugin.Name, s.plugin.Version, s.plugin.Way)
}

func (s *syncing) read(ctx workflow.Context, c *site.Cluster) (activities.PluginView, error) {
	return s.readAll(ctx, c, false)
}

// readAll is read, with what the side remembers of the pair where that counts.
func (s *syncing) readAll(ctx workflow.Context, c *site.Cluster, record bool) (view activities.PluginView, err error) {
	var a *activities.Sync
	in := activities.ReadPluginInput{Scope: s.scope(c), Record: record}
	err = workflow.ExecuteActivity(quickRead(ctx, "Look at the synchronizer of "+c.Name), a.ReadPlugin, in).Get(ctx, &view)
	return view, err
}

const readPluginCall = "GET /apis/cluster.alauda.io/v1alpha1/moduleinfoes,moduleplugins,moduleconfigs; pods, lease, job of etcd-sync in cpaas-system"

// sides makes sure that the copy goes the right way: two clusters, the
// platform's domain at the other one, and no synchronizer there.
func (s *syncing) sides() Step {
	step := Step{
		StepInfo: StepInfo{
			ID: "sync.01-sides", Title: fmt.Sprintf("%s is the primary, %s becomes the standby", s.primary.Name, s.standby.Name),
			Source: []string{"DR-01", "DR-11"}, Effect: Read,
			Calls: []string{
				"kubectl get ns kube-system -o jsonpath={.metadata.uid}   # on both sides",
				readPluginCall + "   # on both sides",
				"look up " + s.site.Platform.Address + "   # it must lead to " + s.primary.Name,
			},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			standby, err := s.readAll(ctx, s.standby, s.heeded())
			if err != nil {
				return activities.Evidence{}, err
			}
			primary, err := s.readAll(ctx, s.primary, s.heeded())
			if err != nil {
				return activities.Evidence{}, err
			}
			address, err := lookUpPlatform(ctx, s.site)
			if err != nil {
				return activities.Evidence{}, err
			}
			if s.before == nil {
				s.before = &standby
			}
			return s.judgeSides(primary, standby, address)
		},
	}
	if s.heeds != nil {
		step.Calls = append(step.Calls, readRecordCall)
	}
	return step
}

func (s *syncing) judgeSides(primary, standby activities.PluginView, address activities.PlatformAddress) (activities.Evidence, error) {
	evidence := activities.Evidence{
		Summary: fmt.Sprintf("%s leads to %s; %s has no synchronizer", s.site.Platform.Address, s.primary.Name, s.primary.Name),
		Facts:   map[string]string{"primary": s.primary.Name, "standby": s.standby.Name, "uid." + s.primary.Name: primary.UID, "uid." + s.standby.Name: standby.UID},
	}
	switch {
	case primary.UID == standby.UID || primary.UID == "":
		return evidence, gateFault("tell the sides apart", "give each cluster nodes and a VIP of its own in the site document",
			"%s and %s are one cluster: their namespaces kube-system have the UID %q", s.primary.Name, s.standby.Name, primary.UID)
	case primary.Present():
		return evidence, gateFault("enable the synchronizer on "+s.standby.Name, "find out which side is the primary; two synchronizers would copy in opposite directions",
			"%s carries one: %s", s.primary.Name, strings.Join(primary.Left(), ", "))
	case address.Cluster != s.primary.Name:
		leads, fix := "to "+address.Cluster, "if users rightly work there, it is the primary: name "+s.primary.Name+" as the standby. Point the name at "+s.primary.Name+" only if nothing was written to "+address.Cluster+" through it"
		if address.Cluster == "" {
			leads, fix = "to neither cluster", "make every server lead to the side that holds what users wrote last, and name the other one as the standby"
		}
		return evidence, gateFault("enable the synchronizer on "+s.standby.Name, fix,
			"%s leads %s: %s", s.site.Platform.Address, leads, answers(address))
	}
	if err := s.takenFrom(primary, standby); err != nil {
		return evidence, err
	}
	if !address.Agreed {
		return evidence, gateFault("enable the synchronizer on "+s.standby.Name, "wait until caches have forgotten the old address, or mend the name servers, then retry",
			"not every name server says that %s leads to %s: %s", s.site.Platform.Address, s.primary.Name, answers(address))
	}
	return evidence, nil
}

// answers tells what each name server said.
func answers(a activities.PlatformAddress) string {
	var out []string
	for _, server := range slices.Sorted(maps.Keys(a.Answers)) {
		out = append(out, server+" says "+strings.Join(a.Answers[server], " "))
	}
	for _, server := range slices.Sorted(maps.Keys(a.Silent)) {
		out = append(out, server+" gives no answer: "+a.Silent[server])
	}
	return strings.Join(out, "; ")
}

func (s *syncing) sameKeys() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "sync.02-keys", Title: "Both sides have the same encryption key file", Source: []string{"DR-21", "DR-24"}, Effect: Read,
			Calls: []string{"ssh USER@NODE sudo -n sha256sum /etc/kubernetes/encryption-provider.conf   # every control plane of both sides"},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.Encryption
			var evidence activities.Evidence
			err := workflow.ExecuteActivity(nodeRead(ctx, "Compare the encryption keys of both sides"), a.CompareKeys, s.pair()).Get(ctx, &evidence)
			return evidence, err
		},
	}
}

// gateFault is the error of a step whose condition does not hold.
func gateFault(op, fix, format string, args ...any) error {
	f := fault.New(fault.Gate, op, "", fix, fmt.Errorf(format, args...))
	return temporal.NewNonRetryableApplicationError(clip(f.Error(), maxGateText), string(fault.Gate), nil)
}
