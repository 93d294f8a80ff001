package checks

import (
	"slices"

	"github.com/acpflow/acpflow/site"
)

// Category says when a rule counts.
type Category string

// The document's two categories.
const (
	Must        Category = "must"        // always
	Conditional Category = "conditional" // when its condition holds
)

// Subject says what a rule is about, which is also where it is judged.
type Subject string

// The subjects. Only the first four are judged here.
const (
	OneNode  Subject = "node"     // one node's facts
	AllNodes Subject = "nodes"    // the nodes of a cluster together
	Balancer Subject = "balancer" // the load balancer, seen from outside and from the nodes
	Package  Subject = "package"  // the Core Package
	Document Subject = "document" // the site document alone: acpflow site validate
	Person   Subject = "person"   // no machine can tell: advice, or something to attest
)

// Rule is one rule of the document.
type Rule struct {
	ID        string
	Title     string
	Source    string // heading of the document
	Subject   Subject
	Category  Category
	Condition string   // of a conditional rule: when it counts, for a person
	Roles     []string // roles it is about: control-plane, worker, installer, storage; empty = every node
	Profiles  []string // editions that have the rule; empty = all
	Strict    bool     // can't be waived
	Want      string   // what it demands, for a person; empty when that depends on the profile: see Demand
	Fix       string   // what to do when it fails: an exact command or edit
	Conflict  string   // where the document contradicts itself here, and what acpflow does about it
	JudgedBy  string   // for a rule without a judgement of its own: where it is enforced

	// wants is Want where editions differ.
	wants func(edition) string

	// One of the two judges: about one node, or about the nodes of a cluster together.
	judge  func(subject) verdict
	across func(fleet) verdict
}

// Judged reports whether Judge or JudgeTogether have a finding for the rule.
func (r Rule) Judged() bool { return r.judge != nil || r.across != nil }

// In reports whether the edition has the rule.
func (r Rule) In(profile string) bool {
	return len(r.Profiles) == 0 || slices.Contains(r.Profiles, profile)
}

// subject is what a rule about one node judges.
type subject struct {
	Facts
	site      *site.Site
	cluster   *site.Cluster
	node      site.Node
	installer bool // the installer runs here (EXE-02)
	dr        bool // disaster recovery is planned
	edition   edition
}

// fleet is what a rule about all nodes of a cluster judges.
type fleet struct {
	site     *site.Site
	cluster  *site.Cluster
	edition  edition
	names    []string          // nodes that gave facts, in the document's order; each has an entry in shared
	shared   map[string]Shared // by node
	mesh     *Mesh             // nil: the nodes were not probed
	balancer *BalancerView     // nil: the load balancer was not probed
	unprobed string            // why probing was not wanted; "" = a missing view is an error
	pkg      *PackageView      // nil: the package was not inspected
}

// verdict is a Finding without what the rule itself says. Empty want and fix
// mean the rule's own.
type verdict struct {
	outcome      Outcome
	seen, reason string
	want, fix    string
	nodes        []string // across nodes: those that are at fault, for waivers
	attest       bool     // a warning of what no machine can tell: a waiver attests it
}

func pass(seen string) verdict      { return verdict{outcome: Pass, seen: seen} }
func warn(seen string) verdict      { return verdict{outcome: Warn, seen: seen} }
func fail(seen string) verdict      { return verdict{outcome: Fail, seen: seen} }
func unknown(err error) verdict     { return verdict{outcome: Error, reason: err.Error()} }
func skipped(reason string) verdict { return verdict{outcome: Skipped, reason: reason} }

// attest is a warning of what can't be proven from a node. A person may attest
// it with a waiver; it never passes.
func attest(seen string) verdict {
	return verdict{outcome: Warn, seen: seen, reason: "not provable from the node: attest it with a waiver of this rule", attest: true}
}

func (v verdict) withNodes(nodes ...string) verdict { v.nodes = nodes; return v }

func (v verdict) withFix(fix string) verdict { v.fix = fix; return v }

// Headings of the document.
const (
	headScope    = "Prerequisites"
	headCapacity = "Capacity planning"
	headMachines = "Machines"
	headWires    = "Network"
	headPackage  = "Core Package download"
	headPrepare  = "Node preprocessing"
	headRemoval  = "Node preprocessing › Removing conflicting packages"
	headSearch   = "Node preprocessing › Search domain"
	headExecute  = "Installation"
	headRecovery = "Global disaster recovery"
	headSystems  = "Supported OS and kernels"
	headKernel   = "Node preprocessing › OS and kernel"
	headUsers    = "Node preprocessing › Users and permissions"
	headNetwork  = "Node preprocessing › Node network"
	headSoftware = "Node preprocessing › Software and directories"
	headTogether = "Node preprocessing › Checks between nodes"
)

// Roles that rules name besides the site document's.
const (
	roleInstaller = "installer"
	roleStorage   = "storage"
)

var roleControl = []string{string(site.ControlPlane)}

// Rules lists all rules, in the order of the document. Each chapter stands in a
// file of its own.
func Rules() []Rule {
	return slices.Concat(
		rulesOfScope,
		rulesOfCapacity,
		rulesOfHardware,
		rulesOfARM,
		rulesOfSystems,
		rulesOfWires,
		rulesOfPackage,
		rulesOfPreparing,
		rulesOfKernel,
		rulesOfUsers,
		rulesOfNetwork,
		rulesOfSoftware,
		rulesTogether,
		rulesBetween,
		rulesOfBalancer,
		rulesOfRemoval,
		rulesOfSearch,
		rulesOfDisks,
		rulesElsewhere,
	)
}

// RuleByID finds a rule.
func RuleByID(id string) (Rule, bool) {
	rules := Rules()
	i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == id })
	if i < 0 {
		return Rule{}, false
	}
	return rules[i], true
}
