package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/site"
)

func newChecksCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "checks", Short: "Explain the rules that nodes are checked by, and judge recorded facts again",
		Long: "Explain the rules that nodes are checked by, and judge recorded facts again.\nNothing here needs Temporal or a node.",
	}
	cmd.AddCommand(newChecksListCmd(), newChecksExplainCmd(), newChecksDiffCmd(), newChecksJudgeCmd(), newChecksCollectorCmd())
	return cmd
}

// newChecksCollectorCmd is for machines that no worker reaches.
func newChecksCollectorCmd() *cobra.Command {
	return &cobra.Command{
		Use: "collector", Short: "Print the script that reads a node's facts", Args: cobra.NoArgs,
		Long: "Print the script that reads a node's facts. It changes nothing; run it as root on a machine that no worker reaches,\n" +
			"and judge what it prints: the file's name is the node's.",
		Example: "  acpflow checks collector | ssh root@cp-1 bash -s > facts/cp-1.facts\n  acpflow checks judge --facts facts --site moscow.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write([]byte(checks.Collector()))
			return fail(exitCouldNot, err)
		},
	}
}

// profileFlag is --profile.
func profileFlag(cmd *cobra.Command, to *string, usage string) {
	cmd.Flags().StringVar(to, "profile", "", usage)
	if err := cmd.RegisterFlagCompletionFunc("profile", cobra.FixedCompletions(site.Profiles(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was defined a line above
	}
}

// knownProfile refuses a misspelt profile; an empty one is the caller's default.
func knownProfile(name string) error {
	if name == "" || slices.Contains(site.Profiles(), name) {
		return nil
	}
	return failf(exitBadInput, "there is no profile %q; there are: %s", name, strings.Join(site.Profiles(), ", "))
}

// completeRules offers rule ids with their titles to the shell.
func completeRules(_ *cobra.Command, given []string, prefix string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, r := range checks.Rules() {
		if strings.HasPrefix(r.ID, strings.ToUpper(prefix)) && !slices.Contains(given, r.ID) {
			out = append(out, cobra.CompletionWithDesc(r.ID, r.Title))
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeProfiles offers two profiles.
func completeProfiles(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(given) > 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.DeleteFunc(site.Profiles(), func(p string) bool { return slices.Contains(given, p) }), cobra.ShellCompDirectiveNoFileComp
}
