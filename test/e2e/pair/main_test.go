// Package pair runs acpflow on two data centres as a user does: the real worker
// and CLI, the real Temporal server, a pair of clusters on the lab's nodes, and
// every fault that a check must see. It needs root on Debian 12.
package pair

import (
	"testing"

	"github.com/acpflow/acpflow/test/harness/pairs"
	"github.com/acpflow/acpflow/test/lab"
)

// name is the lab and the site of these tests.
const name = "pair"

// The clusters, by the role they begin in.
const (
	west = pairs.West // primary
	east = pairs.East // standby
)

// world is the pair that all tests share. The first one to need it builds it.
var world *rig

func TestMain(m *testing.M) {
	pairs.Main(m, pairs.Options{Name: name,
		// Three control planes where keys are copied to, one where that shows nothing more.
		Clusters: []lab.ClusterPlan{{Name: west, ControlPlanes: 1, Balancer: true}, {Name: east, ControlPlanes: 3, Balancer: true}},
	}, func(r *pairs.Rig) { world = &rig{r} })
}
