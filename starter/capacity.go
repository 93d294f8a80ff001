package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/factstore"
	"github.com/acpflow/acpflow/site"
)

const capacityHelp = `Plan how many machines of what size a platform takes, by the document's chapter on capacity.

With --site the plan is that of a site document, beside the nodes that it has; with --facts these are judged, too.
Flags win over the document.`

type capacityFlags struct {
	out            outputFlag
	in             checks.CapacityInput
	scenario       string
	site, cluster  string
	facts          string
	given          func(flag string) bool
	hybrid         bool
	controls, work int // nodes of the document
}

// capacityAnswer is the plan in JSON, and what there is.
type capacityAnswer struct {
	checks.CapacityPlan
	Have     *capacityNodes   `json:"have,omitempty"`     // with --site
	Findings []checks.Finding `json:"findings,omitempty"` // with --facts: the rules about the size of machines
}

type capacityNodes struct {
	ControlPlanes int `json:"controlPlanes"`
	Workers       int `json:"workers"`
}

func newCapacityCmd() *cobra.Command {
	var f capacityFlags
	cmd := &cobra.Command{
		Use: "capacity", Short: "Plan how many machines of what size a platform takes", Long: capacityHelp, Args: cobra.NoArgs,
		Example: "  acpflow capacity --scenario multi-cluster --workload-clusters 30\n  acpflow capacity --site sites/moscow.yaml --facts facts",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.out.check(); err != nil {
				return err
			}
			f.given = cmd.Flags().Changed
			return f.run(cmd)
		},
	}
	flags := cmd.Flags()
	scenarios := []string{string(site.SingleNode), string(site.SingleCluster), string(site.MultiCluster)}
	flags.StringVar(&f.scenario, "scenario", string(site.MultiCluster), strings.Join(scenarios, ", "))
	flags.IntVar(&f.in.WorkloadClusters, "workload-clusters", 0, "clusters to be attached (multi-cluster)")
	flags.IntVar(&f.in.Pods, "pods", 0, "application Pods on global itself (single-cluster)")
	flags.StringVar(&f.in.Architecture, "arch", "amd64", "amd64 or arm64")
	siteFlags(cmd, &f.site, &f.cluster)
	flags.StringVar(&f.facts, "facts", "", "folder of facts, to judge the nodes of --site")
	profileFlag(cmd, &f.in.Profile, "edition of the document (default: the site's, else "+site.DefaultProfile+")")
	for flag, values := range map[string][]string{"scenario": scenarios, "arch": {"amd64", "arm64"}} {
		if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic(err) // the flag was defined above
		}
	}
	f.out.register(cmd)
	return cmd
}

func (f *capacityFlags) run(cmd *cobra.Command) error {
	f.in.Scenario = site.Scenario(f.scenario)
	if err := knownProfile(f.in.Profile); err != nil {
		return err
	}
	var answer capacityAnswer
	if f.facts != "" && f.site == "" {
		return failf(exitBadInput, "--facts needs --site: the document says what the nodes are for")
	}
	if f.site != "" {
		var err error
		if answer.Findings, err = f.fromSite(cmd); err != nil {
			return err
		}
		answer.Have = &capacityNodes{f.controls, f.work}
	}
	plan, err := checks.PlanCapacity(f.in)
	if err != nil {
		return fail(exitBadInput, err)
	}
	answer.CapacityPlan = plan
	if f.out.json() {
		err = printJSON(cmd.OutOrStdout(), answer)
	} else {
		err = printCapacity(cmd.OutOrStdout(), answer)
	}
	if err != nil {
		return fail(exitCouldNot, err)
	}
	if f.hybrid {
		printf(cmd.ErrOrStderr(), "acpflow: the site's package is for both architectures; this plan is for %s nodes, see --arch\n", f.in.Architecture)
	}
	if t := checks.Count(answer.Findings); f.facts != "" && t.Blocking() {
		return failf(exitFailed, "the machines are not as the document wants them: %d checks failed, %d could not be told", t.Fail, t.Error)
	}
	return nil
}

