package checks

import (
	"fmt"

	"github.com/acpflow/acpflow/site"
)

// CapacityInput is what a platform shall carry. Empty fields mean the default
// profile, multi-cluster and amd64.
type CapacityInput struct {
	Profile          string        `json:"profile"`
	Scenario         site.Scenario `json:"scenario"`
	Architecture     string        `json:"architecture"`     // amd64 or arm64 (ARM-01)
	WorkloadClusters int           `json:"workloadClusters"` // to be attached, multi-cluster only
	Pods             int           `json:"pods"`             // of applications on `global` itself, single-cluster only
}

// CapacityPlan is what machines that takes.
type CapacityPlan struct {
	CapacityInput
	Production bool         `json:"production"` // false = for a demonstration only (CAP-01)
	Nodes      []NodePlan   `json:"nodes"`
	Cores      int          `json:"cores"`    // of all nodes, least
	Memory     int          `json:"memoryGB"` // of all nodes, least
	Disks      []DiskPlan   `json:"disks,omitempty"`
	Growth     []GrowthStep `json:"growth,omitempty"` // what more would take
	Notes      []string     `json:"notes,omitempty"`  // what no number can say, each with its rule
}

// NodePlan is one kind of machine.
type NodePlan struct {
	Role    site.Role `json:"role"`
	Count   int       `json:"count"`
	Least   Size      `json:"least"`            // of each; zero = as its applications need
	Advised Size      `json:"advised,omitzero"` // of each; zero = the document advises nothing
	Rules   []string  `json:"rules"`            // where the numbers come from
	Note    string    `json:"note,omitempty"`   // for a person
	Infra   bool      `json:"infra,omitempty"`  // infrastructure nodes of their own are needed, too
}

// DiskPlan is one partition; sizes in GB.
type DiskPlan struct {
	Path    string    `json:"path"`
	Role    site.Role `json:"role,omitempty"` // empty = every node
	Least   int       `json:"leastGB"`
	Advised int       `json:"advisedGB"`
}

// GrowthStep is the machine that a larger platform takes.
type GrowthStep struct {
	Clusters int    `json:"clusters,omitempty"` // up to so many attached clusters
	Pods     int    `json:"pods,omitempty"`     // or application Pods
	Text     string `json:"text"`
}

// maxPlanned bounds what is planned for, so that nothing overflows.
const maxPlanned = 1_000_000

// PlanCapacity answers the chapter on capacity (CAP-01…CAP-20, ARM-01). Its
// error means that the input is no platform the document knows.
func PlanCapacity(in CapacityInput) (CapacityPlan, error) {
	set(&in.Profile, seed)
	set(&in.Scenario, site.MultiCluster)
	set(&in.Architecture, "amd64")
	e, err := editionOf(in.Profile)
	switch {
	case err != nil:
		return CapacityPlan{}, err
	case in.Architecture != "amd64" && in.Architecture != "arm64":
		return CapacityPlan{}, fmt.Errorf("architecture %s: write amd64 or arm64", clip(in.Architecture))
	case in.WorkloadClusters < 0 || in.WorkloadClusters > maxPlanned || in.Pods < 0 || in.Pods > maxPlanned:
		return CapacityPlan{}, fmt.Errorf("workload clusters and Pods: write numbers from 0 to %d", maxPlanned)
	case in.WorkloadClusters > 0 && in.Scenario != site.MultiCluster:
		return CapacityPlan{}, fmt.Errorf("the scenario %s has no workload clusters: choose %s", in.Scenario, site.MultiCluster)
	}
	return e.plan(in)
}

func (e edition) plan(in CapacityInput) (CapacityPlan, error) {
	out := CapacityPlan{CapacityInput: in, Production: in.Scenario != site.SingleNode}
	switch in.Scenario {
	case site.SingleNode:
		out.singleNode(e.limits.plan)
	case site.SingleCluster:
		out.singleCluster(e.limits.plan)
	case site.MultiCluster:
		out.multiCluster(e.limits.plan)
	default:
		return CapacityPlan{}, fmt.Errorf("scenario %s: write %s, %s or %s", clip(string(in.Scenario)), site.SingleNode, site.SingleCluster, site.MultiCluster)
	}
	out.finish(e.limits)
	return out, nil
}

func (c *CapacityPlan) singleNode(p plan) {
	c.Nodes = []NodePlan{{Role: site.ControlPlane, Count: 1, Least: p.single, Rules: []string{"CAP-01"}}}
	c.note("CAP-01", "for trying out and showing only: no high availability, and it can't grow")
	if c.Pods > p.singlePods {
		c.note("CAP-02", "%d Pods are more than the %d a single node is meant for", c.Pods, p.singlePods)
	}
}

