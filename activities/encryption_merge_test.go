package activities

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/encryption"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// Files with one key on each side, both named key1, and with both keys.
const (
	keyHead = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n  - resources: [secrets]\n    providers:\n    - aescbc:\n        keys:\n"
	ownKey  = "        - {name: key1, secret: UFBQUFBQUFBQUFBQUFBQUA==}\n"
	itsKey  = "        - {name: key1, secret: U1NTU1NTU1NTU1NTU1NTUw==}\n"
	oldWest = keyHead + ownKey
	oldEast = keyHead + itsKey
)

// mergedFile is what both sides end with.
func mergedFile(t *testing.T) string {
	t.Helper()
	var sides []encryption.Config
	for _, text := range []string{oldWest, oldEast} {
		c, err := encryption.Parse(secret.NewValue([]byte(text)), "m1")
		require.NoError(t, err)
		sides = append(sides, c)
	}
	plan, err := encryption.Plan(sides[0], sides[1])
	require.NoError(t, err)
	file, err := plan.Merged.Marshal()
	require.NoError(t, err)
	return string(file.Reveal())
}

func mergeAt(primary, standby []mergeNode) *merging {
	return &merging{primary: mergeSide{scope: Scope{Cluster: "west"}, nodes: primary}, standby: mergeSide{scope: Scope{Cluster: "east"}, nodes: standby}}
}

func mergeNodeOf(name, current, backup string) mergeNode {
	n := mergeNode{node: Node{Name: name}, current: secret.NewValue([]byte(current))}
	if backup != "" {
		n.original = secret.NewValue([]byte(backup))
	}
	return n
}

// FinishMerge renames the backups of all nodes at a time, and one may be out of
// reach. The next run has only to finish, whichever nodes those were.
func TestMergeThatWasCutOffWhileItFinishedIsFinished(t *testing.T) {
	done := mergedFile(t)
	for name, left := range map[string][4]string{ // backups of west's nodes, then of east's
		"one of the standby":  {"", "", "", oldEast},
		"one of the primary":  {"", oldWest, "", ""},
		"a whole side":        {"", "", oldEast, oldEast},
		"one of each":         {oldWest, "", "", oldEast},
		"none has been moved": {oldWest, oldWest, oldEast, oldEast},
	} {
		t.Run(name, func(t *testing.T) {
			m := mergeAt([]mergeNode{mergeNodeOf("m1", done, left[0]), mergeNodeOf("m2", done, left[1])},
				[]mergeNode{mergeNodeOf("e1", done, left[2]), mergeNodeOf("e2", done, left[3])})
			require.NoError(t, m.resume())
			if name == "none has been moved" { // the last API servers may not have read it yet
				assert.True(t, m.differs())
				assert.Equal(t, 1, m.primary.lowest())
				assert.Equal(t, 4, m.standby.lowest())
				return
			}
			assert.False(t, m.differs(), "nothing is merged again, no file is put back")
		})
	}
}

// While files differ, a node without a backup is no node of the merge.
func TestMergeRefusesNodesThatDifferWithoutABackup(t *testing.T) {
	done := mergedFile(t)
	west := func() []mergeNode { return []mergeNode{mergeNodeOf("m1", done, oldWest)} }
	m := mergeAt(west(), []mergeNode{mergeNodeOf("e1", done, ""), mergeNodeOf("e2", oldEast, oldEast)})
	err := m.resume()
	require.True(t, fault.Is(err, fault.Gate), "%v", err)
	assert.Contains(t, err.Error(), "e1 has")
	assert.Contains(t, err.Error(), "never with an older one after a merge")

	m = mergeAt(west(), []mergeNode{mergeNodeOf("e1", oldEast, ""), mergeNodeOf("e2", oldEast, oldEast)})
	require.NoError(t, m.resume(), "backing up was cut off")
	assert.True(t, m.differs())
	assert.Equal(t, 0, m.standby.lowest())
}