// fromSite takes what no flag says from the document, and judges its nodes.
func (f *capacityFlags) fromSite(cmd *cobra.Command) ([]checks.Finding, error) {
	snapshot, err := loadSite(f.site)
	if err != nil {
		return nil, err
	}
	s := snapshot.Site
	c, err := clusterOf(&s, f.cluster)
	if err != nil {
		return nil, err
	}
	f.hybrid = s.Package.Architecture == "hybrid" && !f.given("arch")
	for flag, take := range map[string]func(){
		"scenario":          func() { f.in.Scenario = s.Scenario },
		"workload-clusters": func() { f.in.WorkloadClusters = s.Capacity.WorkloadClusters },
		"pods":              func() { f.in.Pods = s.Capacity.Pods },
		"profile":           func() { f.in.Profile = s.Profile },
		"arch": func() {
			if s.Package.Architecture == "arm64" {
				f.in.Architecture = "arm64"
			}
		},
	} {
		if !f.given(flag) {
			take()
		}
	}
	for _, n := range c.Nodes {
		if n.Role == site.ControlPlane {
			f.controls++
		} else {
			f.work++
		}
	}
	if f.facts == "" {
		return nil, nil
	}
	record, err := factstore.Load(f.facts)
	if err != nil {
		return nil, fail(exitBadInput, err)
	}
	s.Scenario, s.Capacity = f.in.Scenario, site.Capacity{WorkloadClusters: f.in.WorkloadClusters, Pods: f.in.Pods}
	verdict, err := judge(cmd, s, c.Name, f.in.Profile, record)
	return slices.DeleteFunc(verdict.Findings, func(f checks.Finding) bool { return !aboutSize(f.Rule) }), err
}

// aboutSize picks the rules of capacity planning and of machines.
func aboutSize(rule string) bool {
	family, _, _ := strings.Cut(rule, "-")
	return slices.Contains([]string{"CAP", "HW", "ARM"}, family)
}

func printCapacity(out io.Writer, a capacityAnswer) error {
	printf(out, "Capacity of %s, %s, %s\n", a.Scenario, a.Architecture, a.Profile)
	if a.WorkloadClusters > 0 {
		printf(out, "for %d workload clusters\n", a.WorkloadClusters)
	}
	if a.Pods > 0 {
		printf(out, "for %d application Pods\n", a.Pods)
	}
	if !a.Production {
		printf(out, "NOT for production\n")
	}
	printf(out, "\n")
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	printf(w, "NODES\tROLE\tEACH AT LEAST\tADVISED\tRULES\tNOTE\n")
	for _, n := range a.Nodes {
		note := n.Note
		if n.Infra {
			note = strings.TrimPrefix(note+"; dedicated infrastructure nodes, too", "; ")
		}
		printf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", n.Count, n.Role, sizeText(n.Least), sizeText(n.Advised), strings.Join(n.Rules, ", "), note)
	}
	for i, d := range a.Disks {
		if i == 0 {
			printf(w, "\nDISK\tROLE\tAT LEAST\tADVISED\n")
		}
		printf(w, "%s\t%s\t%d GB\t%d GB\n", d.Path, orEvery(string(d.Role)), d.Least, d.Advised)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	printf(out, "\ntogether at least %d cores, %d GB\n", a.Cores, a.Memory)
	if h := a.Have; h != nil {
		printf(out, "the site document has %d control planes and %d workers\n", h.ControlPlanes, h.Workers)
	}
	for i, g := range a.Growth {
		if i == 0 {
			printf(out, "\ngrowth\n")
		}
		printf(out, "  %s\n", growthText(g))
	}
	for i, n := range a.Notes {
		if i == 0 {
			printf(out, "\nnotes\n")
		}
		printf(out, "  %s\n", n)
	}
	return printSizes(out, a.Findings)
}

func printSizes(out io.Writer, findings []checks.Finding) error {
	if len(findings) == 0 {
		return nil
	}
	printf(out, "\nthe nodes\n")
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, f := range findings {
		printf(w, "  %s\t%s\t%s\t%s\t%s\n", orEvery(f.Node), f.Outcome, f.Rule, f.Title, printable(strings.TrimSpace(f.Seen+" "+f.Reason)))
	}
	return w.Flush()
}

func growthText(g checks.GrowthStep) string {
	switch {
	case g.Clusters > 0:
		return fmt.Sprintf("%d clusters: %s", g.Clusters, g.Text)
	case g.Pods > 0:
		return fmt.Sprintf("%d Pods: %s", g.Pods, g.Text)
	}
	return g.Text
}

func sizeText(s checks.Size) string {
	if s == (checks.Size{}) {
		return "-"
	}
	return s.String()
}

func orEvery(s string) string {
	if s == "" {
		return "all"
	}
	return s
}
