package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/test/lab"
)

func statusCommand(name *string) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "status", Short: "Show the lab's machines", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := lab.Open(*name)
			if err != nil {
				return err
			}
			d := l.Status()
			switch output {
			case "json":
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(d)
			case "text":
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
				fmt.Fprintf(w, "lab %s on %s, files in %s\n", d.Name, d.Subnet, d.Dir)
				for _, n := range d.Nodes {
					power := "off"
					if slices.Contains(d.Running, n.Name) {
						power = "on"
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", n.Name, n.Address, n.Role, power)
				}
				return w.Flush()
			}
			return fmt.Errorf("lab status: output %q is neither text nor json", output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func listCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the labs of this machine, complete or not", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			names, err := lab.List()
			for _, name := range names {
				fmt.Fprintln(cmd.OutOrStdout(), name)
			}
			return err
		},
	}
}

func execCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use: "exec NODE -- COMMAND [ARG…]", Short: "Run a command on a node as root, without SSH",
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.Open(*name)
			if err != nil {
				return err
			}
			n, err := l.Node(args[0])
			if err != nil {
				return err
			}
			code, err := n.Run(cmd.Context(), lab.Command{Argv: args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
			if err == nil && code != 0 {
				err = exitCode(code)
			}
			return err
		},
	}
}
