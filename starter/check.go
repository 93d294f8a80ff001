package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/report"
	"github.com/acpflow/acpflow/workflows"
)

const checkHelp = `Check a disaster recovery pair: both sides against one another, the synchronizer's own check, and acpflow's own proof that
the standby's etcd holds what the primary's holds.

Who is primary is observed. It changes nothing but what the site document allows: a canary (dr.sync.canary), and the
recreation of the synchronizer's Pod where keys are missed (dr.sync.repairs). Surplus or different keys are never repaired.

Exit codes: 0 consistent · 1 not consistent, or the check did not come to its end · 2 bad input · 3 could not run
            7 --wait-timeout passed`

type checkFlags struct {
	start startFlags
	form  string
	all   bool
}

func newCheckCmd() *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use: "check", Short: "Check a disaster recovery pair and show its card", Long: checkHelp, Args: cobra.NoArgs,
		Example: `  acpflow check --site moscow
  acpflow check --site moscow --full -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkForm(f.form); err != nil {
				return err
			}
			return withTemporal(func(cmd *cobra.Command, _ []string, c client.Client) error { return f.run(cmd, c) })(cmd, args)
		},
	}
	f.start.register(cmd, true)
	for _, name := range []string{"cluster", "on-failure"} { // roles are observed, and nobody is asked
		if err := cmd.Flags().MarkHidden(name); err != nil {
			panic(err) // register defines it
		}
	}
	cmd.Flags().BoolVar(&f.start.request.Full, "full", false, "compare every key and read everything, whatever was read lately")
	registerForm(cmd, &f.form)
	cmd.Flags().BoolVar(&f.all, "all", false, "in the table: also what passed or was skipped")
	return cmd
}

// forms of a card and of a monitor's status.
var forms = []string{"table", "json"}

func registerForm(cmd *cobra.Command, form *string) {
	cmd.Flags().StringVarP(form, "output", "o", "table", "form of the output: table or json")
	if err := cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(forms, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was defined above
	}
}

func checkForm(form string) error {
	if !slices.Contains(forms, form) {
		return failf(exitBadInput, "-o %q is none of: %s", form, strings.Join(forms, ", "))
	}
	return nil
}

func (f *checkFlags) run(cmd *cobra.Command, c client.Client) error {
	if f.start.request.Cluster != "" {
		return failf(exitBadInput, "--cluster does not go with check: who is primary is observed")
	}
	f.start.request.OnFailure = workflows.OnFailureAbort
	run, err := f.start.begin(cmd, c, workflows.CheckSyncBook)
	if err != nil {
		return err
	}
	if !f.start.wait {
		return started(cmd, run, f.form == "json")
	}
	end := follow(cmd, c, run.GetID(), followOptions{json: f.form == "json", aside: true, limit: f.start.limit, stopAtGate: true})
	if f.form == "json" || end != nil && !errors.Is(end, errNotEqual) {
		return end
	}
	p, err := progressOf(cmd.Context(), c, run)
	if err != nil {
		return err
	}
	if err := writeCard(cmd.OutOrStdout(), p, (&reportFlags{all: f.all}).options(cmd.OutOrStdout())); err != nil {
		return fail(exitCouldNot, err)
	}
	return end
}

// progressOf reads the result of a run that has ended.
func progressOf(ctx context.Context, c client.Client, run client.WorkflowRun) (*workflows.Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var p workflows.Progress
	if err := run.Get(ctx, &p); err != nil {
		return nil, explain(ctx, c, run.GetID(), err)
	}
	return &p, nil
}

// writeCard shows the verdict of a check: the findings as a table, then how far
// both sides are known to have been equal.
func writeCard(w io.Writer, p *workflows.Progress, o report.Options) error {
	v := p.Sync
	if v == nil {
		return fmt.Errorf("run of %s has no verdict", p.Request.Site)
	}
	r := checks.Report{Site: p.Request.Site, Judged: p.Started, Tally: v.Tally, Blocking: v.Blocking}
	if p.Ended != nil {
		r.Judged = *p.Ended
	}
	for _, f := range v.Findings {
		r.Findings = append(r.Findings, pair.Full(f))
	}
	about := func(f checks.Finding) int { return min(len(f.Node), 1) }
	slices.SortStableFunc(r.Findings, func(a, b checks.Finding) int { return about(a) - about(b) }) // the pair, then its sides
	o.Head, o.Whole = fmt.Sprintf("Pair of site %s: %s", p.Request.Site, v.Summary), "the pair"
	if err := report.Write(w, report.Table, r, o); err != nil {
		return err
	}
	writeProof(w, v, o.All)
	if v.Lately {
		printf(w, "keys, certificates, clocks, ports and the inventory were read at %s; acpflow check --full reads them again\n", v.Deep.Local().Format("15:04:05"))
	}
	return nil
}

// writeProof shows what the proof found of each resource, and in full what it left out.
func writeProof(w io.Writer, v *workflows.SyncVerdict, all bool) {
	for _, r := range v.Resources {
		printf(w, "  %-40s %d missed, %d surplus, %d different\n", r.Resource, r.Missed, r.Surplus, r.Different)
	}
	if len(v.Ignored) > 0 && !all {
		printf(w, "%d classes of keys are not compared, each for a reason: acpflow check --all names them\n", len(v.Ignored))
		return
	}
	for _, g := range v.Ignored {
		printf(w, "  not compared: %s (%d and %d keys): %s\n", g.Name, g.Primary, g.Standby, g.Reason)
	}
}
