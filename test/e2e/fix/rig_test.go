// Package fix shows the repair of nodes: the real worker and Temporal, on a real
// machine of the lab that was broken in many ways. It needs root on Debian 12.
package fix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
	"github.com/acpflow/acpflow/workflows"
)

// patience bounds one wait: a guarded fix that cuts SSH takes a minute by itself.
const patience = 6 * time.Minute

// rig is one broken-to-be node, and acpflow around it.
type rig struct {
	node     *lab.Node
	lab      *lab.Lab
	server   *harness.Devserver
	worker   *harness.Worker
	temporal client.Client
	sites    string
	resolver string // the lab's
}

func newRig(t *testing.T) *rig {
	t.Helper()
	l := labtest.Up(t, lab.Options{Name: "fix", Clusters: []lab.ClusterPlan{{Name: "solo", ControlPlanes: 1}}})
	node, err := l.Node("solo-1")
	require.NoError(t, err)
	dir := t.TempDir()
	server, err := harness.StartDevserver(t.Context(), dir, os.Stderr)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Stop()) })
	r := &rig{node: node, lab: l, server: server, sites: filepath.Join(dir, "sites")}
	require.NoError(t, os.MkdirAll(r.sites, 0o755))
	r.worker, err = harness.StartWorker(t.Context(), server, harness.WorkerOptions{Sites: r.sites, Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.worker.Stop()) })
	r.temporal, err = server.Client(t.Context())
	require.NoError(t, err)
	t.Cleanup(r.temporal.Close)
	return r
}

// document is the lab's site under a later edition, which has temporary settings,
// without some waivers.
func (r *rig) document(t *testing.T, unwaived ...string) *site.Site {
	t.Helper()
	path := filepath.Join(r.lab.Dir(), lab.FileSite)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	doc, err := site.Parse(path, data)
	require.NoError(t, err)
	doc.Name, doc.Profile = "broken", "acp-4.1"
	_, server, _ := strings.Cut(r.script(t, "cat /etc/resolv.conf"), "nameserver ")
	r.resolver = strings.TrimSpace(server) // a dead one makes every sudo slow
	doc.Clusters[0].NameServers = []string{r.resolver}
	doc.Waivers = slices.DeleteFunc(doc.Waivers, func(w site.Waiver) bool { return slices.Contains(unwaived, w.Rule) })
	body, err := json.Marshal(doc) // JSON tags are the document's names
	require.NoError(t, err)
	body, err = yaml.JSONToYAML(body)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(r.sites, "broken.yaml"), body, 0o600))
	return doc
}

// powerButton boots the node again once it has gone down: a lab node that
// reboots ends, like a machine whose firmware stays off.
func (r *rig) powerButton(t *testing.T) {
	ctx := t.Context()
	go func() {
		for ctx.Err() == nil {
			time.Sleep(200 * time.Millisecond)
			if _, err := r.node.Exec(ctx, "true"); errors.Is(err, lab.ErrOff) {
				assert.NoError(t, r.node.PowerOn(ctx))
				return
			}
		}
	}()
}

func (r *rig) script(t *testing.T, script string) string {
	t.Helper()
	out, err := r.node.Exec(t.Context(), "/bin/bash", "-euc", script)
	require.NoError(t, err)
	return out
}

// start begins a runbook and returns its workflow id.
func (r *rig) start(t *testing.T, book string, request workflows.Request) string {
	t.Helper()
	request.Site = "broken"
	run, err := r.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: t.Name() + "-" + book + "-" + time.Now().Format("150405.000"), TaskQueue: workflows.TaskQueue}, book, request)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.temporal.TerminateWorkflow(context.Background(), run.GetID(), "", "the test is over") })
	return run.GetID()
}

// until polls the run; what ends it, or parks it, unwanted fails the test.
func (r *rig) until(t *testing.T, id string, holds func(*workflows.Progress) bool) *workflows.Progress {
	t.Helper()
	var last workflows.Progress
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		value, err := r.temporal.QueryWorkflow(t.Context(), id, "", workflows.StatusQuery)
		if err != nil {
			continue // no worker for a moment
		}
		var p workflows.Progress
		require.NoError(t, value.Get(&p))
		if last = p; holds(&p) {
			return &p
		}
		if p.Ended != nil || p.Gate != nil {
			break
		}
	}
	text := ""
	if last.Gate != nil {
		text = last.Gate.Step + ": " + last.Gate.Text()
	}
	t.Fatalf("%s: the run is %s; gate %s\n%s\nworker:\n%s", id, last.Outcome, text, steps(&last), r.worker.Log())
	return nil
}

