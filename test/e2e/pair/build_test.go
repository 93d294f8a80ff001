package pair

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/encryption"
	"github.com/acpflow/acpflow/test/harness/runs"
	"github.com/acpflow/acpflow/test/lab/installer/faults"
	"github.com/acpflow/acpflow/test/lab/installer/server"
	"github.com/acpflow/acpflow/workflows"
)

// The worker is killed after every step of a pair's install: nobody is asked
// anything, each configuration is posted once, and the end is the pair that an
// undisturbed run builds.
func TestInstallPairSurvivesAKillAfterEveryStep(t *testing.T) {
	r := world
	for _, node := range []string{"west-1", "east-1"} { // else each installer stays for ten seconds
		require.NoError(t, r.Node(t, node).WriteFile(t.Context(), faults.Path, []byte(`{"graceSeconds": 1}`), "0644"))
	}
	id, kills := r.KillAfterEveryActivity(t, func() string { return r.Start(t, "install-pair", name, "--cluster", west) }, nil)
	p := r.Until(t, id, "success", func(p *workflows.Progress) bool { return p.Outcome == workflows.Succeeded })
	for _, s := range p.Steps {
		assert.Equal(t, workflows.Done, s.State, s.ID)
		assert.LessOrEqual(t, s.Tries, 1, "%s: nobody was asked", s.ID) // 0 where it was not needed
	}
	assert.Empty(t, p.Decisions)
	t.Logf("%d steps, %d kills\n%s", len(p.Steps), kills, runs.Steps(p))
	r.Survived(t, id)
	r.Record(t, id, "install-pair-killed")
	for _, node := range []string{"west-1", "east-1"} {
		assert.Equal(t, 1, r.posts(t, node), node)
	}
	r.Connect(t)
	v := r.Clean(t)
	assert.Equal(t, west, v.Roles.Primary)
	assert.Equal(t, east, v.Roles.Standby)
	r.sameKeyEverywhere(t)
}

// posts is how many configurations the installer on a node accepted.
func (r *rig) posts(t *testing.T, node string) int {
	t.Helper()
	var record server.Record
	require.NoError(t, json.Unmarshal([]byte(r.Script(t, node, "cat "+server.RecordFile)), &record))
	return record.Posts.Accepted
}

// sameKeyEverywhere compares the key files on all machines.
func (r *rig) sameKeyEverywhere(t *testing.T) {
	t.Helper()
	want := ""
	for _, cluster := range []string{west, east} {
		for _, n := range r.ControlPlanes(t, cluster) {
			got := r.Script(t, n, fmt.Sprintf(`stat -c '%%U:%%G %%a' %[1]s; sha256sum <%[1]s`, encryption.Path))
			if want == "" {
				want = got
			}
			assert.Equal(t, want, got, n)
			assert.True(t, strings.HasPrefix(got, "root:root 600"), got)
		}
	}
}
