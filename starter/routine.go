package main

import (
	"hash/fnv"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

// routine is a runbook that a Temporal Schedule starts again and again for a
// site: the monitor's checks, the drills.
type routine struct {
	command  string                              // what a person types: "monitor"
	noun     string                              // what it is called: "monitor"
	one      string                              // what it starts: "check"
	prefix   string                              // of the schedule's id: "monitor/"
	book     workflows.Runbook                   // what it starts
	interval func(*site.Site) time.Duration      // how often the site document wants it
	setting  string                              // where it says so
	late     time.Duration                       // how late one may start after Temporal was away
	key      string                              // what -o json calls the schedule
	fill     func(*routineStatus, string, []ran) // and where its status has that and the runs
}

func (r *routine) id(site string) string { return r.prefix + site }

// commands are the verbs of a routine.
func (r *routine) commands() []*cobra.Command {
	return []*cobra.Command{r.newStartCmd(), r.newStopCmd(), r.newPauseCmd(true), r.newPauseCmd(false), r.newStatusCmd()}
}

// routineFlags are what every verb takes, and who types it.
type routineFlags struct {
	*routine
	site string
	form string
	by   string
}

// newCmd is one verb of the routine of a site.
func (f *routineFlags) newCmd(use, short string, run func(cmd *cobra.Command, c client.Client) error) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, args []string) error {
		if err := checkForm(f.form); err != nil {
			return err
		}
		if !site.IsLabel(f.site) {
			return failf(exitBadInput, "--site %q is not a site name (lower-case letters, digits and \"-\")", f.site)
		}
		cfg, err := loadSettings()
		if err != nil {
			return err
		}
		f.by = cfg.RequestedBy
		return withTemporal(func(cmd *cobra.Command, _ []string, c client.Client) error { return run(cmd, c) })(cmd, args)
	}}
	cmd.Flags().StringVar(&f.site, "site", "", "name of the site in the worker's site store")
	if err := cmd.MarkFlagRequired("site"); err != nil {
		panic(err) // the flag was defined above
	}
	registerForm(cmd, &f.form)
	return cmd
}

// every is the flag's interval, or the site document's.
func (f *routineFlags) every(flag time.Duration) (time.Duration, error) {
	if flag != 0 {
		if flag < site.MinCheckEvery {
			return 0, failf(exitBadInput, "--every %s is less than %s", flag, site.MinCheckEvery)
		}
		return flag, nil
	}
	snapshot, err := loadSite(f.site)
	if err != nil {
		return 0, failf(exitBadInput, "the site document does not tell how often to %s: %w. Fix: give --every, or set ACPFLOW_SITES_DIR", f.one, err)
	}
	return f.interval(&snapshot.Site), nil
}

// options are the whole schedule. Sites begin at another moment of the interval
// each, so that many don't start at once.
func (f *routineFlags) options(every time.Duration) client.ScheduleOptions {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(f.site)) // never fails
	offset := time.Duration(hash.Sum64()%uint64(every/time.Second)) * time.Second
	request := workflows.Request{Site: f.site, RequestedBy: f.noun + " of " + orNone(f.by), OnFailure: workflows.OnFailureAbort}
	return client.ScheduleOptions{
		ID:   f.id(f.site),
		Spec: client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every, Offset: offset}}},
		Action: &client.ScheduleWorkflowAction{
			ID:                    workflows.RunID(f.book.Verb, f.site, ""), // Temporal adds the time
			Workflow:              f.book.Name,
			Args:                  []any{request},
			TaskQueue:             workflows.TaskQueue,
			TypedSearchAttributes: workflows.StartAttributes(f.book, f.site),
		},
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: f.late,
		Note:          "started by " + orNone(f.by),
	}
}

func (f *routineFlags) failed(verb string, err error) error {
	if isNotFound(err) {
		return failf(exitBadInput, "site %s has no %s. Fix: acpflow %s start --site %s", f.site, f.noun, f.command, f.site)
	}
	return failf(exitCouldNot, "%s %s: %w", f.noun, verb, err)
}

// say tells a person or a pipeline what was done.
func (f *routineFlags) say(cmd *cobra.Command, text string) error {
	if f.form != "json" {
		printf(cmd.OutOrStdout(), "%s\n", text)
		return nil
	}
	return printJSON(cmd.OutOrStdout(), map[string]string{f.key: f.id(f.site), "result": text})
}
