package main

import (
	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/workflows"
)

func newInstallPairCmd() *cobra.Command {
	return newStartCmd(workflows.InstallPairBook, "install-pair",
		"Install a disaster recovery pair: --cluster becomes the primary, the other one follows it (DR-11)",
		`  acpflow install-pair --site moscow --cluster west --change CHG-1042
  acpflow install-pair --site moscow --cluster west      # again: what is installed and healthy is left alone`)
}

func newMergeKeysCmd() *cobra.Command {
	return newStartCmd(workflows.MergeKeysBook, "merge-keys",
		"Give both sides of a pair both encryption keys, one node at a time (FAQ-01…05); --cluster is the primary",
		`  acpflow merge-keys --site moscow --cluster west --change CHG-1042`)
}