func (c *CapacityPlan) singleCluster(p plan) {
	control := NodePlan{
		Role: site.ControlPlane, Count: p.masters, Least: p.control, Advised: p.controlAdvised, Rules: []string{"CAP-04"},
		Note: "and what the applications need, where they run here",
	}
	worker := NodePlan{Role: site.Worker, Rules: []string{"CAP-04"}, Note: "applications share the control planes"}
	if c.Pods > 0 {
		worker = NodePlan{
			Role: site.Worker, Count: p.workersFor(c.Pods), Rules: []string{"CAP-05", "CAP-06"},
			Note: "as large as the applications need",
		}
	}
	c.Nodes = []NodePlan{control, worker}
	for _, n := range []int{1, 2, 4} {
		pods := c.Pods + n*p.podsPerWorker
		c.Growth = append(c.Growth, GrowthStep{Pods: pods, Text: fmt.Sprintf("%d workers (CAP-06)", p.workersFor(pods))})
	}
}

// workersFor is one worker for each so many Pods, and no single one.
func (p plan) workersFor(pods int) int { return max(ceil(pods, p.podsPerWorker), p.workers) }

func (c *CapacityPlan) multiCluster(p plan) {
	if p.clustersPerStep == 0 {
		c.tiered(p)
		return
	}
	growth := p.growth(c.WorkloadClusters)
	c.Nodes = []NodePlan{
		{
			Role: site.ControlPlane, Count: p.masters, Least: p.control.percent(growth), Advised: p.controlAdvisedMany.percent(growth),
			Rules: []string{"CAP-08", "CAP-10"}, Note: "not two on one machine (anti-affinity)",
		},
		{
			Role: site.Worker, Count: p.workers, Least: p.worker.percent(growth), Advised: p.workerAdvised.percent(growth),
			Rules: []string{"CAP-08", "CAP-10"}, Note: "or more workers of the first size; in two failure domains (CAP-14)",
		},
	}
	for n := range len(p.steps) {
		clusters := (c.WorkloadClusters/p.clustersPerStep + 1 + n) * p.clustersPerStep
		c.Growth = append(c.Growth, GrowthStep{Clusters: clusters, Text: fmt.Sprintf("%d %% of the first plan's compute (CAP-10)", p.growth(clusters))})
	}
	for _, s := range p.steps {
		c.Growth = append(c.Growth, GrowthStep{Text: "or larger machines, in steps: " + s.String() + " (CAP-09)"})
	}
	c.note("CAP-08", "5 control planes are allowed here, but the installer takes 1 or 3 (PAR-30): install 3, add 2 later")
}

// growth is the compute that so many attached clusters need, in percent of the first plan.
func (p plan) growth(clusters int) int {
	return 100 + clusters/p.clustersPerStep*p.percentPerStep
}

func (c *CapacityPlan) tiered(p plan) {
	t, ok := p.tierFor(c.WorkloadClusters)
	if !ok {
		t = p.tiers[len(p.tiers)-1]
		c.note("CAP-18", "more than %d clusters are beyond the document's table: ask the vendor's support", t.clusters)
	}
	c.Nodes = []NodePlan{
		{Role: site.ControlPlane, Count: t.masters, Least: t.size, Rules: []string{"CAP-18"}, Infra: t.infra, Note: "tier " + t.name},
		{Role: site.Worker, Count: 0, Rules: []string{"CAP-18"}, Note: "by what runs on `global` besides the platform"},
	}
	if t.masters > p.masters {
		c.note("PAR-30", "the installer takes 1 or 3 control planes: install %d, add %d later", p.masters, t.masters-p.masters)
	}
	for _, next := range p.tiers {
		if next.clusters > c.WorkloadClusters && next.clusters > t.clusters {
			c.Growth = append(c.Growth, GrowthStep{Clusters: next.clusters, Text: fmt.Sprintf("tier %s: %d × %s (CAP-18)", next.name, next.masters, next.size)})
		}
	}
}

// finish applies what holds for every scenario.
func (c *CapacityPlan) finish(l limits) {
	for i := range c.Nodes {
		n := &c.Nodes[i]
		if c.Architecture == "arm64" && n.Least != (Size{}) {
			n.Least, n.Advised = n.Least.percent(l.arm.least), maxSize(n.Least.percent(l.arm.advised), n.Advised.percent(l.arm.least))
			n.Rules = append(n.Rules, "ARM-01")
		}
		c.Cores += n.Count * n.Least.Cores
		c.Memory += n.Count * n.Least.Memory
	}
	for _, d := range l.disks {
		if c.Scenario != site.SingleNode || d.role != site.Worker {
			c.Disks = append(c.Disks, DiskPlan{d.path, d.role, d.least, d.advised})
		}
	}
	c.note("EXE-04", "the first control plane needs %d GB free where the package is unpacked", l.freeGB)
	if c.Production {
		c.note("CAP-15", "keep %d %% of CPU and memory free for bursts", l.plan.reserve)
		c.note("CAP-17", "etcd on NVMe, on a device of its own")
	}
}

func maxSize(a, b Size) Size { return Size{max(a.Cores, b.Cores), max(a.Memory, b.Memory)} }

func (c *CapacityPlan) note(rule, format string, args ...any) {
	c.Notes = append(c.Notes, rule+": "+fmt.Sprintf(format, args...))
}

func set[T comparable](to *T, value T) {
	var zero T
	if *to == zero {
		*to = value
	}
}
