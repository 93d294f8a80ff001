package checks

import (
	"fmt"

	"github.com/acpflow/acpflow/site"
)

// Rules that no node can answer: the site document does, another rule does, or
// a person has to.

const (
	bySite   = "acpflow site validate"
	byPerson = "a person: no machine can tell"
)

// Where the document contradicts itself.
const (
	conflictFive = "The capacity chapter allows 3 or 5 control planes (CAP-08), the installer takes 1 or 3 (PAR-30). " +
		"acpflow accepts 5 in a plan, installs 1 or 3, and leaves the others to be added later."
	conflictContainerd = "CHK-25 demands that /var/lib/containerd does not exist, CAP-20 wants a partition mounted there. " +
		"acpflow lets an empty mount point be."
	conflictStub = "CHK-13 forbids name servers that begin with 172 and advises to disable systemd-resolved, whose own stub is 127.0.0.53 " +
		"and not forbidden. acpflow fails the first and warns of the second, because Pods can't reach it."
	conflictVIP = "NET-01 says that the installer can set up haproxy and keepalived, the parameters (PAR-04) know keepalived alone. " +
		"acpflow counts on keepalived only: there is no load balancing without a load balancer."
	conflictOrder = "The overview names the standby's install before the copy of the encryption key (DR-11), the procedure copies the key first (DR-21). " +
		"acpflow copies it before."
)

func advice(id, title, source, want string) Rule {
	return Rule{ID: id, Title: title, Source: source, Subject: Person, Category: Must, Want: want, JudgedBy: byPerson}
}

func ofDocument(id, title, source, want string) Rule {
	return Rule{ID: id, Title: title, Source: source, Subject: Document, Category: Must, Want: want, JudgedBy: bySite}
}

func when(r Rule, condition string) Rule {
	r.Category, r.Condition = Conditional, condition
	return r
}

var (
	planFirst = advice("GEN-03", "Planning and preparation end before the install begins", headScope,
		"a capacity plan and passed checks; acpflow lets no install begin before")
	drFirst = ofDocument("GEN-05", "Disaster recovery is decided before the install", headScope, "dr.planned says so: it changes parameters of the install")

	singleNodeUse = when(Rule{
		ID: "CAP-02", Title: "A single node runs a demonstration only", Source: headCapacity, Subject: Document, Category: Must,
		wants: func(e edition) string {
			return fmt.Sprintf("at most %d Pods of applications; no growth, no high availability", e.limits.plan.singlePods)
		},
		JudgedBy: "acpflow capacity",
	}, inScenario(site.SingleNode))
	singleClusterUse = when(advice("CAP-03", "A single cluster runs the platform and the applications", headCapacity,
		"no further workload clusters"), inScenario(site.SingleCluster))
	multiClusterUse = when(advice("CAP-07", "A multi cluster grows with what it manages", headCapacity,
		"control planes and workers on separate machines"), inScenario(site.MultiCluster))
	verticalGrowth = when(Rule{
		ID: "CAP-09", Title: "Machines grow in steps", Source: headCapacity, Subject: Person, Category: Must, Profiles: []string{seed},
		wants: func(e edition) string {
			out := "steps of"
			for i, s := range e.limits.plan.steps {
				if i > 0 {
					out += ","
				}
				out += " " + s.String()
			}
			return out
		},
		JudgedBy: "acpflow capacity",
	}, inScenario(site.MultiCluster))
	growthTrigger = when(advice("CAP-11", "A busy platform is enlarged", headCapacity,
		"growth when CPU or memory is used above 70 % for long"), inScenario(site.MultiCluster))
	etcdAdvice = when(advice("CAP-12", "etcd is encrypted and saved", headCapacity, "TLS between the members, snapshots at fixed times"),
		inScenario(site.MultiCluster))
	platformWorkers = when(advice("CAP-13", "Critical components have workers of their own", headCapacity, "workers for the platform's components alone"),
		inScenario(site.MultiCluster))
	zones = when(advice("CAP-14", "Workers are spread over failure domains", headCapacity, "several zones, workers in at least 2 physical failure domains"),
		inScenario(site.MultiCluster))
	reserve = Rule{
		ID: "CAP-15", Title: "Resources are kept free for bursts", Source: headCapacity, Subject: Person, Category: Must,
		wants: func(e edition) string {
			return fmt.Sprintf("at least %d %% of CPU and memory free", e.limits.plan.reserve)
		},
		JudgedBy: byPerson,
	}
	ownNetwork = advice("CAP-16", "The cluster has a network of its own", headCapacity, "a VPC or VLAN of its own with at least 1 Gbit/s")
	etcdDevice = advice("CAP-17", "etcd has a device of its own", headCapacity, "an NVMe SSD, apart from what applications write to")
	extensions = Rule{
		ID: "CAP-19", Title: "The numbers are for the platform alone", Source: headCapacity, Subject: Person, Category: Must, Profiles: later,
		Want: "more than these numbers where extensions will run", JudgedBy: byPerson,
	}
)

