package main

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/factstore"
	"github.com/acpflow/acpflow/site"
)

const judgeHelp = `Judge recorded facts: the verdict of acpflow preflight again, without Temporal and without the nodes.

Waivers count as on the day the facts were judged first. With --profile the same nodes are judged by the rules of
another edition of the product: what would an upgrade of the plan take?

Exit codes: 0 fit for an install · 1 not fit · 2 bad input · 3 the report could not be written`

func newChecksJudgeCmd() *cobra.Command {
	var facts, siteArg, cluster, profile string
	var out reportFlags
	cmd := &cobra.Command{
		Use: "judge --facts DIR --site FILE|NAME", Short: "Judge recorded facts again, offline", Long: judgeHelp, Args: cobra.NoArgs,
		Example: "  acpflow checks judge --facts facts --site sites/moscow.yaml\n  acpflow checks judge --facts facts --site sites/moscow.yaml --profile acp-4.3 --out report.html",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			snapshot, err := loadSite(siteArg)
			if err != nil {
				return err
			}
			record, err := factstore.Load(facts)
			if err != nil {
				return fail(exitBadInput, err)
			}
			verdict, err := judge(cmd, snapshot.Site, cluster, profile, record)
			if err != nil {
				return err
			}
			return out.write(cmd, verdict)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&facts, "facts", "", "folder of facts, from acpflow preflight --save-facts or acpflow facts")
	siteFlags(cmd, &siteArg, &cluster)
	profileFlag(cmd, &profile, "judge by this profile (default: the site document's)")
	out.register(cmd)
	for _, name := range []string{"facts", "site"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag was defined above
		}
	}
	if err := cmd.MarkFlagDirname("facts"); err != nil {
		panic(err)
	}
	return cmd
}

// siteFlags are --site and --cluster of commands that read the document themselves.
func siteFlags(cmd *cobra.Command, siteArg, cluster *string) {
	cmd.Flags().StringVar(siteArg, "site", "", "site document, or a name in ACPFLOW_SITES_DIR")
	cmd.Flags().StringVar(cluster, "cluster", "", "name of the cluster; may be left out when the site has one")
}

// judge makes the verdict on a record; an empty profile is the document's.
func judge(cmd *cobra.Command, s site.Site, cluster, profile string, r checks.Record) (checks.Report, error) {
	c, err := clusterOf(&s, cluster)
	if err != nil {
		return checks.Report{}, err
	}
	if err := knownProfile(profile); err != nil {
		return checks.Report{}, err
	}
	if profile != "" {
		s.Profile = profile
	}
	if r.Judged.IsZero() { // collected by hand
		r.Judged = time.Now()
	}
	var strangers []string
	for _, n := range r.Nodes {
		if !slices.ContainsFunc(c.Nodes, func(doc site.Node) bool { return doc.Name == n.Node }) {
			strangers = append(strangers, n.Node)
		}
	}
	if len(strangers) > 0 {
		printf(cmd.ErrOrStderr(), "acpflow: passed over, no nodes of cluster %s: %s\n", c.Name, printable(strings.Join(strangers, ", ")))
	}
	return checks.JudgeRecord(s, c.Name, r), nil
}

// clusterOf finds a cluster of the document, "" being its only one.
func clusterOf(s *site.Site, name string) (*site.Cluster, error) {
	if c, ok := s.Cluster(name); ok {
		return c, nil
	}
	names := make([]string, len(s.Clusters))
	for i, c := range s.Clusters {
		names[i] = c.Name
	}
	return nil, failf(exitBadInput, "site %s has no cluster %q. Fix: name one of: %s", s.Name, name, strings.Join(names, ", "))
}
