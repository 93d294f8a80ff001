package main

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/internal/sitestore"
	"github.com/acpflow/acpflow/site"
)

func newSiteCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "site", Short: "Check site documents, print their schema, write an example"}
	cmd.AddCommand(newSiteValidateCmd(), newSiteRulesCmd(), newSiteSchemaCmd(), newSiteInitCmd())
	return cmd
}

// siteVerdict is the result of validating one document.
type siteVerdict struct {
	File     string       `json:"file"`
	OK       bool         `json:"ok"` // no errors; warnings are allowed
	Site     string       `json:"site,omitempty"`
	SHA256   string       `json:"sha256,omitempty"` // of the document with its defaults, as runs record it
	Errors   int          `json:"errors"`
	Warnings int          `json:"warnings"`
	Issues   []site.Issue `json:"issues"`
}

func newSiteValidateCmd() *cobra.Command {
	var out outputFlag
	var noMaterial bool
	cmd := &cobra.Command{
		Use: "validate FILE…", Short: "Judge site documents by every rule, and list all problems at once",
		Long: "Judge site documents by every rule, and list all problems at once. FILE - is standard input.\n" +
			"References to secrets and the certificate are read on this machine; --no-material leaves them out,\n" +
			"for a machine that does not have them.",
		Example: "  acpflow site validate sites/*.yaml\n  acpflow site validate --no-material -o json moscow.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			check := sitestore.Check
			if noMaterial {
				check = sitestore.CheckForm
			}
			verdicts := make([]siteVerdict, 0, len(args))
			for _, file := range args {
				data, err := readDocument(cmd.InOrStdin(), file)
				if err != nil {
					return fail(exitCouldNot, err)
				}
				s, problems := check(file, data, time.Now())
				v, err := verdictOn(file, s, problems)
				if err != nil {
					return fail(exitFailed, err)
				}
				verdicts = append(verdicts, v)
				if !out.json() {
					printVerdict(cmd.OutOrStdout(), v, problems)
				}
			}
			if out.json() {
				if err := printJSON(cmd.OutOrStdout(), verdicts); err != nil {
					return fail(exitCouldNot, err)
				}
			}
			return countBad(verdicts)
		},
	}
	out.register(cmd)
	cmd.Flags().BoolVar(&noMaterial, "no-material", false, "do not read secrets and certificate")
	return cmd
}

// verdictOn sums up what was found in one document.
func verdictOn(file string, s *site.Site, p site.Problems) (siteVerdict, error) {
	v := siteVerdict{File: file, OK: p.Err() == nil, Errors: p.Errors(), Warnings: p.Warnings(), Issues: p.Issues}
	if v.Issues == nil {
		v.Issues = []site.Issue{} // a list in JSON, never null
	}
	if !v.OK {
		return v, nil
	}
	snapshot, err := site.NewSnapshot(s)
	v.Site, v.SHA256 = snapshot.Name, snapshot.SHA256
	return v, err
}

func printVerdict(w io.Writer, v siteVerdict, problems site.Problems) {
	if len(v.Issues) > 0 {
		printf(w, "%s\n", problems.Error())
	}
	if v.OK {
		printf(w, "%s: site %s can be used, document %.12s\n", v.File, v.Site, v.SHA256)
	}
}

// countBad is the verdict over all documents, as exit code.
func countBad(verdicts []siteVerdict) error {
	bad := 0
	for _, v := range verdicts {
		if !v.OK {
			bad++
		}
	}
	if bad == 0 {
		return nil
	}
	return failf(exitBadInput, "%d of %d site documents can't be used", bad, len(verdicts))
}

// readDocument reads a file, or standard input for "-".
func readDocument(stdin io.Reader, file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(io.LimitReader(stdin, site.MaxDocument+1))
	}
	return os.ReadFile(file)
}

func newSiteRulesCmd() *cobra.Command {
	var out outputFlag
	cmd := &cobra.Command{
		Use: "rules", Short: "List the rules that site documents are judged by",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			if out.json() {
				return fail(exitCouldNot, printJSON(cmd.OutOrStdout(), site.Rules()))
			}
			for _, r := range site.Rules() {
				printf(cmd.OutOrStdout(), "%-7s %s (%s)\n", r.ID, r.Title, r.Source)
			}
			return nil
		},
	}
	out.register(cmd)
	return cmd
}

func newSiteSchemaCmd() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of site documents, for editors",
		Example: "  acpflow site schema > site.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			schema, err := site.Schema()
			if err != nil {
				return fail(exitFailed, err)
			}
			_, err = cmd.OutOrStdout().Write(schema)
			return fail(exitCouldNot, err)
		},
	}
}

func newSiteInitCmd() *cobra.Command {
	var dr bool
	var file string
	cmd := &cobra.Command{
		Use: "init", Short: "Print a commented example of a site document, or write it to a file",
		Example: "  acpflow site init --dr --output moscow.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			example := site.Example()
			if dr {
				example = site.ExampleDR()
			}
			if file == "" {
				_, err := cmd.OutOrStdout().Write(example)
				return fail(exitCouldNot, err)
			}
			return writeNew(file, example)
		},
	}
	cmd.Flags().BoolVar(&dr, "dr", false, "two clusters that protect each other")
	cmd.Flags().StringVar(&file, "output", "", "file to write, must not exist; default standard output")
	return cmd
}

// writeNew never overwrites: a site document is somebody's work.
func writeNew(file string, data []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	switch {
	case errors.Is(err, os.ErrExist):
		return failf(exitBadInput, "%s exists already; choose another file or remove it", file)
	case err != nil:
		return fail(exitCouldNot, err)
	}
	_, err = f.Write(data)
	return fail(exitCouldNot, errors.Join(err, f.Close()))
}
