package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/internal/installer"
	"github.com/acpflow/acpflow/internal/sitestore"
)

const installerConfigHelp = `Print the JSON that an install posts to the vendor's installer, field by field and byte by byte.

Secrets are masked, and then none is read: it works where they are out of reach. With --reveal-secrets they are
resolved here (env:, file:) and printed; keep that output out of logs. What the configuration relies on without the
vendor's interface being known there is said on standard error.`

func newInstallerConfigCmd() *cobra.Command {
	var file, cluster string
	var reveal bool
	cmd := &cobra.Command{
		Use: "installer-config --site FILE", Short: "Print the configuration that an install posts to the vendor's installer",
		Long:    installerConfigHelp,
		Args:    cobra.NoArgs,
		Example: "  acpflow installer-config --site sites/moscow.yaml --cluster west",
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := readDocument(cmd.InOrStdin(), file)
			if err != nil {
				return fail(exitCouldNot, err)
			}
			cfg, err := installerConfig(file, data, cluster, reveal)
			if err != nil {
				return fail(exitBadInput, err)
			}
			for _, note := range cfg.Unverified() {
				printf(cmd.ErrOrStderr(), "unverified: %s\n", note)
			}
			text := cfg.Redacted()
			if reveal {
				text = cfg.Revealed()
			}
			_, err = cmd.OutOrStdout().Write(text)
			return fail(exitCouldNot, err)
		},
	}
	cmd.Flags().StringVar(&file, "site", "", "site document; - is standard input")
	cmd.Flags().StringVar(&cluster, "cluster", "", "name of the cluster; may be left out when the site has one")
	cmd.Flags().BoolVar(&reveal, "reveal-secrets", false, "print the secrets instead of a mask")
	if err := cmd.MarkFlagRequired("site"); err != nil {
		panic(err) // the flag was defined above
	}
	return cmd
}

// installerConfig builds the configuration with the real secrets, or with
// stand-ins when it will be printed masked.
func installerConfig(file string, data []byte, cluster string, reveal bool) (installer.Config, error) {
	check, resolve := sitestore.CheckForm, installer.StandIns
	if reveal {
		check, resolve = sitestore.Check, installer.Resolve
	}
	s, problems := check(file, data, time.Now())
	if err := problems.Err(); err != nil {
		return installer.Config{}, err
	}
	secrets, err := resolve(*s, cluster)
	if err != nil {
		return installer.Config{}, err
	}
	return installer.Build(*s, cluster, secrets)
}
