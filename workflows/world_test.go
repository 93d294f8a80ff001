package workflows_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

// world runs a runbook with every activity answered here. It records what was
// called, so that a test can say what did NOT run.
type world struct {
	t   *testing.T
	env *testsuite.TestWorkflowEnvironment

	mu         sync.Mutex
	calls      []string                             // activity names in order of their first attempt
	where      []string                             // the same with the cluster that was meant: "PointPlatform east"
	local      []string                             // activities that were done inside the workflow task
	failLocal  map[string]error                     // the same as fail, only there
	target     string                               // cluster that the activity being answered is meant for
	fail       map[string]error                     // activity → error it gives, until removed
	answer     map[string]func() any                // activity → another answer than the good one, or an error
	given      map[string]func(json.RawMessage) any // activity → another answer that depends on its input
	during     map[string]func()                    // activity → what happens while it runs
	rejections int
	left       int // looks at the installer before it is gone
	sides      *twoSides
}

func newWorld(t *testing.T) *world {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	w := &world{t: t, env: suite.NewTestWorkflowEnvironment(), fail: map[string]error{}, failLocal: map[string]error{}, answer: map[string]func() any{}, given: map[string]func(json.RawMessage) any{}, during: map[string]func(){}}
	workflows.Register(w.env)
	w.answers()
	// Both limits are of wall time, 1 s and 3 s unless said: a busy machine passes
	// them where nothing is stuck.
	w.env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: 2 * time.Minute})
	w.env.SetTestTimeout(2 * time.Minute)
	return w
}

// answers gives every activity its good answer.
func (w *world) answers() {
	reports := func() any { return nodeReports(checks.Tally{Pass: 1}) }
	w.onLocal("LoadSite", func() any { return site.Snapshot{Name: "lab", SHA256: "5111", Site: theSite()} })
	w.on("RecordPlan", func() any { return activities.Evidence{Summary: "plan recorded"} })
	w.on("ReachNodes", reports)
	w.on("CheckNodes", reports)
	w.on("ProbeNodes", func() any { return checks.Mesh{} })
	w.on("ProbeBalancer", func() any { return checks.BalancerView{} })
	w.on("CompareNodes", func() any { return activities.TogetherResult{Tally: checks.Tally{Pass: 2}} })
	w.on("ViewPackage", func() any { return checks.PackageView{SHA256: "abc", Architectures: []string{"amd64"}} })
	w.on("InspectPackage", func() any { return activities.InspectResult{SHA256: "abc", Size: 10, ExtractedBytes: 20} })
	w.on("ConfigureInstaller", func() any { return activities.ConfigureResult{Evidence: activities.Evidence{Summary: "posted"}} })
	w.on("FindInstaller", func() any { w.left--; return activities.ContainerResult{Gone: w.left < 0} })
	for _, name := range []string{"CheckSpace", "UploadPackage", "RemoveUploadedPackage", "ExtractPackage", "RemoveExtractedPackage", "RunSetup",
		"WaitForInstaller", "WatchInstaller", "RemoveInstaller", "CheckNodesReady", "CheckClusterModule", "CheckAppReleases", "CheckPods",
		"MeasureLag", "DescribeLease",
		"CheckParameters", "RecordContract", "CopyKeys", "RemoveKeys", "ObserveInstall", "PointPlatform",
		"PreviewMerge", "BackUpKeys", "DropBackups", "InstallKeys", "RestoreKeys", "RewriteSecrets", "ProveSecrets", "FinishMerge", "VerifyPackage", "PushPackage",
		"CheckPlatform", "InstallProductDocs", "SyncImages", "FreeArchitecture", "RestoreTemporary"} {
		w.on(name, func() any { return activities.Evidence{Summary: name + " done"} })
	}
	w.onLocal("JudgePair", func() any { return pair.Card{} })
	for _, name := range []string{"ObservePair", "CompareSides", "RecordCheck"} {
		w.onLocal(name, func() any { return activities.Evidence{Summary: name + " done"} })
	}
	w.pairAnswers()
}

// nodeReports is what checking the site's nodes gives: the same on each.
func nodeReports(t checks.Tally, notable ...checks.Finding) activities.NodeReports {
	var out activities.NodeReports
	for _, n := range theSite().Clusters[0].Nodes {
		out.Nodes = append(out.Nodes, activities.NodeReport{Node: n.Name, Tally: t, Notable: notable,
			Facts: activities.NodeFacts{Node: n.Name, Machine: "x86_64"}})
	}
	return out
}

func (w *world) on(name string, answer func() any) {
	w.onInput(name, func(json.RawMessage) any { return answer() })
}

// onInput is on for an activity whose answer depends on its input.
func (w *world) onInput(name string, answer func(input json.RawMessage) any) {
	w.env.RegisterActivityWithOptions(func(ctx context.Context, input json.RawMessage) (any, error) {
		return w.reply(ctx, name, input, answer)
	}, activity.RegisterOptions{Name: name})
}

// onLocal is on for an activity that some runbooks do in place: it gets its
// input as it is then, and not as JSON.
func (w *world) onLocal(name string, answer func() any) {
	w.env.RegisterActivityWithOptions(func(ctx context.Context, given any) (any, error) {
		input, err := json.Marshal(given)
		if err != nil {
			return nil, err
		}
		return w.reply(ctx, name, input, func(json.RawMessage) any { return answer() })
	}, activity.RegisterOptions{Name: name})
}

