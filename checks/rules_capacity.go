package checks

import (
	"fmt"

	"github.com/acpflow/acpflow/site"
)

var rulesOfCapacity = []Rule{
	singleNode, singleNodeUse, singleClusterUse, singleClusterSize, singleClusterWorkers, workersByPods, multiClusterUse,
	multiClusterSize, verticalGrowth, horizontalGrowth, growthTrigger, etcdAdvice, platformWorkers, zones,
	reserve, ownNetwork, etcdDevice, tiers, extensions, partitions,
}

func inScenario(name site.Scenario) string { return "the scenario is " + string(name) }

var singleNode = Rule{
	ID: "CAP-01", Title: "The machine is large enough for a single node", Source: headCapacity, Subject: OneNode, Category: Conditional,
	Condition: inScenario(site.SingleNode),
	wants:     func(e edition) string { return "at least " + e.limits.plan.single.String() + "; not for production" },
	Fix:       "give the machine more cores and memory",
	judge: func(s subject) verdict {
		if s.site.Scenario != site.SingleNode {
			return skipped(inScenario(s.site.Scenario))
		}
		return judgeSize(s, s.edition.limits.plan.single, Size{})
	},
}

// judgeSize compares a machine with what it must have at least, and should have.
func judgeSize(s subject, least, advised Size) verdict {
	have, err := s.size()
	if err != nil {
		return unknown(err)
	}
	v := pass(have.String())
	switch {
	case !have.reaches(least):
		v = fail(have.String())
	case !have.reaches(advised):
		v = warn(have.String())
	}
	v.want = least.String()
	if advised != (Size{}) {
		v.want += "; advised " + advised.String()
	}
	return v
}

// judgeControl leaves what the machine table demands to the rules about it.
func judgeControl(s subject, least, advised Size) verdict {
	v := judgeSize(s, least, advised)
	if v.outcome == Fail && s.edition.limits.machine.clock > 0 {
		return skipped("below the machine table already: see HW-02 and HW-03")
	}
	return v
}

var singleClusterSize = Rule{
	ID: "CAP-04", Title: "The control planes of a single cluster are large enough", Source: headCapacity, Subject: OneNode, Category: Conditional,
	Condition: inScenario(site.SingleCluster), Roles: roleControl,
	wants: func(e edition) string {
		p := e.limits.plan
		out := fmt.Sprintf("%d control planes of at least %s each, and what the applications need", p.masters, p.control)
		if p.controlAdvised != (Size{}) {
			out += "; advised " + p.controlAdvised.String()
		}
		return out
	},
	Fix: "give the machine more cores and memory",
	judge: func(s subject) verdict {
		if s.site.Scenario != site.SingleCluster {
			return skipped(inScenario(s.site.Scenario))
		}
		return judgeControl(s, s.edition.limits.plan.control, s.edition.limits.plan.controlAdvised)
	},
}

var singleClusterWorkers = Rule{
	ID: "CAP-05", Title: "A single cluster has no worker, or enough to lose one", Source: headCapacity, Subject: Document, Category: Conditional,
	Condition: inScenario(site.SingleCluster),
	wants: func(e edition) string {
		return fmt.Sprintf("no worker (applications share the control planes), or at least %d", e.limits.plan.workers)
	},
	Fix: "add a worker to the site document",
	across: func(f fleet) verdict {
		if f.site.Scenario != site.SingleCluster {
			return skipped(inScenario(f.site.Scenario))
		}
		n := f.workers()
		if n > 0 && n < f.edition.limits.plan.workers {
			return warn(fmt.Sprintf("%d worker", n))
		}
		return pass(fmt.Sprintf("%d workers", n))
	},
}

func (f fleet) workers() int {
	n := 0
	for _, node := range f.cluster.Nodes {
		if node.Role == site.Worker {
			n++
		}
	}
	return n
}

