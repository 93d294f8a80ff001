package checks

import (
	"fmt"
	"slices"

	"github.com/acpflow/acpflow/site"
)

// limits are the numbers of the document, so that an edition can differ and no
// judge has any of its own. Memory and disks are in GB of 10^9 bytes: of 16 GB
// of memory the kernel keeps some for itself, and MemTotal still is above.
type limits struct {
	hostname   int     // most characters of a hostname (CHK-11)
	clockError int     // most seconds between two clocks (CHK-28)
	tasksMax   uint64  // least DefaultTasksMax (CHK-10)
	freeGB     int     // free space for the unpacked package (EXE-04)
	search     search  // search domains (DNS-01…03)
	plan       plan    // capacity (CAP-*)
	machine    machine // least machine of a control plane (HW-02…04)
	arm        arm     // factors of ARM-01, percent
	disks      []disk  // partitions (CAP-20)
	rootUsage  int     // percent of / that must not be reached (CAP-20)
	offload    []int   // kernel whose checksum offload works on ARM (ARM-03): 4.19.90-25.16.v2101
}

// search bounds what kubelet hands on to Pods.
type search struct {
	domains   int // most domains (DNS-01)
	domain    int // most characters of one (DNS-02)
	inclusive int // most characters of all, blanks included (DNS-03)
}

// Size is the size of one machine.
type Size struct {
	Cores  int `json:"cores"`
	Memory int `json:"memoryGB"`
}

func (s Size) String() string { return fmt.Sprintf("%d cores, %d GB", s.Cores, s.Memory) }

// percent scales a size and rounds up.
func (s Size) percent(p int) Size { return Size{ceil(s.Cores*p, 100), ceil(s.Memory*p, 100)} }

func ceil(a, b int) int { return (a + b - 1) / b }

// plan is the chapter on capacity.
type plan struct {
	single             Size // the one node (CAP-01)
	singlePods         int  // most Pods of a demonstration there (CAP-02)
	control            Size // least control plane (CAP-04, CAP-06, CAP-08)
	controlAdvised     Size // of a single cluster (CAP-04, CAP-05); zero = none
	controlAdvisedMany Size // of a multi cluster (CAP-08); zero = none
	worker             Size // least worker of a multi cluster (CAP-08); zero = none
	workerAdvised      Size
	masters            int    // control planes of a highly available cluster (HW-01)
	workers            int    // least workers, where there are any (CAP-05, CAP-08)
	podsPerWorker      int    // one more worker for each so many Pods (CAP-06)
	clustersPerStep    int    // attached clusters (CAP-10); 0 = tiers count instead
	percentPerStep     int    // more compute for each step
	steps              []Size // of vertical growth (CAP-09)
	tiers              []tier // by attached clusters (CAP-18)
	reserve            int    // percent to keep free (CAP-15)
}

// tier is a size of `global` by what it manages (CAP-18).
type tier struct {
	name     string
	clusters int // at most
	masters  int
	size     Size
	infra    bool // wants infrastructure nodes of their own
}

// machine is the least machine of a control plane (HW-02…04).
type machine struct {
	clock      int // MHz
	clockSlack int // percent: clocks are told as measured, 2494 MHz for 2.5 GHz
	iops       int
	throughput int // MB/s
	channels   int // of memory, advised
}

type arm struct{ least, advised int }

// disk is one partition of CAP-20.
type disk struct {
	path           string
	role           site.Role // empty = every node
	least, advised int       // GB
}

var (
	planSeed = plan{
		single: Size{16, 32}, singlePods: 10,
		control: Size{8, 16}, controlAdvised: Size{12, 24}, controlAdvisedMany: Size{16, 32},
		worker: Size{12, 24}, workerAdvised: Size{24, 48}, masters: 3, workers: 2,
		podsPerWorker: 50, clustersPerStep: 10, percentPerStep: 20,
		steps: []Size{{12, 24}, {24, 48}, {48, 96}}, reserve: 30,
	}
	planTiers = plan{
		single: Size{12, 24}, singlePods: 10,
		control: Size{8, 16}, masters: 3, workers: 2, podsPerWorker: 50, reserve: 30,
		tiers: []tier{
			{"small", 10, 3, Size{8, 16}, false}, {"medium", 50, 3, Size{16, 32}, false},
			{"large", 100, 3, Size{24, 48}, false}, {"extra large", 500, 6, Size{32, 64}, true},
		},
	}
	disks20 = []disk{
		{path: "/var/lib/etcd", role: site.ControlPlane, least: 10, advised: 20},
		{path: "/var/lib/containerd", least: 100, advised: 150},
		{path: "/cpaas", role: site.ControlPlane, least: 100, advised: 200},
		{path: "/cpaas", role: site.Worker, least: 40, advised: 200},
		{path: "/", least: 50, advised: 100},
	}
)

// limitsSeed are the numbers of the document, limits41 those of its later editions.
var (
	limitsSeed = limits{
		hostname: 36, clockError: 10, tasksMax: largeTasksMax, freeGB: 100,
		search: search{domains: 28, domain: 253, inclusive: 2048},
		plan:   planSeed, arm: arm{150, 200},
		machine: machine{clock: 2500, clockSlack: 1, iops: 2000, throughput: 200, channels: 6},
	}
	limits41 = limits{
		hostname: 36, clockError: 10, tasksMax: unlimited, freeGB: 100,
		search: search{domains: 28, domain: 253, inclusive: 2048},
		plan:   planTiers, arm: arm{150, 200},
		disks: disks20, rootUsage: 80, offload: []int{4, 19, 90, 25, 16, 2101},
	}
)

// tierFor is the smallest tier that manages so many clusters; false when none does.
func (p plan) tierFor(clusters int) (tier, bool) {
	i := slices.IndexFunc(p.tiers, func(t tier) bool { return clusters <= t.clusters })
	if i < 0 {
		return tier{}, false
	}
	return p.tiers[i], true
}
