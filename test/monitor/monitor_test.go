// Package monitor checks a pair that nobody answers for, with the real CLI,
// worker and Temporal: a check must end and say so, and so must a monitor's.
package monitor

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/harness/runs"
	"github.com/acpflow/acpflow/test/lab/installer/pki"
	"github.com/acpflow/acpflow/workflows"
)

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4nTzyFqK8sVj0Rr3m1yY0l1sGk5vJ0hZ3Q2X8Wc7dE"

// deadPair is a site whose machines answer on no port.
func deadPair(t *testing.T, dir string) {
	t.Helper()
	ca, err := pki.NewCA("test")
	require.NoError(t, err)
	pair, err := ca.Issue(pki.Request{CommonName: "acp.example.com", Hosts: []string{"acp.example.com", "192.0.2.10", "192.0.2.20"}, Server: true})
	require.NoError(t, err)
	ref := func(name string, data []byte) site.Ref {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		return site.Ref("file:" + path)
	}
	password := ref("password", []byte("Not-A-Real-1\n"))
	doc := site.Site{
		APIVersion: site.APIVersion, Name: "dead", Scenario: site.MultiCluster,
		Platform: site.Platform{Address: "acp.example.com", HTTPSPort: 443, HTTPPort: 80, AdminUser: "admin@example.com", AdminPassword: password, Products: []string{"base", "acp"},
			Certificate: &site.Certificate{Certificate: ref("platform.crt", append(pair.Cert, ca.Cert...)), PrivateKey: ref("platform.key", pair.Key)}},
		Registry: site.Registry{Username: "puller", Password: password},
		Package:  site.Package{Path: filepath.Join(dir, "none.tgz"), Architecture: "amd64", Checksum: "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		DR:       site.DR{Planned: true, DNS: &site.DNS{Driver: site.DNSManual, TTL: 30, Authoritative: []string{"127.0.0.1:1"}}, Sync: site.Sync{CheckEvery: "10s"}},
	}
	for i, name := range []string{"west", "east"} {
		vip := []string{"192.0.2.10", "192.0.2.20"}[i]
		doc.Clusters = append(doc.Clusters, site.Cluster{
			Name: name, Endpoint: site.Endpoint{VIP: vip}, Other: []string{vip},
			Kubernetes: site.Kubernetes{Version: "v1.32.6", ContainerRuntime: "containerd://1.7.27-4"},
			Network:    site.Network{CNI: site.KubeOVN},
			SSH: site.SSH{User: "root", Password: password, // refused at once, whatever networks this machine reaches
				Jump: &site.Jump{Address: "127.0.0.1", Port: i + 1, User: "root", Password: password, HostKey: hostKey}},
			Nodes: []site.Node{{Name: name + "-1", Address: []string{"192.0.2.11", "192.0.2.21"}[i], Role: site.ControlPlane,
				HostKey: hostKey}},
		})
	}
	text, err := yaml.Marshal(doc)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "sites"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sites", "dead.yaml"), text, 0o600))
}

func TestCheckAndMonitorOfADeadPair(t *testing.T) {
	dir := t.TempDir()
	deadPair(t, dir)
	server, err := harness.StartDevserver(t.Context(), dir, os.Stderr)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Stop()) })
	worker, err := harness.StartWorker(t.Context(), server, harness.WorkerOptions{Sites: filepath.Join(dir, "sites"), Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, worker.Stop()) })
	r := &runs.Runs{Server: server, Worker: worker}
	t.Setenv("ACPFLOW_SITES_DIR", filepath.Join(dir, "sites"))

	t.Run("check", func(t *testing.T) {
		out, errs := r.CLI(t, 1, "check", "--site", "dead")
		assert.Contains(t, out, "Pair of site dead: not consistent")
		assert.Contains(t, out, "CARD-01  The side answers")
		assert.Contains(t, out, "Unreachable")
		assert.Contains(t, errs, "the pair is not consistent")

		out, _ = r.CLI(t, 1, "check", "--site", "dead", "--full", "-o", "json")
		var p workflows.Progress
		require.NoError(t, json.Unmarshal([]byte(out), &p))
		assert.Equal(t, workflows.ChecksFailed, p.Outcome)
		assert.Equal(t, 2, p.Sync.Tally.Fail, "%+v", p.Sync.Tally)
		assert.Nil(t, p.Sync.Good)

		r.CLI(t, 2, "check", "--site", "nowhere")
		r.CLI(t, 2, "check", "--site", "dead", "--cluster", "west")
	})
	t.Run("monitor", func(t *testing.T) { monitorLives(t, r) })
	t.Run("drill", func(t *testing.T) { drillsLive(t, r) })
}