var (
	networkFirst = Rule{
		ID: "NET-01", Title: "The network's resources are there before the install", Source: headWires, Subject: Document, Category: Must,
		wants: func(e edition) string {
			if e.limits.plan.tiers == nil {
				return "a hardware load balancer; else one that the installer sets up (haproxy, keepalived), slower and harder to look after"
			}
			return "a hardware load balancer; else a self-built VIP (keepalived), which supports no domain name"
		},
		JudgedBy: bySite, Conflict: conflictVIP,
	}
	virtualIP  = ofDocument("NET-02", "The cluster has a VIP", headWires, "one address of the load balancer, by which nodes reach kube-apiserver")
	externalIP = when(ofDocument("NET-03", "The cluster has an external address", headWires, "an address of the load balancer that other networks reach"),
		"workload clusters live in other networks")
	domainName = Rule{
		ID: "NET-04", Title: "The platform has a domain name", Source: headWires, Subject: Document, Category: Conditional,
		Condition: "users come over IPv6, or disaster recovery is planned",
		wants: func(e edition) string {
			if e.limits.plan.tiers == nil {
				return "a name that resolves; optional without the condition"
			}
			return "a name that resolves; recommended without the condition, so that the VIP can change; not with a self-built VIP"
		},
		JudgedBy: bySite,
	}
	certificate   = ofDocument("NET-05", "The certificate is trusted", headWires, "a certificate of a trusted authority; else browsers warn")
	moreAddresses = ofDocument("NET-06", "All addresses of the platform are prepared", headWires, "internal and external names before the install, or added later")

	packageSource   = advice("PKG-01", "The package comes from the vendor's portal", headPackage, "a registered account")
	extensionsLater = advice("PKG-02", "Extensions come after the platform", headPackage, "no extension is uploaded before the install is complete")
)

var rulesOfPreparing = []Rule{
	{
		ID: "PRE-01", Title: "Every node is prepared", Source: headPrepare, Subject: AllNodes, Category: Must,
		Want: "control planes and workers alike", JudgedBy: "every rule about one node runs on every node",
	},
	{
		ID: "PRE-02", Title: "init.sh of the package ran on every node", Source: headPrepare, Subject: Person, Category: Must,
		Want: "res/init.sh, as root", JudgedBy: "acpflow preflight --fix, which runs it first",
	},
	{
		ID: "PRE-03", Title: "Checks run again after init.sh", Source: headPrepare, Subject: Person, Category: Must,
		Want: "all checks after it: init.sh does not do everything", JudgedBy: "acpflow preflight --fix, which checks again",
	},
	{
		ID: "PRE-04", Title: "Checks count by the role of the node", Source: headPrepare, Subject: AllNodes, Category: Must,
		Want: "the rules of the node's role; conditional ones where their condition holds", JudgedBy: "the roles and conditions of the rules",
	},
}

// rulesElsewhere are rules of other chapters on which editions or chapters differ.
var rulesElsewhere = []Rule{
	{
		ID: "GEN-07", Title: "The network plugin is one that the edition knows", Source: headScope, Subject: Document, Category: Must,
		wants: func(e edition) string {
			if e.calico {
				return "kube-ovn, or calico (setup.sh --network-mode calico)"
			}
			return "kube-ovn"
		},
		JudgedBy: bySite,
	},
	{
		ID: "CLN-01", Title: "The installer removes itself", Source: headExecute, Subject: Person, Category: Must,
		wants: func(e edition) string {
			return "within 30 minutes after the install; else " + e.command + " rm -f minialauda-control-plane on its node"
		},
		JudgedBy: "acpflow install, which waits for it",
	},
	{
		ID: "PAR-01", Title: "The Kubernetes version is one that the edition offers", Source: headExecute, Subject: Document, Category: Must,
		wants: func(e edition) string {
			if e.kubernetes == "" {
				return "not published yet"
			}
			return e.kubernetes
		},
		JudgedBy: bySite,
	},
	{
		ID: "PAR-30", Title: "The installer takes 1 or 3 control planes", Source: headExecute, Subject: Document, Category: Must,
		Want: "1 or 3", JudgedBy: bySite, Conflict: conflictFive,
	},
	{
		ID: "DR-11", Title: "The pair is set up in order", Source: headRecovery, Subject: Person, Category: Conditional,
		Condition: "disaster recovery is planned", Want: "the encryption key is on the standby's control planes before its install", JudgedBy: "acpflow",
		Conflict: conflictOrder,
	},
}
