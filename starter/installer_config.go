package main

import (
	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/internal/installer"
	"github.com/acpflow/acpflow/site"
)

const installerConfigHelp = `Print the JSON that an install posts to the vendor's installer, field by field and byte by byte.

Secrets are masked, and then none is read: it works where they are out of reach. With --reveal-secrets they are
resolved here (env:, file:) and printed; keep that output out of logs. What the configuration relies on without the
vendor's interface being known there is said on standard error.`

func newInstallerConfigCmd() *cobra.Command {
	var siteArg, cluster string
	var reveal bool
	cmd := &cobra.Command{
		Use: "installer-config --site FILE|NAME", Short: "Print the configuration that an install posts to the vendor's installer",
		Long:    installerConfigHelp,
		Args:    cobra.NoArgs,
		Example: "  acpflow installer-config --site sites/moscow.yaml --cluster west",
		RunE: func(cmd *cobra.Command, _ []string) error {
			snapshot, err := loadSite(siteArg)
			if err != nil {
				return err
			}
			cfg, err := installerConfig(snapshot.Site, cluster, reveal)
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
	cmd.Flags().StringVar(&siteArg, "site", "", "site document, or a name in ACPFLOW_SITES_DIR")
	cmd.Flags().StringVar(&cluster, "cluster", "", "name of the cluster; may be left out when the site has one")
	cmd.Flags().BoolVar(&reveal, "reveal-secrets", false, "print the secrets instead of a mask")
	if err := cmd.MarkFlagRequired("site"); err != nil {
		panic(err) // the flag was defined above
	}
	return cmd
}

// installerConfig builds the configuration with the real secrets, or with
// stand-ins when it will be printed masked.
func installerConfig(s site.Site, cluster string, reveal bool) (installer.Config, error) {
	resolve := installer.StandIns
	if reveal {
		resolve = installer.Resolve
	}
	secrets, err := resolve(s, cluster)
	if err != nil {
		return installer.Config{}, err
	}
	return installer.Build(s, cluster, secrets)
}
