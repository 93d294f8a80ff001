package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
	"github.com/acpflow/acpflow/site"
)

// factsHere runs the collector on this machine.
func factsHere(t *testing.T) []byte {
	t.Helper()
	out, err := (&fleet{}).here(t.Context())
	require.NoError(t, err)
	return out
}

// Both fast machines must look to the SSH client like a real one.
func TestMachinesWithRecordedFacts(t *testing.T) {
	f := &fleet{tmp: t.TempDir()}
	require.NoError(t, os.Chmod(f.tmp, 0o755))
	facts := factsHere(t)
	server := sshtest.Start(t)
	recorded, err := serveRecorded(server.Dir, facts, "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(recorded.close)
	quick := sshtest.Start(t)
	line, err := quickCommand(quick.Dir, facts)
	require.NoError(t, err)
	quick.Stop()
	forced, err := sshtest.Run(quick.Dir, line)
	require.NoError(t, err)
	t.Cleanup(forced.Stop)

	for name, target := range map[string]ssh.Target{
		"recorded": sshtest.TargetOf(recorded.listener.Addr().String(), server.HostKeys[0], server.Key),
		"quick":    forced.Target(),
	} {
		c, err := ssh.Dial(t.Context(), target)
		require.NoError(t, err, name)
		out, err := c.Run(t.Context(), ssh.Command{Script: checks.Collector(), Sudo: true})
		require.NoError(t, err, name)
		got, err := checks.ParseFacts([]byte(out.Stdout))
		require.NoError(t, err, name)
		want, err := checks.ParseFacts(facts)
		require.NoError(t, err)
		require.Equal(t, want.Machine, got.Machine)
		if name == "recorded" {
			require.Equal(t, "host-127-0-0-1", got.Shared().Hostname, "machines differ where real ones do")
			_, err = c.Run(t.Context(), ssh.Command{Script: "reboot"})
			require.ErrorContains(t, err, "nothing but the collector")
		}
		require.NoError(t, c.Close())
	}
}

func TestBothSidesMustReadTheSameFacts(t *testing.T) {
	f := &fleet{}
	facts, err := f.here(t.Context())
	require.NoError(t, err)
	require.Greater(t, f.facts, 20)
	require.NoError(t, f.complete(append(facts, facts...), 2))
	require.Error(t, f.complete(facts, 2))
	require.Error(t, f.complete(append(facts, "acpflow-facts 2\nend 7\n"...), 2))
}

// A task per fact: the playbook is made from the collector that acpflow sends.
func TestPlaybook(t *testing.T) {
	tasks := tasksOf(checks.Collector())
	var read []string
	for _, task := range tasks {
		read = append(read, task.Name)
		if task.Shell != nil {
			script := strings.TrimSuffix(strings.TrimPrefix(task.Shell.Cmd, "{% raw %}"), "{% endraw %}")
			require.NotContains(t, script, "{%", task.Name)
			out, err := exec.Command("bash", "-n", "-c", script).CombinedOutput()
			require.NoError(t, err, "%s: %s", task.Name, out)
		}
	}
	var known []string
	rewrite(factsHere(t), func(name, value string) string {
		if name != "time-start" && name != "time-end" {
			known = append(known, name)
		}
		return value
	})
	require.NotEmpty(t, known)
	require.ElementsMatch(t, known, read)
	text, err := yaml.Marshal(tasks)
	require.NoError(t, err)
	var again []map[string]any
	require.NoError(t, yaml.Unmarshal(text, &again))
	require.Len(t, again, len(tasks))
}

func TestSitesAreValid(t *testing.T) {
	f := &fleet{tmp: t.TempDir(), options: options{nodes: 30}}
	f.sshd = sshtest.Start(t)
	f.quick = f.sshd
	sites := filepath.Join(f.tmp, "sites")
	require.NoError(t, f.writeSites(sites))
	files, err := os.ReadDir(sites)
	require.NoError(t, err)
	require.Len(t, files, 2+len(sizes))
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(sites, file.Name()))
		require.NoError(t, err)
		doc, err := site.Parse(file.Name(), text)
		require.NoError(t, err)
		require.NoError(t, site.Validate(doc, site.Material{Now: time.Now()}).Err())
	}
}

// Slow entrants take part in some rounds only, and what is not needed in none.
func TestContestRunsWhatIsNeeded(t *testing.T) {
	ran := map[string]int{}
	entrantNamed := func(name string) entrant {
		return entrant{name: name, run: func(context.Context) (sample, error) {
			ran[name]++
			return sample{Wall: float64(len(name)), Peaks: map[string]float64{"events": float64(ran[name])}}, nil
		}}
	}
	slow, other := entrantNamed("slow"), entrantNamed("other")
	slow.slow, other.only = true, []string{"X2"}
	c := contest{name: "test", runs: 3, slowRuns: 1, entrants: []entrant{entrantNamed("quick"), slow, other}, goals: []goal{
		{ID: "X1", Bound: 0.9, Most: true, Value: share("slow", "quick")},
		{ID: "X2", Bound: 1, Value: faster("quick", "other")},
	}}
	only, any := c.wanted([]string{"X1"})
	require.True(t, any)
	rep := &report{}
	require.NoError(t, only.run(t.Context(), rep))
	require.Equal(t, map[string]int{"quick": 3, "slow": 1}, ran)
	require.Len(t, rep.Goals, 1)
	require.True(t, rep.Goals[0].Met)
	require.InDelta(t, 3, rep.Rows[0].Peaks["events"], 0)
	_, any = c.wanted([]string{"X3"})
	require.False(t, any)

	broken := contest{name: "test", runs: 1, entrants: []entrant{{name: "x", run: func(context.Context) (sample, error) { return sample{}, errors.New("boom") }}}}
	require.ErrorContains(t, broken.run(t.Context(), rep), "x: boom")
}

// A tree's time holds that of the living and of the ended.
func TestTreeCPU(t *testing.T) {
	cmd := exec.Command("bash", "-c", `(for ((i = 0; i < 300000; i++)); do :; done); (for ((i = 0; i < 300000; i++)); do :; done; echo; read) & echo; wait`)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	buf := make([]byte, 1)
	for range 2 { // both loops are over
		_, err = out.Read(buf)
		require.NoError(t, err)
	}
	own, err := ownCPU(cmd.Process.Pid)
	require.NoError(t, err)
	tree, err := treeCPU(cmd.Process.Pid)
	require.NoError(t, err)
	require.Greater(t, tree, own)
	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
	none, err := treeCPU(0)
	require.NoError(t, err)
	require.Zero(t, none)
	peak, err := peakMemoryOf(os.Getpid())
	require.NoError(t, err)
	require.Positive(t, peak)
}

func TestReportOfAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.json")
	inner := &report{Noisy: 2, Rows: []*row{{Name: "a"}}, Goals: []verdict{{ID: "P1", Met: false}}}
	require.NoError(t, inner.write(path))
	rep := &report{Noisy: 1, Rows: []*row{{Name: "b"}}, Goals: []verdict{{ID: "U1", Met: true}}}
	require.NoError(t, rep.merge(path))
	require.Equal(t, 3, rep.Noisy)
	require.Len(t, rep.Rows, 2)
	require.False(t, rep.summary(new(strings.Builder)))
	require.Error(t, rep.merge(path+".none"))
}
