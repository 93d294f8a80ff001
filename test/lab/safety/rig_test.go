// Package safety tests what a takeover keeps, and what it looks at on one side
// alone, against two installed clusters.
package safety

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
	"github.com/acpflow/acpflow/test/lab/workload"
)

// seeded is how many teams and workload clusters each side has.
const seeded = 3

// rig is the pair, without a synchronizer between them: what they hold in common
// is chance.
type rig struct {
	*labtest.Pair
	doc   site.Site
	hosts *activities.Hosts
}

func TestSafety(t *testing.T) {
	pool := ssh.NewPool()
	t.Cleanup(pool.Close)
	r := &rig{Pair: labtest.InstallPair(t, "t-safe"), hosts: &activities.Hosts{Pool: pool}}
	r.doc = *r.Site
	r.doc.DR.Sync.MaxLag = "3s"
	for _, side := range []*labtest.Side{r.West, r.East} {
		require.NoError(t, workload.Seed(t.Context(), side.API, side.Dynamic, seeded))
	}
	t.Run("snapshot", func(t *testing.T) { testSnapshot(t, r) })
	t.Run("no space", func(t *testing.T) { testNoSpace(t, r) })
	t.Run("export", func(t *testing.T) { testExport(t, r) })
	t.Run("divergence", func(t *testing.T) { testDivergence(t, r) })
	t.Run("warlock", func(t *testing.T) { testWarlock(t, r) })
	t.Run("one side alone", func(t *testing.T) { testAlone(t, r) })
}

func (r *rig) scope(cluster string) activities.Scope {
	return activities.Scope{Site: r.doc, Cluster: cluster}
}

func (r *rig) safety() *activities.Safety { return &activities.Safety{Hosts: r.hosts} }

// fetch reads a file of a node as its root.
func fetch(t *testing.T, n *lab.Node, path string) []byte {
	t.Helper()
	var out, errs bytes.Buffer
	code, err := n.Run(t.Context(), lab.Command{Argv: []string{"cat", path}, Stdout: &out, Stderr: &errs})
	require.NoError(t, err)
	require.Zero(t, code, errs.String())
	return out.Bytes()
}

// local puts a node's file where this process can open it.
func local(t *testing.T, n *lab.Node, path string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), filepath.Base(path))
	require.NoError(t, os.WriteFile(file, fetch(t, n, path), 0o600))
	return file
}

// onlyRoot demands that nobody else can read the copies, and that nothing half
// done lies beside them.
func onlyRoot(t *testing.T, n *lab.Node, run string, files ...string) {
	t.Helper()
	out, err := n.Script(t.Context(), "cd /var/lib/acpflow/safety && stat -c '%n %a %U' . "+run+" "+run+"/* && ls -A "+run)
	require.NoError(t, err)
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		if f := strings.Fields(line); len(f) == 3 {
			want := "600"
			if !strings.Contains(f[0], "/") {
				want = "700"
			}
			assert.Equal(t, want+" root", f[1]+" "+f[2], f[0])
		}
	}
	for _, f := range files {
		assert.Contains(t, out, run+"/"+f+" ")
		assert.Contains(t, out, run+"/"+f+".sha256 ")
	}
	assert.NotContains(t, out, ".part.")
}

// silent demands that no secret of the lab's clusters is in a result.
func silent(t *testing.T, results ...any) {
	t.Helper()
	text, err := json.Marshal(results)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "of "+workload.Team(1), "the value of a Secret")
	assert.Less(t, len(text), 200_000)
}
