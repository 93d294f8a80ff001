package main

import (
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/site"
)

// ruleInfo is a rule in JSON.
type ruleInfo struct {
	ID        string            `json:"id"`
	Title     string            `json:"title"`
	Source    string            `json:"source"`  // heading of the document
	Subject   checks.Subject    `json:"subject"` // node, nodes, balancer, package, document or person
	Category  checks.Category   `json:"category"`
	Condition string            `json:"condition,omitempty"`
	Roles     []string          `json:"roles"` // empty = every node
	Profiles  []string          `json:"profiles"`
	Wanted    map[string]string `json:"wanted"` // by profile; "" = depends on the node
	Fix       string            `json:"fix,omitempty"`
	Conflict  string            `json:"conflict,omitempty"`
	Waivable  bool              `json:"waivable"`
	Judged    bool              `json:"judged"` // by acpflow checks judge
	JudgedBy  string            `json:"judgedBy,omitempty"`
}

func infoOf(r checks.Rule) ruleInfo {
	out := ruleInfo{
		ID: r.ID, Title: r.Title, Source: r.Source, Subject: r.Subject, Category: r.Category, Condition: r.Condition,
		Roles: slices.Concat([]string{}, r.Roles), Profiles: []string{}, Wanted: map[string]string{}, Fix: r.Fix, Conflict: r.Conflict,
		Waivable: r.Judged() && !r.Strict && slices.Contains(site.Waivable(), r.ID), Judged: r.Judged(), JudgedBy: r.JudgedBy,
	}
	for _, p := range site.Profiles() {
		if r.In(p) {
			out.Profiles = append(out.Profiles, p)
			out.Wanted[p] = r.Demand(p)
		}
	}
	return out
}

func newChecksListCmd() *cobra.Command {
	var out outputFlag
	var profile string
	var long bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the rules", Args: cobra.NoArgs,
		Example: "  acpflow checks list --profile acp-4.2\n  acpflow checks list -o json | jq '.[] | select(.subject == \"balancer\")'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			if err := knownProfile(profile); err != nil {
				return err
			}
			rules := []ruleInfo{}
			for _, r := range checks.Rules() {
				if profile == "" || r.In(profile) {
					rules = append(rules, infoOf(r))
				}
			}
			switch {
			case out.json():
				return fail(exitCouldNot, printJSON(cmd.OutOrStdout(), rules))
			case long:
				return explainRules(cmd.OutOrStdout(), rules)
			}
			return printRules(cmd, rules)
		},
	}
	profileFlag(cmd, &profile, "only the rules of this profile (default: of all)")
	cmd.Flags().BoolVar(&long, "long", false, "everything about each rule, as explain tells it")
	out.register(cmd)
	return cmd
}

func printRules(cmd *cobra.Command, rules []ruleInfo) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	printf(w, "RULE\tCATEGORY\tABOUT\tROLES\tPROFILES\tTITLE\n")
	for _, r := range rules {
		printf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Category, r.Subject, orAll(r.Roles, "every"), profilesText(r), r.Title)
	}
	return fail(exitCouldNot, w.Flush())
}

func orAll(list []string, all string) string {
	if len(list) == 0 {
		return all
	}
	return strings.Join(list, ", ")
}

func profilesText(r ruleInfo) string {
	if len(r.Profiles) == len(site.Profiles()) {
		return "all"
	}
	return orAll(r.Profiles, "none")
}
