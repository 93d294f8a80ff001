package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/internal/sitestore"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

func newPlanCmd() *cobra.Command {
	var out outputFlag
	var siteArg, cluster string
	verbs := make([]string, len(workflows.Books))
	for i, b := range workflows.Books {
		verbs[i] = b.Verb
	}
	cmd := &cobra.Command{
		Use: "plan RUNBOOK --site FILE|NAME", Short: "Print the steps of a runbook, with the very commands and API calls, and do nothing",
		Args: cobra.ExactArgs(1), ValidArgs: verbs,
		Example: "  acpflow plan install --site sites/moscow.yaml --cluster west",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			book, ok := workflows.BookNamed(args[0])
			if !ok {
				return failf(exitBadInput, "there is no runbook %q; there are: %s", args[0], strings.Join(verbs, ", "))
			}
			snapshot, err := loadSite(siteArg)
			if err != nil {
				return err
			}
			plan, err := workflows.PlanOf(book, snapshot, cluster)
			if err != nil {
				return fail(exitBadInput, err)
			}
			if out.json() {
				return printJSON(cmd.OutOrStdout(), struct {
					workflows.Plan
					CriticalPath workflows.CriticalPath `json:"criticalPath"`
				}{plan, plan.CriticalPath()})
			}
			printPlan(cmd, plan)
			return nil
		},
	}
	cmd.Flags().StringVar(&siteArg, "site", "", "site document, or a name in ACPFLOW_SITES_DIR")
	cmd.Flags().StringVar(&cluster, "cluster", "", "name of the cluster; may be left out when the site has one")
	out.register(cmd)
	if err := cmd.MarkFlagRequired("site"); err != nil {
		panic(err) // the flag was defined above
	}
	return cmd
}

// loadSite reads a site by file name or by its name in the site store. A plan
// needs no secret, so none is resolved: the worker does that.
func loadSite(arg string) (site.Snapshot, error) {
	cfg, err := loadSettings()
	if err != nil {
		return site.Snapshot{}, err
	}
	file := arg
	if site.IsLabel(arg) {
		file = filepath.Join(cfg.SitesDir, arg+".yaml")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return site.Snapshot{}, failf(exitBadInput, "read site: %w. Fix: name a site document, or a site in ACPFLOW_SITES_DIR (%s)", err, cfg.SitesDir)
	}
	doc, problems := sitestore.CheckForm(file, data, time.Now())
	if err := problems.Err(); err != nil {
		return site.Snapshot{}, fail(exitBadInput, err)
	}
	snapshot, err := site.NewSnapshot(doc)
	return snapshot, fail(exitBadInput, err)
}

func printPlan(cmd *cobra.Command, plan workflows.Plan) {
	w := cmd.OutOrStdout()
	printf(w, "%s of cluster %s, site %s (document %.12s), plan %.12s\n", plan.Runbook, plan.Cluster, plan.Site, plan.SiteSHA256, plan.Digest())
	for _, s := range plan.Steps {
		printf(w, "\n%s%-26s [%s] %s (%s)\n", besideMark(s), s.ID, s.Effect, s.Title, strings.Join(append(s.Source, stepNotes(s)...), ", "))
		for _, call := range s.Calls {
			printf(w, "    %s\n", call)
		}
	}
	path := plan.CriticalPath()
	var waits []string
	for _, s := range plan.Steps {
		if s.Waits > 0 && slices.Contains(path.Steps, s.ID) {
			waits = append(waits, fmt.Sprintf("%s %s", s.ID, seconds(s.Waits)))
		}
	}
	if len(waits) > 0 {
		printf(w, "\ncritical path: %s of waiting by design, besides the work: %s\n", seconds(path.Seconds), strings.Join(waits, ", "))
	}
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond)
}

// stepNotes are what a person should know of a step besides what it does.
func stepNotes(s workflows.StepInfo) []string {
	var notes []string
	switch {
	case s.Always:
		notes = append(notes, "undone on abort, also after the point of no return")
	case s.Reversible:
		notes = append(notes, "undone on abort")
	}
	if s.Skippable {
		notes = append(notes, "may be skipped")
	}
	switch {
	case s.Approval && s.Strict:
		notes = append(notes, "others must approve it (policy.approvals)")
	case s.Approval:
		notes = append(notes, "may ask before it acts")
	}
	if s.Beside != "" {
		notes = append(notes, "side by side ("+s.Beside+")")
	}
	if s.Waits > 0 {
		notes = append(notes, fmt.Sprintf("waits %s", seconds(s.Waits)))
	}
	if s.PointOfNoReturn {
		notes = append(notes, "POINT OF NO RETURN")
	}
	return notes
}