var workersByPods = Rule{
	ID: "CAP-06", Title: "A single cluster has a worker for each batch of Pods", Source: headCapacity, Subject: Document, Category: Conditional,
	Condition: inScenario(site.SingleCluster) + " and capacity.pods is set",
	wants: func(e edition) string {
		return fmt.Sprintf("one worker for each %d application Pods, and at least %d", e.limits.plan.podsPerWorker, e.limits.plan.workers)
	},
	Fix: "add workers to the site document",
	across: func(f fleet) verdict {
		pods := f.site.Capacity.Pods
		switch {
		case f.site.Scenario != site.SingleCluster:
			return skipped(inScenario(f.site.Scenario))
		case pods == 0:
			return skipped("capacity.pods is not set")
		}
		seen := fmt.Sprintf("%d workers for %d Pods", f.workers(), pods)
		if f.workers() < f.edition.limits.plan.workersFor(pods) {
			return warn(seen)
		}
		return pass(seen)
	},
}

var multiClusterSize = Rule{
	ID: "CAP-08", Title: "The machines of a multi cluster are large enough", Source: headCapacity, Subject: OneNode, Category: Conditional,
	Condition: inScenario(site.MultiCluster), Profiles: []string{seed}, Conflict: conflictFive,
	wants: func(e edition) string {
		p := e.limits.plan
		return fmt.Sprintf("%d or 5 control planes of at least %s (advised %s), at least %d workers of %s (advised %s)",
			p.masters, p.control, p.controlAdvisedMany, p.workers, p.worker, p.workerAdvised)
	},
	Fix: "give the machine more cores and memory",
	judge: func(s subject) verdict {
		p := s.edition.limits.plan
		switch {
		case s.site.Scenario != site.MultiCluster:
			return skipped(inScenario(s.site.Scenario))
		case s.node.Role == site.ControlPlane:
			return judgeControl(s, p.control, p.controlAdvisedMany)
		}
		return judgeSize(s, p.worker, p.workerAdvised)
	},
}

var horizontalGrowth = Rule{
	ID: "CAP-10", Title: "The cluster grows with what it manages", Source: headCapacity, Subject: AllNodes, Category: Conditional,
	Condition: inScenario(site.MultiCluster) + " and capacity.workloadClusters is set", Profiles: []string{seed},
	wants: func(e edition) string {
		p := e.limits.plan
		return fmt.Sprintf("%d %% more compute than the first plan for each %d attached clusters", p.percentPerStep, p.clustersPerStep)
	},
	Fix: "add nodes, or larger ones",
	across: func(f fleet) verdict {
		p, clusters := f.edition.limits.plan, f.site.Capacity.WorkloadClusters
		switch {
		case f.site.Scenario != site.MultiCluster:
			return skipped(inScenario(f.site.Scenario))
		case clusters == 0:
			return skipped("capacity.workloadClusters is not set")
		}
		first := Size{p.masters*p.control.Cores + p.workers*p.worker.Cores, p.masters*p.control.Memory + p.workers*p.worker.Memory}
		var have measured
		for _, n := range f.names {
			s := f.shared[n]
			if s.Cores == 0 || s.Memory == 0 {
				return unknown(fmt.Errorf("%s did not tell its size", n))
			}
			have.cores += s.Cores
			have.bytes += s.Memory
		}
		v := pass(have.String())
		want := first.percent(p.growth(clusters))
		if !have.reaches(want) {
			v = warn(have.String())
		}
		v.want = fmt.Sprintf("%s in all, for %d clusters", want, clusters)
		return v
	},
}

var tiers = Rule{
	ID: "CAP-18", Title: "The control planes are of the tier that manages so many clusters", Source: headCapacity, Subject: OneNode, Category: Conditional,
	Condition: inScenario(site.MultiCluster), Roles: roleControl, Profiles: later,
	wants: func(e edition) string {
		out := ""
		for _, t := range e.limits.plan.tiers {
			out += fmt.Sprintf("up to %d clusters %d × %s; ", t.clusters, t.masters, t.size)
		}
		return out + "50 % more for each 50 clusters beyond"
	},
	Fix: "give the machine more cores and memory",
	judge: func(s subject) verdict {
		p, clusters := s.edition.limits.plan, s.site.Capacity.WorkloadClusters
		if s.site.Scenario != site.MultiCluster {
			return skipped(inScenario(s.site.Scenario))
		}
		v := judgeSize(s, p.tierOf(clusters).size, Size{})
		if _, ok := p.tierFor(clusters); !ok && v.outcome == Pass {
			return attest(fmt.Sprintf("%s; %d clusters are beyond the document's table", v.seen, clusters))
		}
		return v
	},
}
