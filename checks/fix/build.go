package fix

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/site"
)

// Input is what is known of one node.
type Input struct {
	Site     site.Site
	Cluster  string
	Node     string
	Facts    checks.Facts     // of the node
	Findings []checks.Finding // the node's, and those about the cluster
	Survey   Survey
	Zone     string // time zone all nodes shall have; empty = leave it
}

// draft is a plan in the making. A later fix of a file builds on what an
// earlier one makes of it.
type draft struct {
	Input
	cluster *site.Cluster
	node    site.Node
	broken  map[string]checks.Finding // failed or warned of, by rule
	reasons map[string]string         // why a rule is left to a person
	files   map[string]string         // new content by path
	plan    Plan
}

// Build plans the repairs of a node. Only what a finding complains about is
// touched: a rule that passed, was skipped or waived is left alone, and so is
// one that could not be told. It fails when the node is not in the document.
func Build(in Input) (Plan, error) {
	cluster, ok := in.Site.Cluster(in.Cluster)
	if !ok {
		return Plan{}, fmt.Errorf("the site document has no cluster %q", in.Cluster)
	}
	i := slices.IndexFunc(cluster.Nodes, func(n site.Node) bool { return n.Name == in.Node })
	if i < 0 {
		return Plan{}, fmt.Errorf("cluster %s has no node %q", cluster.Name, in.Node)
	}
	in.Survey.files = maps.Clone(in.Survey.files) // real adds to it
	d := &draft{
		Input: in, cluster: cluster, node: cluster.Nodes[i],
		broken: map[string]checks.Finding{}, reasons: map[string]string{}, files: map[string]string{},
	}
	for _, f := range in.Findings {
		if f.Outcome == checks.Fail || f.Outcome == checks.Warn {
			d.broken[f.Rule] = f
		}
	}
	if why := checks.PlatformOn(in.Findings); why != "" { // a wrong site document would stop a live cluster
		d.plan.Platform = "acpflow repairs no node with Kubernetes. " + why
		for _, f := range in.Findings { // whatever it is: to mend a live node is a person's decision
			d.leave(d.plan.Platform, f.Rule)
		}
	} else {
		for _, build := range builders {
			build(d)
		}
	}
	d.leaveTheRest()
	return d.plan, nil
}

// builders in the order the fixes are done. Temporary ones of a file come after
// lasting ones, so that they can be taken back alone.
var builders = []func(*draft){
	fixModules, fixSwap, fixFirewalls, fixAppArmor, fixSELinux, fixBoot,
	fixUseDNS, fixUsePAM, fixTasksMax,
	fixHostname, fixLocalhost, fixResolver,
	fixKubeletUnit, fixTmp, fixLeftovers, fixBinaries,
	fixZone, fixClock,
}

// judged is the input of the checks about this node.
func (d *draft) judged() checks.Input {
	return checks.Input{Site: d.Site, Cluster: d.Cluster, Node: d.Node, Facts: d.Facts}
}

// need returns those of the rules that are broken.
func (d *draft) need(rules ...string) []string {
	var out []string
	for _, r := range rules {
		if _, ok := d.broken[r]; ok {
			out = append(out, r)
		}
	}
	return out
}

// leave notes why no fix of a rule is possible here.
func (d *draft) leave(reason string, rules ...string) {
	for _, r := range rules {
		d.reasons[r] = reason
	}
}

// add puts a fix into the plan, unless it would do nothing.
func (d *draft) add(f Fix) {
	if len(f.Changes) > 0 || f.Reboot {
		d.plan.Fixes = append(d.plan.Fixes, f)
	}
}

// content is what a file will hold once the fixes so far are done; a file that
// is not there is empty. ok is false when it can't be edited.
func (d *draft) content(path string) (text, print string, ok bool) {
	e := d.Survey.files[path]
	if text, changed := d.files[path]; changed {
		return text, sum(text), true
	}
	switch {
	case e.print == Absent:
		return "", Absent, true
	case e.print == "" || e.long || len(e.print) != 64 || strings.ContainsRune(e.content, 0):
		return "", "", false // not surveyed, too long, no regular file
	}
	return e.content, e.print, true
}

// real follows a link to the file that is to be edited.
func (d *draft) real(path string) string {
	e, known := d.Survey.files[path]
	if !known || !strings.HasPrefix(e.print, "link:") || e.real == "" || e.long {
		return path
	}
	if _, known := d.Survey.files[e.real]; !known {
		e.print = sum(e.content)
		d.Survey.files[e.real] = entry{real: e.real, print: e.print, content: e.content}
	}
	return e.real
}

// edit plans new content of a file; nil when it has it already or can't be
// edited, which it then notes for the rules.
func (d *draft) edit(path string, to func(old string) string, rules ...string) []Change {
	path = d.real(path)
	old, print, ok := d.content(path)
	if !ok {
		d.leave(path+" is no file that can be edited (too long, or not text)", rules...)
		return nil
	}
	text := to(old)
	if text == old {
		return nil
	}
	d.files[path] = text
	return []Change{{Kind: File, Path: path, Before: print, Content: text, Mode: "0644"}}
}

// leaveTheRest lists every failure that no fix mends.
func (d *draft) leaveTheRest() {
	mended := map[string]bool{}
	for _, f := range d.plan.Fixes {
		for _, r := range f.Rules {
			mended[r] = true
		}
	}
	for _, f := range d.Findings {
		_, told := d.reasons[f.Rule]
		if !f.Blocking() && (!told || f.Outcome != checks.Warn) || mended[f.Rule] && !told {
			continue
		}
		reason := d.reasons[f.Rule]
		switch {
		case reason != "":
		case f.Outcome == checks.Error:
			reason = "it could not be told, so nothing is touched"
		case strings.HasPrefix(f.Rule, "RM-") || f.Rule == "CHK-24":
			reason = "packages are removed only after a person has seen what runs on them"
		default:
			reason = "acpflow has no repair for it"
		}
		d.plan.Left = append(d.plan.Left, Left{Rule: f.Rule, Seen: f.Said(), Fix: f.Fix, Reason: reason})
	}
}

// paths lists the surveyed file and the drop-ins beside it, in the order that counts.
func (d *draft) paths(main string) []string {
	out := []string{}
	for path, e := range d.Survey.files {
		if strings.HasPrefix(path, main+".d/") && e.print != Absent {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return append([]string{main}, out...)
}
