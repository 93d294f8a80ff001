package takeover

import (
	"encoding/json"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/test/harness/pairs"
	"github.com/acpflow/acpflow/test/harness/runs"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
	"github.com/acpflow/acpflow/workflows"
)

// tookOver demands that nothing is half done by a takeover that says it is
// finished: names, ports, plugin, records and Pods.
func (s *stage) tookOver(p *workflows.Progress, mode string, reached ...*labtest.Side) {
	s.Helper()
	for _, step := range p.Steps {
		assert.Equal(s, workflows.Done, step.State, step.ID)
	}
	s.leadsTo(s.to)
	assert.Equal(s, 1, s.seen.moves(), "the name was moved once")
	if !s.mended { // else the update was sent again, when a server had not followed
		assert.Equal(s, 1, s.seen.updates(), "the zone was changed once")
	}
	for _, side := range reached {
		assert.False(s, listens(s.Context(), side, 2379), "2379 of %s", side.Cluster.Name)
		assert.Empty(s, pairs.Synchronizers(s, side), side.Cluster.Name)
	}
	assert.Equal(s, 1, s.seen.went(s.to.Cluster.Name, "plugin"), "uninstalled once")
	record := s.record(s.to)
	assert.Equal(s, []string{s.to.Cluster.Name, s.from.Cluster.Name, mode}, []string{record.Primary, record.Standby, record.Mode})
	assert.Equal(s, s.uid(s.to), record.PrimaryUID)
	require.NotNil(s, p.Recovery)
	assert.Equal(s, mode, p.Recovery.Mode)
	assert.Equal(s, []string{s.from.Cluster.Name, s.to.Cluster.Name, s.uid(s.to)}, []string{p.Recovery.From, p.Recovery.To, p.Recovery.ToUID})
	s.adds(p)
	s.restartedOnce(p)
}

// adds: the parts of the recovery time are the whole.
func (s *stage) adds(p *workflows.Progress) {
	s.Helper()
	rto := p.Recovery.RTO
	require.NotNil(s, rto)
	assert.Positive(s, rto.TotalSeconds)
	assert.InDelta(s, rto.TotalSeconds, rto.DetectionSeconds+rto.WaitingSeconds+rto.MachineSeconds, rto.TotalSeconds/100)
	assert.LessOrEqual(s, rto.TotalSeconds, p.Ended.Sub(p.Started).Seconds()+0.1)
}

// restartedOnce: every Pod that the run says it restarted went, and for each came
// one other.
func (s *stage) restartedOnce(p *workflows.Progress) {
	s.Helper()
	gone := map[string]bool{}
	for _, e := range s.seen.events() {
		if e.gone {
			gone[e.uid] = true
		}
	}
	seen := map[string]bool{}
	for _, line := range p.Recovery.Restarted {
		fields := strings.Fields(line) // namespace/name, UID, perhaps "of" a workload cluster
		require.GreaterOrEqual(s, len(fields), 2, line)
		pod, uid := fields[0], fields[1]
		assert.False(s, seen[uid], "%s is listed twice", pod)
		seen[uid] = true
		if !strings.HasSuffix(line, " of "+shop) { // which is not watched
			assert.True(s, gone[uid], "%s did not go", line)
		}
	}
	assert.NotEmpty(s, seen)
	side := s.to.Cluster.Name
	for service, times := range restarts {
		if service == "cpaas-elasticsearch" {
			times += s.again
		}
		assert.Equal(s, times, s.seen.went(side, service), "Pods of %s that went on %s", service, side)
		assert.Equal(s, times, s.seen.made(side, service), "successors of the Pods of %s on %s", service, side)
	}
}

// restarts is how often a takeover restarts what has one Pod in the lab's platform:
// Elasticsearch when it is prepared, and everything once at the end (DR-40, DR-43).
var restarts = map[string]int{"cpaas-elasticsearch": 2, "alertmanager": 1, "vmselect": 1, "vminsert": 1, "cluster-transformer": 1}

// untouched demands the pair as it was before a run that was given up: the
// synchronizer, the ports, the name, and both sides alike.
func (s *stage) untouched() {
	s.Helper()
	assert.Len(s, pairs.Synchronizers(s, s.to), 1)
	assert.Empty(s, pairs.Synchronizers(s, s.from))
	for _, side := range []*labtest.Side{s.from, s.to} {
		assert.True(s, s.takes(side, 2379), "2379 of %s", side.Cluster.Name)
	}
	s.leadsTo(s.from)
	assert.Zero(s, s.seen.updates(), "the name was left alone")
	s.Clean(s)
}

