// Package takeover carries a pair of data centres through what it is made for, as
// a user does: switchover, failover, reprotect and drill with the real worker and
// CLI, the real Temporal server and clusters on the lab's nodes, whatever breaks.
// It needs root on Debian 12.
package takeover

import (
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness/pairs"
)

// name is the lab and the site of these tests.
const name = "takeover"

// shop is a workload cluster that sends its monitoring to the platform.
const shop = "shop"

// world is the pair that all tests share. The first one to need it builds it.
var world *pairs.Rig

func TestMain(m *testing.M) {
	klog.SetLogger(logr.Discard()) // watches of a side that is dead end again and again
	pairs.Main(m, pairs.Options{Name: name, Clusters: pairs.Small(), Workloads: []string{shop}, Site: quick}, func(r *pairs.Rig) { world = r })
}

// quick makes the waits of a takeover short; they are by design, not work.
func quick(s *site.Site) {
	s.DR.Takeover.DownFor, s.DR.Takeover.Soak, s.DR.Takeover.RightInARow = "3s", "2s", 2
	s.Policy.StallAfter = "40s" // on a machine full of other tests a Pod may take twenty
	s.DR.Drill = &site.Drill{Canary: "canary." + s.DR.DNS.Zone}
}