func (w *world) reply(ctx context.Context, name string, input json.RawMessage, answer func(json.RawMessage) any) (any, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.target = targetOf(input)
	if activity.GetInfo(ctx).Attempt == 1 {
		w.calls = append(w.calls, name)
		w.where = append(w.where, strings.TrimSpace(name+" "+w.target))
	}
	if activity.GetInfo(ctx).IsLocalActivity {
		w.local = append(w.local, name)
		if err := w.failLocal[name]; err != nil {
			return nil, err
		}
	}
	if err := w.fail[name]; err != nil {
		return nil, err
	}
	if during := w.during[name]; during != nil {
		during()
	}
	if other := w.answer[name]; other != nil {
		got := other()
		if err, bad := got.(error); bad {
			return nil, err
		}
		return got, nil
	}
	if other := w.given[name]; other != nil {
		answer = other
	}
	got := answer(input)
	if err, bad := got.(error); bad {
		return nil, err
	}
	return got, nil
}

// targetOf finds the cluster that an input means: the one a name shall lead to,
// else the one in its scope.
func targetOf(input json.RawMessage) string {
	var in struct{ To, Cluster string }
	if json.Unmarshal(input, &in) != nil || in.To != "" {
		return in.To
	}
	return in.Cluster
}

// meant lists what was called so far, with clusters.
func (w *world) meant() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.where)
}

// breaks makes an activity fail for good, as a permanent fault does.
func (w *world) breaks(name string, class fault.Class) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail[name] = permanent(name, class)
}

func permanent(name string, class fault.Class) error {
	return temporal.NewNonRetryableApplicationError(name+" is broken. Fix: mend it", string(class), nil)
}

func (w *world) mends(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.fail, name)
}

// after runs f once the given workflow time has passed.
func (w *world) after(d time.Duration, f func()) { w.env.RegisterDelayedCallback(f, d) }

// status queries the run.
func (w *world) status() workflows.Progress {
	value, err := w.env.QueryWorkflow(workflows.StatusQuery)
	require.NoError(w.t, err)
	var p workflows.Progress
	require.NoError(w.t, value.Get(&p))
	return p
}

// decide answers the gate; the answer must be accepted.
func (w *world) decide(d workflows.Decision) {
	w.env.UpdateWorkflow(workflows.DecideUpdate, "", &testsuite.TestUpdateCallback{
		OnAccept:   func() {},
		OnReject:   func(err error) { assert.NoError(w.t, err) },
		OnComplete: func(any, error) {},
	}, d)
}

// refused sends an answer that must be rejected with a message; the count of
// rejections proves that the callbacks ran.
func (w *world) refused(want string, d workflows.Decision) {
	w.env.UpdateWorkflow(workflows.DecideUpdate, "", &testsuite.TestUpdateCallback{
		OnAccept:   func() { assert.Fail(w.t, "accepted", "%+v", d) },
		OnReject:   func(err error) { w.rejections++; assert.ErrorContains(w.t, err, want) },
		OnComplete: func(any, error) {},
	}, d)
}

func (w *world) run(request any) error { return w.runBook(workflows.InstallName, request) }

func (w *world) runBook(name string, request any) error {
	w.env.ExecuteWorkflow(name, request)
	require.True(w.t, w.env.IsWorkflowCompleted())
	return w.env.GetWorkflowError()
}

// done lists what was called so far. An activity of a run that has ended may
// still be going on, so the list is a copy.
func (w *world) done() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

func (w *world) called(name string) bool { return slices.Contains(w.done(), name) }

var request = workflows.Request{Site: "lab", Cluster: "west", Change: "CHG-1"}

// theSite is a valid three-node site.
func theSite() site.Site {
	s := site.Site{
		APIVersion: site.APIVersion, Name: "lab", Profile: "acp-4.1-seed",
		Platform: site.Platform{Address: "acp.example.com", HTTPSPort: 443, AdminUser: "admin", AdminPassword: "env:ADMIN"},
		Package:  site.Package{Path: "/packages/core.tar", Checksum: "sha256:00", Architecture: "amd64", Directory: "/root/cpaas-install"},
		Clusters: []site.Cluster{{Name: "west", Endpoint: site.Endpoint{VIP: "192.0.2.10"},
			Network: site.Network{CNI: site.KubeOVN, IPFamily: site.IPv4}, SSH: site.SSH{User: "root", Port: 22}}},
	}
	for i, name := range []string{"m1", "m2", "m3"} {
		s.Clusters[0].Nodes = append(s.Clusters[0].Nodes, site.Node{Name: name, Address: "192.0.2.1" + string(rune('1'+i)), Role: site.ControlPlane})
	}
	return s
}

// thePair is a valid site of two clusters.
func thePair() site.Site {
	s := theSite()
	s.Scenario, s.DR = site.MultiCluster, site.DR{Planned: true, DNS: &site.DNS{Driver: site.DNSRFC2136, TTL: 30, Zone: "example.com",
		Authoritative: []string{"192.0.2.2"}, RFC2136: &site.RFC2136{KeyName: "acpflow.", Secret: "env:TSIG"}}}
	s.Platform.HTTPPort, s.Platform.Certificate = 80, &site.Certificate{Certificate: "env:CERT", PrivateKey: "env:KEY"}
	s.Registry = site.Registry{Username: "puller", Password: "env:REGISTRY"}
	west := &s.Clusters[0]
	west.Other = []string{"192.0.2.10"}
	east := *west
	east.Name, east.Endpoint, east.Other, east.Nodes = "east", site.Endpoint{VIP: "192.0.2.20"}, []string{"192.0.2.20"}, nil
	for i, name := range []string{"e1", "e2", "e3"} {
		east.Nodes = append(east.Nodes, site.Node{Name: name, Address: "192.0.2.2" + string(rune('1'+i)), Role: site.ControlPlane})
	}
	s.Clusters = append(s.Clusters, east)
	return s
}
