// Command acpflow starts runbooks, watches them and answers their questions.
// One file per command; what a runbook does is in workflows/.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/internal/secret"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := newRootCmd().ExecuteContext(ctx)
	if err != nil && err.Error() != "" {
		fmt.Fprintln(os.Stderr, "acpflow:", secret.Redact(err.Error()))
	}
	os.Exit(exitCode(err)) //nolint:gocritic // stop only restores signals, the process ends here
}

const rootHelp = `acpflow installs ACP global clusters and carries them through disaster, as durable Temporal workflows.

The Temporal connection comes from TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE … or a profile of temporal.toml (TEMPORAL_PROFILE).

Exit codes: 0 done · 1 the run or the verdict failed · 2 bad input · 3 could not run · 4 a person must decide
            5 aborted or cancelled · 6 another run changes the site · 7 the wait ended, the run goes on`

func newRootCmd() *cobra.Command {
	root := &cobra.Command{
		Use:           "acpflow",
		Short:         "Install and protect ACP global clusters with durable runbooks",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
	}
	root.AddCommand(
		newPreflightCmd(), newInstallCmd(), newAddArchitectureCmd(), newInstallPairCmd(), newEnableSyncCmd(), newMergeKeysCmd(), newPushCmd(),
		newCheckCmd(), newMonitorCmd(),
		newSwitchoverCmd(), newFailoverCmd(), newReprotectCmd(), newDrillCmd(),
		newPlanCmd(), newStatusCmd(), newWatchCmd(), newListCmd(),
		newDecideCmd(), newApproveCmd(), newAbortCmd(),
		newSiteCmd(), newChecksCmd(), newFactsCmd(), newCapacityCmd(), newInstallerConfigCmd(),
	)
	return root
}
