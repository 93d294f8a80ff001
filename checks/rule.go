package checks

import "github.com/acpflow/acpflow/site"

// Category says when a rule counts.
type Category string

// The document's two categories.
const (
	Must        Category = "must"        // always
	Conditional Category = "conditional" // when its condition holds
)

// Rule is one rule of the document about nodes.
type Rule struct {
	ID       string
	Title    string
	Source   string // heading of the document
	Category Category
	Want     string // what it demands, for a person; empty when that depends on the node
	Fix      string // what to do when it fails

	// One of the two: about one node, or about the nodes of a cluster together.
	judge  func(subject) verdict
	across func(names []string, nodes map[string]Shared) verdict
}

// subject is what a rule judges.
type subject struct {
	Facts
	cluster   *site.Cluster
	node      site.Node
	installer bool // the installer runs here (EXE-02)
	dr        bool // disaster recovery is planned
	edition   edition
}

// verdict is a Finding without what the rule itself says. Empty want and fix
// mean the rule's own.
type verdict struct {
	outcome      Outcome
	seen, reason string
	want, fix    string
}

func pass(seen string) verdict      { return verdict{outcome: Pass, seen: seen} }
func warn(seen string) verdict      { return verdict{outcome: Warn, seen: seen} }
func fail(seen string) verdict      { return verdict{outcome: Fail, seen: seen} }
func unknown(err error) verdict     { return verdict{outcome: Error, reason: err.Error()} }
func skipped(reason string) verdict { return verdict{outcome: Skipped, reason: reason} }

func (v verdict) withFix(fix string) verdict { v.fix = fix; return v }

// Headings of the document.
const (
	headScope    = "Prerequisites"
	headSystems  = "Supported OS and kernels"
	headKernel   = "Node preprocessing › OS and kernel"
	headUsers    = "Node preprocessing › Users and permissions"
	headNetwork  = "Node preprocessing › Node network"
	headSoftware = "Node preprocessing › Software and directories"
	headTogether = "Node preprocessing › Checks between nodes"
)

// Rules lists all rules, in the order of the document.
func Rules() []Rule {
	return []Rule{
		existingKubernetes, operatingSystem,
		ipvsModules, conntrackModules, ovnModules, confinement, swap,
		sudo, tasksMax,
		hostname, localhost, resolver, defaultRoute, ports, cniPorts,
		tools, kubeletUnit, tmpExec, leftovers,
		uniqueHostnames, sameTime,
	}
}