// protected demands the pair with its new direction, after a reprotect.
func (s *stage) protected() {
	s.Helper()
	s.leadsTo(s.to)
	assert.Len(s, pairs.Synchronizers(s, s.from), 1)
	assert.Empty(s, pairs.Synchronizers(s, s.to))
	for _, side := range []*labtest.Side{s.from, s.to} {
		for _, port := range lab.BalancerPorts {
			assert.True(s, s.takes(side, port), "%d of %s", port, side.Cluster.Name)
		}
	}
	assert.Empty(s, s.record(s.to).Owed)
	v := s.Clean(s)
	assert.Equal(s, s.to.Cluster.Name, v.Roles.Primary)
}

// leadsTo asks every name server and a node of each side that is on.
func (s *stage) leadsTo(side *labtest.Side) {
	s.Helper()
	want := side.Cluster.Endpoint.VIP
	d := s.Lab.Describe().DNS
	for _, server := range []string{d.Authoritative, d.Resolver} {
		if answer := s.answer(lab.Domain, server); assert.Len(s, answer, 1, server) {
			record, ok := answer[0].(*dns.A)
			assert.True(s, ok && record.A.Equal(net.ParseIP(want)), "%s answers %s, %s has %s", server, answer[0], side.Cluster.Name, want)
		}
	}
	out, err := side.First.Exec(s.Context(), "getent", "hosts", lab.Domain)
	assert.NoError(s, err)
	assert.Contains(s, out, want, "%s itself", side.Cluster.Name)
}

// answer is what a name server says of a name, when it is not too busy to.
func (s *stage) answer(domain, server string) (out []dns.RR) {
	s.Helper()
	labtest.Await(s, time.Minute, "an answer of "+server, func() error {
		a, err := dns.Exchange(new(dns.Msg).SetQuestion(domain+".", dns.TypeA), server)
		if err == nil {
			out = a.Answer
		}
		return err
	})
	return out
}

// record is what a side remembers of the last takeover.
func (s *stage) record(side *labtest.Side) activities.PairRecord {
	s.Helper()
	var out activities.PairRecord
	o, err := side.API.CoreV1().ConfigMaps(syncplugin.Namespace).Get(s.Context(), record, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return out
	}
	require.NoError(s, err)
	for _, text := range o.Data {
		require.NoError(s, json.Unmarshal([]byte(text), &out))
	}
	return out
}

// uid is who a side is.
func (s *stage) uid(side *labtest.Side) string {
	s.Helper()
	ns, err := side.API.CoreV1().Namespaces().Get(s.Context(), "kube-system", metav1.GetOptions{})
	require.NoError(s, err)
	return string(ns.UID)
}

// captured demands that what was overwritten is in a file of the old side's node,
// whole, and was so before the synchronizer came. It returns the file.
func (s *stage) captured(p *workflows.Progress, side *labtest.Side) string {
	s.Helper()
	i := slices.IndexFunc(p.Steps, func(step workflows.StepProgress) bool { return strings.Contains(step.ID, "capture") })
	require.GreaterOrEqual(s, i, 0, runs.Steps(p))
	facts := p.Steps[i].Evidence.Facts
	require.NotEmpty(s, facts["file"], "%v", facts)
	require.NotEmpty(s, facts["sha256"], "%v", facts)
	out := s.Script(s, side.First.Name, "sha256sum <"+facts["file"]+" | cut -d' ' -f1; stat -c '%a %U' "+facts["file"]+"; stat -c %Y "+facts["file"])
	lines := strings.Split(out, "\n")
	require.Len(s, lines, 3, out)
	assert.Equal(s, facts["sha256"], lines[0])
	assert.Equal(s, "600 root", lines[1])
	written, err := strconv.ParseInt(lines[2], 10, 64)
	require.NoError(s, err)
	for _, e := range s.seen.events() {
		if e.side == side.Cluster.Name && e.what == "plugin" && !e.there && !e.gone {
			assert.GreaterOrEqual(s, e.at.Unix(), written, "the synchronizer came after the capture")
		}
	}
	return s.Script(s, side.First.Name, "cat "+facts["file"])
}
