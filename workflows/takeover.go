package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/site"
)

// SwitchoverBook makes the cluster of the request, today's standby, the primary
// while both sides are alive (DR-40…DR-43).
var SwitchoverBook = Runbook{
	Name: SwitchoverName, Verb: "switchover", Changes: true, Pair: true,
	Steps: func(s *site.Site, c *site.Cluster, out *Progress) []Step {
		t := newTakeover(s, c, out, ModeSwitchover)
		return slices.Concat(
			[]Step{t.identify(), unless(t.moving, t.readiness())},
			beside("prepare", t.elasticsearch(), t.snapshot(), t.export()),
			[]Step{unless(t.moving, t.consistent()), unless(t.moving, t.removeSynchronizer()), unless(t.moving, t.lookAgain())},
			beside("close", t.closeEtcd("09-close-old", t.from), t.closeEtcd("10-close-new", t.to)),
			beside("fence", t.fence()...),
			[]Step{t.lastLook(), t.record(), t.pointName()},
			beside("seen", t.seenByNodes(), t.seenInPods()),
			[]Step{t.page()},
			beside("restart", t.restarts()...),
			[]Step{t.soak(), t.commit()},
		)
	},
}

// FailoverBook makes the cluster of the request, the standby, the primary while
// nothing of the old one can be reached (DR-02, DR-40…DR-43).
var FailoverBook = Runbook{
	Name: FailoverName, Verb: "failover", Changes: true, Pair: true,
	Steps: func(s *site.Site, c *site.Cluster, out *Progress) []Step {
		t := newTakeover(s, c, out, ModeFailover)
		return slices.Concat(
			[]Step{t.identify(), t.unreachable()},
			beside("prepare", t.elasticsearch(), t.snapshot(), t.export()),
			[]Step{t.lastGood(), t.removeSynchronizer(), t.lookAgain()},
			beside("close", t.closeEtcd("09-close-old", t.from), t.closeEtcd("10-close-new", t.to)),
			beside("fence", t.fence()...),
			[]Step{t.lastLook(), t.record(), t.pointName()},
			beside("seen", t.seenByNodes(), t.seenInPods()),
			[]Step{t.page()},
			beside("restart", t.restarts()...),
			[]Step{t.soak(), t.commit()},
		)
	},
}

// Switchover is the workflow of SwitchoverBook. Its input is one Request.
func Switchover(ctx workflow.Context, input converter.RawValue) (*Progress, error) {
	return execute(ctx, SwitchoverBook, input)
}

// Failover is the workflow of FailoverBook. Its input is one Request.
func Failover(ctx workflow.Context, input converter.RawValue) (*Progress, error) {
	return execute(ctx, FailoverBook, input)
}

// takeover is what the steps of a switchover and of a failover share.
type takeover struct {
	site     *site.Site
	from, to *site.Cluster // the old and the new primary
	planned  bool          // a switchover: both sides are alive
	out      *Progress
	rec      *Recovery

	identity   *activities.Identity                 // by identify, the last look
	before     *activities.PairRecord               // of the new side, as it was found
	resumed    string                               // what this run finishes, where an earlier one had moved the name
	silent     *time.Time                           // when nothing of the old side answered for the first time
	lastSilent *time.Time                           // the last look at which it did not answer
	unwatched  []gap                                // since it is silent: when nobody looked
	down       activities.Evidence                  // by unreachable: the proof
	good       *pair.Good                           // what the ledger says, in a failover
	vouched    bool                                 // by a person, on an abort: the name leads nobody to the new side
	equal      *equality                            // by consistent
	plugin     *activities.PluginView               // the new side's synchronizer as it was found
	machines   map[string]activities.MachinesView   // by cluster: what a later look is held against
	seen       *activities.MachinesView             // of the new side, by the last look after the uninstall
	ailing     *activities.MachinesView             // in a failover: the new side's Machines by the last look, when something is wrong with them
	closed     []activities.Owed                    // what this run has done of what earlier ones owe
	looked     *time.Time                           // when the last look found that nothing copies
	drift      int                                  // by drifted: keys that would be missed; -1 = not known
	asked      *question                            // the last one
	sounded    *activities.Evidence                 // by a look a moment ago, for the step that it belongs to
	scripts    int                                  // times the script for Elasticsearch was begun
	coreDNS    int                                  // times coredns was restarted
	pointed    *time.Time                           // when the name was first told to change
	said       *time.Time                           // when the record said so, before that
	tried      bool                                 // the move of the name has failed once
	fresh      []activities.Owed                    // servers that have fallen silent since, which people are asked about
	led        *time.Time                           // when it led to the new side for every server
	ready      *time.Time                           // when users had the platform back
	lists      map[string][]activities.ServiceGroup // by step: the Pods that were there before
	pace       pace                                 // of the run's comparisons
}

// equality is a moment at which both sides were shown to hold the same.
type equality struct {
	at       time.Time
	compared int
	digest   string
	mark     etcd.Mark // where a later comparison may begin
}

func newTakeover(s *site.Site, to *site.Cluster, out *Progress, mode string) *takeover {
	from, ok := s.Partner(to.Name)
	if !ok { // the kernel has refused it already
		from = to
	}
	t := &takeover{site: s, from: from, to: to, planned: mode == ModeSwitchover, out: out, rec: &Recovery{Mode: mode, From: from.Name, To: to.Name},
		machines: map[string]activities.MachinesView{}, lists: map[string][]activities.ServiceGroup{}}
	out.Recovery = t.rec
	t.entitle()
	return t
}

// entitle writes the title, which says so when nobody can tell what was lost.
func (t *takeover) entitle() {
	t.rec.Title = fmt.Sprintf("%s of %s from %s to %s", strings.ToUpper(t.rec.Mode[:1])+t.rec.Mode[1:], t.site.Name, t.from.Name, t.to.Name)
	if t.rec.RPO != nil && !t.rec.RPO.Verified || !t.planned && t.rec.RPO == nil {
		t.rec.Title += ", " + Unverified
	}
}

func (t *takeover) id(step string) string { return t.rec.Mode + "." + step }

// pair names the sides by the roles they have before the takeover.
func (t *takeover) pair() activities.PairInput {
	return activities.PairInput{Site: *t.site, Primary: t.from.Name, Standby: t.to.Name}
}

func (t *takeover) scope(c *site.Cluster) activities.Scope {
	return activities.Scope{Site: *t.site, Cluster: c.Name}
}

// alive are the sides that are expected to answer.
func (t *takeover) alive() []*site.Cluster {
	if t.planned {
		return []*site.Cluster{t.from, t.to}
	}
	return []*site.Cluster{t.to}
}

// beside makes steps run at the same time.
func beside(word string, steps ...Step) []Step {
	for i := range steps {
		steps[i].Beside = word
	}
	return steps
}

// resultOf does an activity and returns what it gives.
func resultOf[T any](ctx workflow.Context, activity, in any) (out T, err error) {
	err = workflow.ExecuteActivity(ctx, activity, in).Get(ctx, &out)
	return out, err
}

// together makes looks at the same time, and returns what they say in their
// order. The first error in that order counts; all are waited for.
func together(ctx workflow.Context, looks ...func(workflow.Context) (string, error)) ([]string, error) {
	said, faults := make([]string, len(looks)), make([]error, len(looks))
	group := workflow.NewWaitGroup(ctx)
	for i, look := range looks {
		group.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer group.Done()
			said[i], faults[i] = look(ctx)
		})
	}
	group.Wait(ctx)
	for _, err := range faults {
		if err != nil {
			return nil, err
		}
	}
	return said, nil
}
