package main

import (
	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/workflows"
)

const takeoverHelp = `--cluster names the side that becomes the primary.

Nothing that can't be taken back is done before other people than the one who started the run have approved it:
acpflow approve. Until then an abort puts everything back. The run tells how long it took, with and without waiting for
people, what is known of lost data, and what is owed to a side that was away: acpflow status, -o json.`

// newTakeoverCmd is newStartCmd for a book whose cluster nobody may leave to chance.
func newTakeoverCmd(book workflows.Runbook, use, short, example string) *cobra.Command {
	cmd := newStartCmd(book, use, short, example)
	if err := cmd.MarkFlagRequired("cluster"); err != nil {
		panic(err) // newStartCmd defines it
	}
	return cmd
}

func newSwitchoverCmd() *cobra.Command {
	cmd := newTakeoverCmd(workflows.SwitchoverBook, "switchover", "Make the standby the primary while both sides are alive (DR-40…DR-43)",
		`  acpflow plan switchover --site moscow --cluster east                 # every step, command and API call
  acpflow switchover --site moscow --cluster east --change CHG-1042    # east becomes the primary
  acpflow approve switchover/moscow/east --by "Anna Ivanova" --reason "window is open"`)
	cmd.Long = cmd.Short + ".\n\n" + takeoverHelp
	return cmd
}

func newFailoverCmd() *cobra.Command {
	cmd := newTakeoverCmd(workflows.FailoverBook, "failover", "Make the standby the primary when the old one is down (DR-02, DR-40…DR-43)",
		`  acpflow failover --site moscow --cluster east --change INC-7         # west is down, east becomes the primary
  acpflow approve failover/moscow/east --by "Anna Ivanova" --reason "west has no power, I was there"`)
	cmd.Long = cmd.Short + ".\n\nIt refuses while anything of the old side answers: then it is a switchover.\n\n" + takeoverHelp
	return cmd
}
