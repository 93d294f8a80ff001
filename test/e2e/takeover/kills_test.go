package takeover

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/workflows"
)

// The worker is killed after every activity of a switchover: nobody is asked but
// for what must be approved anyway, everything is done once, and the end is that
// of an undisturbed run.
func TestSwitchoverSurvivesAKillAfterEveryStep(t *testing.T) {
	s := inSync(t)
	s.writes(t, "killed")
	p := s.killed("switchover", 0)
	s.tookOver(p, workflows.ModeSwitchover, s.from, s.to)
	assert.Empty(t, p.Recovery.Owed)
	s.reads(t, "killed")
}

// The same of a failover, with Temporal killed and restarted on the way, too, and
// without anything in the ledger: nobody knows what is lost, and the run says so.
func TestFailoverSurvivesAKillAfterEveryStep(t *testing.T) {
	s := inSync(t)
	s.writes(t, "killed-twice")
	s.forgetLedger()
	s.off(s.from.Cluster.Name)
	p := s.killed("failover", 15)
	s.tookOver(p, workflows.ModeFailover, s.to)
	assert.Contains(t, p.Recovery.Title, workflows.Unverified)
	require.NotNil(t, p.Recovery.RPO)
	assert.False(t, p.Recovery.RPO.Verified)
	assert.Nil(t, p.Recovery.RPO.EqualAt, "%+v", p.Recovery.RPO)
	s.reads(t, "killed-twice")
}

// killed kills the worker after every activity of a takeover, and Temporal after
// every n-th, 0 = never, while a person approves what is asked.
func (s *stage) killed(verb string, n int) *workflows.Progress {
	s.Helper()
	began := time.Now()
	ctx, stop := context.WithCancel(s.Context())
	defer stop()
	start := func() string {
		id := s.start(verb, s.to)
		go s.approves(ctx, id)
		return id
	}
	restarts := 0
	id, kills := s.KillAfterEveryActivity(s, start, func(kill int) {
		if n > 0 && kill%n == 0 {
			s.Server.Kill()
			require.NoError(s, s.Server.Restart(s.Context()))
			restarts++
		}
	})
	p := s.succeeds(id)
	s.settle()
	for _, step := range p.Steps {
		assert.Equal(s, workflows.Done, step.State, step.ID)
		assert.LessOrEqual(s, step.Tries, 1, "%s: nobody was asked to mend anything", step.ID)
	}
	s.Logf("%d steps, %d kills of the worker, %d of Temporal in %s", len(p.Steps), kills, restarts, time.Since(began).Round(time.Second))
	s.Survived(s, id)
	s.Record(s, id, verb+"-killed")
	return p
}

// approves answers every question of a run until ctx ends. Neither a worker nor
// Temporal may be there for a moment.
func (s *stage) approves(ctx context.Context, id string) {
	for ; ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
		p, err := s.Status(ctx, id)
		if err != nil || !question(p) {
			continue
		}
		_, errs, code, err := harness.CLI(ctx, s.Server, "approve", id, "--by", second, "--reason", "the test says so", "--step", p.Gate.Step)
		if ctx.Err() == nil && (err != nil || code != 0) {
			s.Logf("approve %s: %d %v %s", p.Gate.Step, code, err, errs)
		}
	}
}

// off pulls the plug of a side until the test ends.
func (s *stage) off(cluster string) {
	s.Helper()
	require.NoError(s, s.Lab.PowerOffCluster(s.Context(), cluster))
	s.Cleanup(func() { s.on(cluster) })
}

func (s *stage) on(cluster string) {
	s.Helper()
	require.NoError(s, s.Lab.PowerOnCluster(context.WithoutCancel(s.Context()), cluster))
}

// forgetLedger takes from the standby what earlier checks have found.
func (s *stage) forgetLedger() {
	s.Helper()
	maps := s.to.API.CoreV1().ConfigMaps(syncplugin.Namespace)
	err := maps.Delete(s.Context(), "acpflow-sync-ledger", metav1.DeleteOptions{})
	if !apierrors.IsNotFound(err) {
		require.NoError(s, err)
	}
}
