package takeover

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/harness/pairs"
	"github.com/acpflow/acpflow/test/harness/runs"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
	"github.com/acpflow/acpflow/test/lab/workload"
	"github.com/acpflow/acpflow/workflows"
)

// record is where a side remembers who is who.
const record = "acpflow-pair"

// second approves: it is not who started the run.
const second = "second.person"

// stage is the pair in one test: both sides alike, and everything that happens
// from now on written down.
type stage struct {
	*testing.T
	*pairs.Rig
	from, to *labtest.Side // primary and standby, when the test begins
	seen     *chronicle
	runs     []string // ids of the takeovers that the test started
	mended   bool     // name servers were broken and mended on the way
	again    int      // times that Elasticsearch was restarted beyond what a takeover does
}

// inSync gives a test the pair with a primary and a clean standby, whatever an
// earlier test left. Which is which it takes as it finds it: both are alike, and
// a takeover back would cost a minute.
func inSync(t *testing.T) *stage {
	t.Helper()
	started := time.Now()
	world.Build(t)
	s := &stage{T: t, Rig: world}
	s.mendAll()
	s.roles()
	require.NoError(t, workload.Seed(t.Context(), s.from.API, s.from.Dynamic, 3))
	require.NoError(t, s.Lab.SetMachinePhase(t.Context(), s.from.Cluster.Name, machine, "Running"))
	if !s.clean() {
		s.rebuild()
	}
	s.Clean(t)
	s.seen = watch(s)
	began := time.Now()
	t.Logf("%s is primary, %s standby and clean (after %s)", s.from.Cluster.Name, s.to.Cluster.Name, began.Sub(started).Round(time.Second))
	t.Cleanup(func() {
		s.seen.stop()
		s.holds()
		t.Logf("took %s", time.Since(began).Round(100*time.Millisecond))
	})
	return s
}

// mendAll makes the machines and the network of both sites whole.
func (s *stage) mendAll() {
	s.Helper()
	ctx := context.WithoutCancel(s.Context())
	for _, cluster := range []string{pairs.West, pairs.East} {
		require.NoError(s, s.Lab.Rejoin(ctx, cluster))
		require.NoError(s, s.Lab.PowerOnCluster(ctx, cluster))
		require.NoError(s, s.Lab.MendSync(ctx, cluster))
		require.NoError(s, s.Lab.MendPods(ctx, cluster))
		require.NoError(s, s.Node(s, cluster+"-lb").Mend(ctx, lab.ReloadFails))
	}
	require.NoError(s, s.Lab.MendDNS(ctx))
	s.answers(s.West)
	s.answers(s.East)
}

// answers waits for the API of a side.
func (s *stage) answers(side *labtest.Side) {
	s.Helper()
	labtest.Await(s, 2*time.Minute, "the API of "+side.Cluster.Name, func() error {
		_, err := side.API.CoreV1().Namespaces().Get(s.Context(), syncplugin.Namespace, metav1.GetOptions{})
		return err
	})
}

// roles: the side that the platform's name leads to is the primary.
func (s *stage) roles() {
	s.Helper()
	switch at := authoritative(s, s.Lab); at {
	case s.East.Cluster.Endpoint.VIP:
		s.from, s.to = s.East, s.West
	default:
		s.from, s.to = s.West, s.East
	}
}

// clean reports whether a check finds nothing.
func (s *stage) clean() bool {
	s.Helper()
	if len(pairs.Synchronizers(s, s.to)) == 0 {
		return false // a check would wait for what can't arrive
	}
	_, errs, code, err := harness.CLI(s.Context(), s.Server, "check", "--site", name)
	require.NoError(s, err)
	if code != 0 {
		s.Logf("the pair is not in sync: %s", errs)
	}
	return code == 0
}

