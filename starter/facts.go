package main

import (
	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/acpflow/acpflow/internal/factstore"
)

const factsHelp = `Write what a run read of its nodes into a folder: one readable file per node, and what was seen between them.

The facts come from the run's history, so neither a worker nor the nodes are needed. acpflow checks judge judges them.
They tell about machines and networks, but hold no secrets; the folder is readable for its owner alone.`

func newFactsCmd() *cobra.Command {
	var dir, runID string
	cmd := &cobra.Command{
		Use: "facts RUN --out DIR", Short: "Write what a run read of its nodes into a folder", Long: factsHelp,
		Args: cobra.ExactArgs(1), ValidArgsFunction: completeAnyRun,
		Example: "  acpflow facts preflight/moscow/west --out facts",
		RunE: withTemporal(func(cmd *cobra.Command, args []string, c client.Client) error {
			if err := factstore.Check(dir); err != nil {
				return fail(exitBadInput, err)
			}
			found, err := recordOf(cmd.Context(), c, args[0], runID)
			if err != nil {
				return err
			}
			return saveFacts(cmd, dir, found)
		}),
	}
	cmd.Flags().StringVar(&dir, "out", "", "folder to write, new or empty")
	cmd.Flags().StringVar(&runID, "run-id", "", "one run of that workflow id (default: the latest)")
	if err := cmd.MarkFlagRequired("out"); err != nil {
		panic(err) // the flag was defined above
	}
	return cmd
}

func saveFacts(cmd *cobra.Command, dir string, found checked) error {
	if err := factstore.Save(dir, found.record); err != nil {
		return fail(exitBadInput, err)
	}
	printf(cmd.ErrOrStderr(), "acpflow: facts of %d nodes of cluster %s, site %s, written to %s\n", len(found.record.Nodes), found.cluster, found.snapshot.Name, dir)
	return nil
}
