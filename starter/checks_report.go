package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/report"
)

// reportFlags choose how a verdict on nodes is shown.
type reportFlags struct {
	format string
	file   string
	all    bool
}

func (f *reportFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.format, "output", "o", "", "form of the report: "+strings.Join(report.Formats(), ", ")+" (default: by the name of --out, else table)")
	flags.StringVar(&f.file, "out", "", "file for the report; the table goes to standard output, too")
	flags.BoolVar(&f.all, "all", false, "in the table: also what passed or was skipped")
	if err := cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(report.Formats(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was defined above
	}
}

// endings tell the form of a report by its file's name.
var endings = map[string]report.Format{".json": report.JSON, ".html": report.HTML, ".htm": report.HTML, ".xml": report.JUnit}

// check completes the flags, before anything is begun.
func (f *reportFlags) check() error {
	if f.format == "" {
		f.format = string(report.Table)
		if by, ok := endings[strings.ToLower(filepath.Ext(f.file))]; ok {
			f.format = string(by)
		}
	}
	if !slices.Contains(report.Formats(), f.format) {
		return failf(exitBadInput, "-o %q is none of: %s", f.format, strings.Join(report.Formats(), ", "))
	}
	if f.file == "" {
		return nil
	}
	if info, err := os.Stat(filepath.Dir(f.file)); err != nil || !info.IsDir() {
		return failf(exitBadInput, "--out %s: there is no such folder", f.file)
	}
	return nil
}

// write shows the verdict; its error is exit code 1 when the nodes are not fit.
func (f *reportFlags) write(cmd *cobra.Command, r checks.Report) error {
	w := cmd.OutOrStdout()
	format := report.Format(f.format)
	if f.file != "" {
		var b bytes.Buffer
		if err := errors.Join(report.Write(&b, format, r, report.Options{All: f.all}), replaceFile(f.file, b.Bytes())); err != nil {
			return fail(exitCouldNot, err)
		}
		format = report.Table
	}
	if err := report.Write(w, format, r, f.options(w)); err != nil {
		return fail(exitCouldNot, err)
	}
	if f.file != "" {
		printf(cmd.ErrOrStderr(), "acpflow: report written to %s\n", f.file)
	}
	if !r.Blocking {
		return nil
	}
	return failf(exitFailed, "cluster %s is not fit for an install: %d checks failed, %d could not be told", r.Cluster, r.Tally.Fail, r.Tally.Error)
}

// options fit the table to a terminal; elsewhere it has no colours and long lines.
func (f *reportFlags) options(w any) report.Options {
	o := report.Options{All: f.all}
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return o
	}
	o.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(int(file.Fd())); err == nil {
		o.Width = width
	}
	return o
}

// replaceFile writes a file whole or not at all. What is there is replaced: a
// pipeline writes its report again and again.
func replaceFile(path string, data []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err != nil { // it has no secrets, and other users read reports
		return err
	}
	return os.Rename(tmp.Name(), path)
}