// rebuild protects the primary anew. The standby loses what only it has, as the
// test that left it so has said its last word.
func (s *stage) rebuild() {
	s.Helper()
	for _, side := range []*labtest.Side{s.West, s.East} {
		pairs.RemovePlugin(s, side)
		err := side.API.CoreV1().ConfigMaps(syncplugin.Namespace).Delete(s.Context(), record, metav1.DeleteOptions{})
		if !apierrors.IsNotFound(err) {
			require.NoError(s, err)
		}
	}
	require.NoError(s, s.Lab.PointPlatform(s.Context(), s.from.Cluster.Name))
	s.Succeeds(s, s.Start(s, "enable-sync", name, "--cluster", s.to.Cluster.Name))
	labtest.Await(s, 2*time.Minute, "both sides are equal again", func() error {
		_, errs, code, err := harness.CLI(s.Context(), s.Server, "check", "--site", name)
		if err == nil && code != 0 {
			err = fmt.Errorf("exit code %d %s", code, errs)
		}
		return err
	})
}

// start starts a takeover verb for a side. The run does not outlive the test.
func (s *stage) start(verb string, side *labtest.Side, args ...string) string {
	s.Helper()
	id := s.Start(s, verb, name, append([]string{"--cluster", side.Cluster.Name}, args...)...)
	s.runs = append(s.runs, id)
	return id
}

// approve answers an open question; what can't be taken back, as a person who did
// not start the run.
func (s *stage) approve(id string, p *workflows.Progress) {
	s.Helper()
	if p.Gate.Quorum != nil {
		s.CLI(s, 0, "approve", id, "--by", second, "--reason", "the test says so", "--step", p.Gate.Step)
		return
	}
	s.Decide(s, id, "approve", "the test says so")
}

// until is Runs.Until with every question answered on the way; a step that
// failed ends it, unless that is what it waits for.
func (s *stage) until(id, what string, holds func(*workflows.Progress) bool) *workflows.Progress {
	s.Helper()
	for {
		p := s.Until(s, id, what, func(p *workflows.Progress) bool { return holds(p) || question(p) })
		if holds(p) {
			return p
		}
		s.approve(id, p)
	}
}

func question(p *workflows.Progress) bool { return p.Gate != nil && p.Gate.Question != "" }

func parked(p *workflows.Progress) bool { return p.Gate != nil && p.Gate.Question == "" }

// succeeds waits for the run's good end, with every question answered, and logs
// how it went.
func (s *stage) succeeds(id string) *workflows.Progress {
	s.Helper()
	p := s.until(id, "success", func(p *workflows.Progress) bool { return p.Outcome == workflows.Succeeded })
	s.told(id, p)
	return p
}

// told logs how a run went.
func (s *stage) told(id string, p *workflows.Progress) {
	s.Helper()
	s.Logf("%s: %s after %s\n%s", id, p.Outcome, p.Ended.Sub(p.Started).Round(100*time.Millisecond), runs.Steps(p))
	if r := p.Recovery; r != nil {
		s.Logf("%s; RTO %+v; RPO %+v; owed %+v; restarted %d Pods; not installed %v", r.Title, r.RTO, r.RPO, r.Owed, len(r.Restarted), r.NotInstalled)
	}
}

// fails waits until a step has failed and demands which and why.
func (s *stage) fails(id, step, says string) *workflows.Gate {
	s.Helper()
	p := s.until(id, "a failure at "+step, parked)
	require.Equal(s, step, p.Gate.Step, p.Gate.Text())
	require.Contains(s, p.Gate.Error, says)
	return p.Gate
}

// asks waits for a step's question.
func (s *stage) asks(id, step string) *workflows.Gate {
	s.Helper()
	for {
		p := s.Until(s, id, "the question of "+step, question)
		if p.Gate.Step == step {
			return p.Gate
		}
		s.approve(id, p)
	}
}

// abort ends the run at its open gate and waits for the end of the undo.
func (s *stage) abort(id string) *workflows.Progress {
	s.Helper()
	s.Decide(s, id, "abort", "the test says so")
	return s.Until(s, id, "the end of the abort", func(p *workflows.Progress) bool { return p.Outcome == workflows.Aborted })
}

// after are the steps of a run from one on.
func after(p *workflows.Progress, id string) []workflows.StepProgress {
	i := slices.IndexFunc(p.Steps, func(s workflows.StepProgress) bool { return s.ID == id })
	if i < 0 {
		return nil
	}
	return p.Steps[i+1:]
}
