package activities

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/site"
)

// The machine of the worker is never rebooted, nor one that could be it.
func TestTheWorkersMachineIsNotRebooted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "boot_id")
	in := RebootInput{Node: Node{Name: "cp-1"}, Boot: "b1"}
	err := refuseOwnMachine(in, file)
	assert.Equal(t, fault.Refused, fault.ClassOf(err), "not known: %v", err)
	require.NoError(t, os.WriteFile(file, []byte("b1\n"), 0o600))
	err = refuseOwnMachine(in, file)
	assert.Equal(t, fault.Refused, fault.ClassOf(err))
	assert.ErrorContains(t, err, "the worker itself runs on this machine")
	in.Boot = "b2"
	assert.NoError(t, refuseOwnMachine(in, file))

	own, err := os.ReadFile(bootFile)
	require.NoError(t, err)
	_, err = (&Repairs{}).RebootNode(t.Context(), RebootInput{Node: Node{Name: "cp-1"}, Boot: string(own)})
	assert.ErrorContains(t, err, "the worker itself runs on this machine")
}

// Only what was seen to be without Kubernetes is.
func TestUnknownIsNoEmptyMachine(t *testing.T) {
	for outcome, empty := range map[checks.Outcome]bool{
		checks.Pass: true, checks.Warn: true, checks.Fail: false, checks.Error: false, checks.Skipped: false, checks.Waived: false,
	} {
		assert.Equal(t, empty, checks.PlatformOn([]checks.Finding{{Rule: "CHK-07", Outcome: checks.Pass}, {Rule: "GEN-04", Outcome: outcome}}) == "", outcome)
	}
	assert.NotEmpty(t, checks.PlatformOn(nil))
}

// A repair leaves out the nodes it is told to; the document stays as it is.
func TestOmittedNodesAreNoTarget(t *testing.T) {
	doc := site.Site{Clusters: []site.Cluster{{Name: "west", Nodes: []site.Node{{Name: "m1"}, {Name: "m2"}}}}}
	in := RepairInput{Scope: Scope{Site: doc, Cluster: "west"}, Omit: []string{"m1"}}
	cluster, err := in.cluster()
	require.NoError(t, err)
	assert.Equal(t, []site.Node{{Name: "m2"}}, cluster.Nodes)
	assert.Len(t, doc.Clusters[0].Nodes, 2)
}

// What undoes everything touches no node before it knows that none has
// Kubernetes; the undo of a run and the end of temporary settings don't ask.
func TestUndoAsksForThePlatformFirst(t *testing.T) {
	pool := ssh.NewPool()
	defer pool.Close()
	r := &Repairs{Hosts: &Hosts{Pool: pool}}
	doc := site.Site{Clusters: []site.Cluster{{Name: "west", Nodes: []site.Node{{Name: "m1", Address: "127.0.0.1"}}}}} // no login: it can't be read
	in := RepairInput{Scope: Scope{Site: doc, Cluster: "west"}}
	_, err := r.UndoRepairs(t.Context(), in)
	assert.ErrorContains(t, err, "nothing was touched")
	_, err = r.RestoreTemporary(t.Context(), in)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "nothing was touched")
	in.Run = "r1"
	_, err = r.UndoRepairs(t.Context(), in)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "nothing was touched")
}