func steps(p *workflows.Progress) string {
	var b strings.Builder
	for _, s := range p.Steps {
		b.WriteString(s.ID + " " + string(s.State) + " " + s.Error)
		if s.Evidence != nil {
			b.WriteString(" " + s.Evidence.Summary + "\n" + s.Evidence.Tail)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (r *rig) succeeds(t *testing.T, id string) *workflows.Progress {
	t.Helper()
	return r.until(t, id, func(p *workflows.Progress) bool { return p.Outcome == workflows.Succeeded })
}

func (r *rig) decide(t *testing.T, id, step string, action workflows.Action) {
	t.Helper()
	handle, err := r.temporal.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: workflows.DecideUpdate, WaitForStage: client.WorkflowUpdateStageCompleted,
		Args: []any{workflows.Decision{Step: step, Action: action, By: "e2e", Reason: "the test says so"}},
	})
	require.NoError(t, err)
	require.NoError(t, handle.Get(t.Context(), nil))
}

// approveInForm approves in the Temporal UI, with the input that the run's page
// shows there; that of another question is refused, and the form says why.
func (r *rig) approveInForm(t *testing.T, id string, gate *workflows.Gate) {
	t.Helper()
	tab, err := harness.StartBrowser(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(tab.Close)
	run, err := r.server.LatestRunURL(t.Context(), r.temporal, id)
	require.NoError(t, err)
	require.NoError(t, tab.Open(run+"/user-metadata"))
	input := fmt.Sprintf(`{"step":%q,"by":"you","reason":"why","digest":%q}`, gate.Step, gate.Digest)
	_, err = tab.WaitFor("waits for an approval before it acts", "Approve with the Update approve: "+input)
	require.NoError(t, err)

	require.NoError(t, tab.SendUpdate(run, workflows.ApproveUpdate, strings.Replace(input, gate.Digest, strings.Repeat("0", len(gate.Digest)), 1)))
	_, err = tab.WaitFor("the digest is of another question: step " + gate.Step)
	require.NoError(t, err)
	p := r.until(t, id, func(*workflows.Progress) bool { return true })
	assert.Equal(t, gate, p.Gate, "nobody has approved it")

	require.NoError(t, tab.SendUpdate(run, workflows.ApproveUpdate, input))
	_, err = tab.WaitFor("approve of step " + gate.Step + " recorded for you")
	require.NoError(t, err)
}

// tree fingerprints everything that repairs touch: type, mode, owner, target, bytes.
func (r *rig) tree(t *testing.T) string {
	t.Helper()
	return r.script(t, treeScript)
}

const treeScript = `cd /
find etc usr/local var/lib/docker var/lib/containerd var/lib/kubelet var/log/pods 2>/dev/null \
  \( -type f -o -type l -o -type d \) ! -path 'etc/.*' ! -path etc/machine-id -print0 | sort -z |
  while IFS= read -r -d '' f; do
    if [ -L "$f" ]; then s=$(readlink "$f"); elif [ -f "$f" ]; then s=$(sha256sum <"$f"); else s=dir; fi
    printf '%s %s %s\n' "$f" "$(stat -c '%f %u %g' "$f")" "$s"
  done
findmnt -n -o OPTIONS -M /tmp; uname -n; systemctl is-enabled firewalld iptables ip6tables kubelet || true
systemctl is-active firewalld iptables kubelet || true
`

// mtimes shows any write, also of the same bytes.
func (r *rig) mtimes(t *testing.T) string {
	t.Helper()
	return r.script(t, `find /etc /usr/local /var/lib /opt \( -path /var/lib/systemd -o -path /var/lib/dbus \) -prune -o -printf '%p %T@ %i\n' | grep -vE '^/var/lib/acpflow/repair( |/output |/lock )' | grep -vE '^/var/lib/(private|acpflow) ' | sort`)
}
