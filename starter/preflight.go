package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/factstore"
	"github.com/acpflow/acpflow/workflows"
)

const preflightHelp = `Check the nodes of a cluster against the document, and show every finding.

It only reads: one collector per node, short-lived listeners for the network between the nodes and the load balancer.
The report comes from the run's history; --save-facts keeps what was read, for acpflow checks judge.

--fix repairs what can be repaired, then checks again in a run of its own: init.sh of the package first, then own
repairs, each with a backup. With --dry-run it stops after its plan and shows every change as a diff; nothing is
changed. Packages are removed and nodes rebooted only after an approval. Nodes with Kubernetes are left alone.

--undo takes own repairs back, and what init.sh changed below /etc. It does not bring back removed packages, nor what
init.sh did to the running system (swap, kernel settings and modules, stopped services) or outside of /etc.

Exit codes: 0 fit for an install · 1 not fit · 2 bad input · 3 could not run, or not to its end
            and of a run that changes nodes also 4 to 7, as every runbook`

type preflightFlags struct {
	start   startFlags
	out     reportFlags
	facts   string
	noProbe bool
	fix     bool
	undo    bool
	dryRun  bool
}

func newPreflightCmd() *cobra.Command {
	var f preflightFlags
	cmd := &cobra.Command{
		Use: "preflight", Short: "Check the nodes of a cluster, change nothing; --fix repairs them", Long: preflightHelp, Args: cobra.NoArgs,
		Example: `  acpflow preflight --site moscow --cluster west
  acpflow preflight --site moscow --out report.html --save-facts facts
  acpflow preflight --site moscow --fix --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return withTemporal(func(cmd *cobra.Command, _ []string, c client.Client) error { return f.run(cmd, c) })(cmd, args)
		},
	}
	f.start.register(cmd, true)
	f.out.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.facts, "save-facts", "", "folder for what was read, new or empty")
	flags.BoolVar(&f.noProbe, "no-probe", false, "leave out the network between the nodes and the load balancer")
	flags.BoolVar(&f.fix, "fix", false, "repair what can be repaired, then check again")
	flags.BoolVar(&f.undo, "undo", false, "take the repairs of --fix back, as far as they can be")
	flags.BoolVar(&f.dryRun, "dry-run", false, "with --fix: show the changes and do none")
	cmd.MarkFlagsMutuallyExclusive("fix", "undo")
	return cmd
}

// check refuses flags that don't go together, before anything is begun.
func (f *preflightFlags) check() error {
	if err := f.out.check(); err != nil {
		return err
	}
	switch {
	case f.dryRun && !f.fix:
		return failf(exitBadInput, "--dry-run goes with --fix: a preflight changes nothing anyway")
	case f.facts != "" && !f.start.wait:
		return failf(exitBadInput, "--save-facts needs --wait. Fix: acpflow facts writes them when the run has ended")
	case f.out.file != "" && !f.start.wait:
		return failf(exitBadInput, "--out needs --wait: there is no report before the run has ended")
	case (f.undo || f.dryRun) && (f.facts != "" || f.out.file != ""):
		return failf(exitBadInput, "--save-facts and --out don't go with --undo and --dry-run, which end without a verdict")
	case f.facts != "":
		return fail(exitBadInput, factstore.Check(f.facts))
	}
	return nil
}

func (f *preflightFlags) run(cmd *cobra.Command, c client.Client) error {
	f.start.request.SkipProbes, f.start.request.DryRun = f.noProbe, f.dryRun
	switch {
	case f.undo:
		return f.change(cmd, c, "undo-fix")
	case f.fix:
		if err := f.change(cmd, c, "fix"); err != nil || f.dryRun || !f.start.wait {
			return err
		}
	}
	return f.read(cmd, c)
}

// change does a runbook that changes nodes; nil means that it did its work.
func (f *preflightFlags) change(cmd *cobra.Command, c client.Client, verb string) error {
	book, ok := workflows.BookNamed(verb)
	if !ok {
		return failf(exitCouldNot, "this acpflow has no runbook %q", verb)
	}
	if f.dryRun { // has nothing to ask a person about
		f.start.request.OnFailure = workflows.OnFailureAbort
	}
	run, err := f.start.begin(cmd, c, book)
	if err != nil {
		return err
	}
	if !f.start.wait {
		return started(cmd, run, f.out.format == "json")
	}
	end := follow(cmd, c, run.GetID(), followOptions{aside: true, limit: f.start.limit, stopAtGate: true})
	err = unlessNotFit(end)
	if err == nil && f.dryRun {
		err = f.showPlan(cmd, c, run)
		if err == nil {
			err = end // of nodes that could not be read there is no plan
		}
	}
	return err
}

// read checks the nodes. A run that changes nothing has nothing to ask a person
// about: it ends when a step can't be done.
func (f *preflightFlags) read(cmd *cobra.Command, c client.Client) error {
	f.start.request.OnFailure = workflows.OnFailureAbort
	run, err := f.start.begin(cmd, c, workflows.PreflightBook)
	if err != nil {
		return err
	}
	if !f.start.wait {
		return started(cmd, run, f.out.format == "json")
	}
	err = follow(cmd, c, run.GetID(), followOptions{aside: true, limit: f.start.limit, stopAtGate: true})
	if code := exitCode(err); code == exitWaitEnded || code == exitBadInput {
		return err
	}
	return f.result(cmd, c, run, err)
}

// result shows what the run read; ended is how it ended.
func (f *preflightFlags) result(cmd *cobra.Command, c client.Client, run client.WorkflowRun, ended error) error {
	found, err := recordOf(cmd.Context(), c, run.GetID(), run.GetRunID())
	if err != nil {
		if broken := unlessNotFit(ended); broken != nil { // which is why there is nothing to show
			return failf(exitCouldNot, "%w", broken)
		}
		return err
	}
	if f.facts != "" {
		if err := saveFacts(cmd, f.facts, found); err != nil {
			return err
		}
	}
	verdict := checks.JudgeRecord(found.snapshot.Site, found.cluster, found.record)
	return verdictOf(f.out.write(cmd, verdict), ended)
}

// verdictOf is the end of a preflight: what was shown here, unless the run
// ended otherwise.
func verdictOf(shown, ended error) error {
	if broken := unlessNotFit(ended); broken != nil {
		return failf(exitCouldNot, "the check did not come to its end: %w", broken)
	}
	if shown == nil && ended != nil { // the worker has other rules than this program
		return failf(exitFailed, "the worker's verdict is another: %w. Fix: use the worker's version of acpflow, it counts", ended)
	}
	return shown
}

// unlessNotFit drops the error of a run that did its work and found faults.
func unlessNotFit(err error) error {
	if errors.Is(err, errNotFit) {
		return nil
	}
	return err
}

// showPlan prints what the steps of a dry run say: the changes they would do.
func (f *preflightFlags) showPlan(cmd *cobra.Command, c client.Client, run client.WorkflowRun) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), callTimeout)
	defer cancel()
	var p workflows.Progress
	if err := run.Get(ctx, &p); err != nil {
		return explain(ctx, c, run.GetID(), err)
	}
	if f.out.format == "json" {
		return fail(exitCouldNot, printJSON(cmd.OutOrStdout(), p.Steps))
	}
	printSteps(cmd.OutOrStdout(), p.Steps)
	return nil
}

func printSteps(w io.Writer, steps []workflows.StepProgress) {
	for _, s := range steps {
		printf(w, "%-9s %s  %s%s\n", s.State, s.ID, s.Title, outcomeOf(s))
		if s.Evidence != nil {
			printEvidence(w, s.Evidence)
		}
	}
}

// printEvidence shows the diffs of a plan, one fact each, or else the tail; and
// what no repair mends.
func printEvidence(w io.Writer, e *activities.Evidence) {
	diffs := 0
	for _, name := range slices.Sorted(maps.Keys(e.Facts)) {
		if text := e.Facts[name]; strings.Contains(text, "\n") {
			diffs++
			title, diff, _ := strings.Cut(text, "\n")
			printf(w, "\n  %s: %s\n", printable(name), printable(title))
			printIndented(w, diff)
		}
	}
	if diffs == 0 {
		printIndented(w, e.Tail)
	}
	for _, f := range e.Findings {
		printf(w, "  left to a person: %s %s on %s: %s. Fix: %s\n", f.Rule, f.Outcome, orEvery(f.Node), printable(f.Said()), printable(f.Fix))
	}
}

func printIndented(w io.Writer, text string) {
	for line := range strings.Lines(strings.ReplaceAll(text, "\t", "        ")) {
		printf(w, "    %s\n", printable(strings.TrimSuffix(line, "\n")))
	}
}
