package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/site"
)

func newChecksExplainCmd() *cobra.Command {
	var out outputFlag
	cmd := &cobra.Command{
		Use: "explain RULE…", Short: "Tell everything about rules: what they want, in which profile, and how to mend it",
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: completeRules,
		Example: "  acpflow checks explain CHK-07\n  acpflow checks explain CHK-13 CHK-25 -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			var rules []ruleInfo
			for _, id := range args {
				r, err := ruleNamed(id)
				if err != nil {
					return err
				}
				rules = append(rules, infoOf(r))
			}
			if out.json() {
				return fail(exitCouldNot, printJSON(cmd.OutOrStdout(), rules))
			}
			return explainRules(cmd.OutOrStdout(), rules)
		},
	}
	out.register(cmd)
	return cmd
}

// ruleNamed finds a rule by its id in any case.
func ruleNamed(id string) (checks.Rule, error) {
	if r, ok := checks.RuleByID(strings.ToUpper(id)); ok {
		return r, nil
	}
	family, _, _ := strings.Cut(strings.ToUpper(id), "-")
	var near []string
	for _, r := range checks.Rules() {
		if strings.HasPrefix(r.ID, family+"-") {
			near = append(near, r.ID)
		}
	}
	if len(near) == 0 {
		return checks.Rule{}, failf(exitBadInput, "there is no rule %q. Fix: acpflow checks list names them", id)
	}
	return checks.Rule{}, failf(exitBadInput, "there is no rule %q; there are: %s", id, strings.Join(near, " "))
}

// subjects say what a rule is about.
var subjects = map[checks.Subject]string{
	checks.OneNode:  "one node",
	checks.AllNodes: "the nodes of a cluster together",
	checks.Balancer: "the load balancer, seen from outside and from the nodes",
	checks.Package:  "the Core Package",
	checks.Document: "the site document",
	checks.Person:   "a person: no machine can tell",
}

var categories = map[checks.Category]string{checks.Must: "must pass", checks.Conditional: "must pass when its condition holds, else it is skipped"}

func explainRules(w io.Writer, rules []ruleInfo) error {
	var b strings.Builder
	for i, r := range rules {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s  %s\n", r.ID, r.Title)
		for _, l := range linesOf(r) {
			for k, text := range strings.Split(l.text, "\n") {
				name := l.name
				if k > 0 {
					name = ""
				}
				fmt.Fprintf(&b, "  %-10s %s\n", name, text)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return fail(exitCouldNot, err)
}

type ruleLine struct{ name, text string }

func linesOf(r ruleInfo) []ruleLine {
	all := []ruleLine{
		{"about", subjects[r.Subject]},
		{"category", categories[r.Category]},
		{"condition", r.Condition},
		{"roles", orAll(r.Roles, "every node")},
		{"profiles", profilesText(r)},
		{"heading", r.Source},
	}
	all = append(all, wantedLines(r)...)
	all = append(all, ruleLine{"fix", r.Fix}, ruleLine{"conflict", r.Conflict}, ruleLine{"judged by", r.JudgedBy}, ruleLine{"waiver", waiverText(r)})
	var out []ruleLine
	for _, l := range all {
		if l.text != "" {
			out = append(out, l)
		}
	}
	return out
}

func waiverText(r ruleInfo) string {
	switch {
	case !r.Judged:
		return ""
	case r.Waivable:
		return "the site document may accept a failure: waivers: [{rule: " + r.ID + ", nodes: …, reason: …, author: …, expires: …}]"
	}
	return "none: this rule can't be waived"
}

// wantedLines state the demand once, or by profile where they differ.
func wantedLines(r ruleInfo) []ruleLine {
	distinct := map[string]bool{}
	for _, p := range r.Profiles {
		distinct[r.Wanted[p]] = true
	}
	if len(distinct) == 1 {
		return []ruleLine{{"wanted", wantedText(r, r.Profiles[0])}}
	}
	var out []ruleLine
	name := "wanted"
	for _, p := range r.Profiles {
		out = append(out, ruleLine{name, fmt.Sprintf("%-13s %s", p, wantedText(r, p))})
		name = ""
	}
	return out
}

func wantedText(r ruleInfo, profile string) string {
	if text := r.Wanted[profile]; text != "" || !r.Judged {
		return text
	}
	return "depends on the node; a finding tells it"
}

func newChecksDiffCmd() *cobra.Command {
	var out outputFlag
	cmd := &cobra.Command{
		Use: "diff PROFILE PROFILE", Short: "Show what two profiles demand differently",
		Args: cobra.ExactArgs(2), ValidArgsFunction: completeProfiles,
		Example: "  acpflow checks diff acp-4.1 acp-4.2",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			for _, p := range args {
				if p == "" {
					return failf(exitBadInput, "a profile's name is empty; there are: %s", strings.Join(site.Profiles(), ", "))
				}
				if err := knownProfile(p); err != nil {
					return err
				}
			}
			differences, err := checks.Diff(args[0], args[1])
			if err != nil {
				return fail(exitBadInput, err)
			}
			if out.json() {
				return fail(exitCouldNot, printJSON(cmd.OutOrStdout(), append([]checks.Difference{}, differences...)))
			}
			printDifferences(cmd.OutOrStdout(), args[0], args[1], differences)
			return nil
		},
	}
	out.register(cmd)
	return cmd
}

func printDifferences(w io.Writer, first, second string, differences []checks.Difference) {
	printf(w, "%s and %s state %d rules differently\n", first, second, len(differences))
	for _, d := range differences {
		r, _ := checks.RuleByID(d.Rule)
		printf(w, "\n%s  %s\n", d.Rule, d.Title)
		printf(w, "  %-13s %s\n", first, demandText(r, first, d.First))
		printf(w, "  %-13s %s\n", second, demandText(r, second, d.Second))
	}
}

func demandText(r checks.Rule, profile, text string) string {
	switch {
	case !r.In(profile):
		return "has no such rule"
	case text == "":
		return "depends on the node; a finding tells it"
	}
	return text
}
