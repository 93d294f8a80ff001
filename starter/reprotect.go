package main

import (
	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/workflows"
)

func newReprotectCmd() *cobra.Command {
	cmd := newTakeoverCmd(workflows.ReprotectBook, "reprotect", "Make the old primary the standby of the new one (DR-43)",
		`  acpflow reprotect --site moscow --cluster west      # west, the old primary, becomes the standby; waits until it is back`)
	cmd.Long = cmd.Short + `.

--cluster names the old primary. The run waits for it, for days if need be, does what is owed to it, captures what only it
holds, and lets it be overwritten after other people have approved just that. When it ended half-way, start it again.`
	return cmd
}