// drillsLive is what a schedule of drills does where every drill must fail: it
// says so, and asks nobody.
func drillsLive(t *testing.T, r *runs.Runs) {
	out, _ := r.CLI(t, 0, "plan", "drill", "--site", "dead")
	assert.Contains(t, out, "drill.01-blackout")
	r.CLI(t, 2, "drill", "schedule", "status", "--site", "dead")
	out, _ = r.CLI(t, 0, "drill", "schedule", "start", "--site", "dead")
	assert.Contains(t, out, "started drill-schedule/dead: a drill every 24h0m0s")
	out, _ = r.CLI(t, 0, "drill", "schedule", "start", "--site", "dead", "--every", "10s", "-o", "json")
	assert.JSONEq(t, `{"schedule":"drill-schedule/dead","result":"drill-schedule/dead runs already: a drill every 10s"}`, out)
	var s struct {
		Every  string
		Drills []struct{ Run, Outcome string }
	}
	require.Eventually(t, func() bool {
		out, _ := r.CLI(t, 0, "drill", "schedule", "status", "--site", "dead", "-o", "json")
		require.NoError(t, json.Unmarshal([]byte(out), &s))
		return len(s.Drills) > 0 && s.Drills[len(s.Drills)-1].Outcome != "" // it is set at its end
	}, 5*time.Minute, time.Second)
	assert.Equal(t, "10s", s.Every)
	first := s.Drills[len(s.Drills)-1]
	assert.Regexp(t, `^drill/dead-\d`, first.Run)
	assert.Contains(t, []string{string(workflows.ChecksFailed), string(workflows.Aborted), string(workflows.FailedRun)}, first.Outcome, "neither side answers")
	out, _ = r.CLI(t, 0, "drill", "schedule", "stop", "--site", "dead")
	assert.Contains(t, out, "stopped drill-schedule/dead")
}

// A takeover names its side, and who asked for it; one that can't tell who is who
// changes nothing and says so.
func TestTakeoverOfADeadPair(t *testing.T) {
	dir := t.TempDir()
	deadPair(t, dir)
	server, err := harness.StartDevserver(t.Context(), dir, os.Stderr)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Stop()) })
	r := &runs.Runs{Server: server, Dir: dir, Sites: filepath.Join(dir, "sites")}
	require.NoError(t, r.Open(t.Context()))
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	t.Setenv("ACPFLOW_SITES_DIR", filepath.Join(dir, "sites"))
	for _, verb := range []string{"switchover", "failover", "reprotect"} {
		_, errs := r.CLI(t, 2, verb, "--site", "dead")
		assert.Contains(t, errs, `"cluster" not set`, verb)
		out, _ := r.CLI(t, 0, "plan", verb, "--site", "dead", "--cluster", "east", "-o", "json")
		var plan struct {
			workflows.Plan
			CriticalPath workflows.CriticalPath
		}
		require.NoError(t, json.Unmarshal([]byte(out), &plan))
		assert.Equal(t, verb != "reprotect", plan.CriticalPath.Seconds > 0, "%s: how long the old side is away, no plan tells", verb)
		assert.Equal(t, plan.Plan.CriticalPath(), plan.CriticalPath)
	}
	_, errs := r.CLI(t, 5, "switchover", "--site", "dead", "--cluster", "east", "--wait", "--on-failure", "abort")
	assert.Contains(t, errs, "aborted")
	id := r.Start(t, "failover", "dead", "--cluster", "east")
	gate := r.Gate(t, id, "failover.01-identify")
	assert.NotEmpty(t, gate.Error)
	_, errs = r.CLI(t, 2, "approve", id, "--by", "anna", "--reason", "go on")
	assert.Contains(t, errs, "asks for no approval now")
	r.CLI(t, 0, "abort", id, "--reason", "it is a test")
	assert.ErrorContains(t, r.Failure(t, id), "it is a test")
}

// monitorLives does everything twice: the second time changes nothing.
func monitorLives(t *testing.T, r *runs.Runs) {
	say := func(want string, args ...string) {
		t.Helper()
		out, _ := r.CLI(t, 0, append([]string{"monitor"}, args...)...)
		assert.Contains(t, out, want)
	}
	status := func() (s struct {
		Every   string
		Paused  bool
		Note    string
		Started int
		Checks  []struct{ Run, Outcome string }
	}) {
		t.Helper()
		out, _ := r.CLI(t, 0, "monitor", "status", "--site", "dead", "-o", "json")
		require.NoError(t, json.Unmarshal([]byte(out), &s))
		return s
	}
	r.CLI(t, 2, "monitor", "status", "--site", "dead")
	r.CLI(t, 2, "monitor", "pause", "--site", "dead")
	say("monitor/dead does not run", "stop", "--site", "dead")
	say("started monitor/dead: a check every 10s", "start", "--site", "dead")
	say("monitor/dead runs already: a check every 11s", "start", "--site", "dead", "--every", "11s")
	require.Eventually(t, func() bool { return status().Every == "11s" }, time.Minute, 100*time.Millisecond)
	require.Eventually(t, func() bool {
		s := status()
		ended := 0 // the newest one hardly ever has, where a check takes as long as the time between two
		for _, c := range s.Checks {
			if c.Outcome == "checks-failed" {
				ended++
			}
		}
		return s.Started > 0 && ended > 2
	}, 5*time.Minute, time.Second, "two checks by hand, one of the monitor")
	assert.Regexp(t, `^check/dead-\d`, status().Checks[0].Run)

	paused := func(want bool) { // Temporal may be about to start a check when it is told
		t.Helper()
		require.Eventually(t, func() bool { return status().Paused == want }, time.Minute, 100*time.Millisecond)
	}
	for range 2 {
		say("paused by", "pause", "--site", "dead", "--reason", "upgrade")
		paused(true)
		assert.Contains(t, status().Note, "upgrade")
	}
	say("is there and paused", "start", "--site", "dead", "--every", "12s")
	assert.True(t, status().Paused, "a start does not end a pause")
	for range 2 {
		say("resumed by", "resume", "--site", "dead")
		paused(false)
	}
	say("stopped monitor/dead", "stop", "--site", "dead")
	say("monitor/dead does not run", "stop", "--site", "dead")
}
