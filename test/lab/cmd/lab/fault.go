package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/test/lab"
)

func powerCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use: "power NODE|CLUSTER on|off", Short: "Pull the plug of a node or of a whole cluster, or boot it", Args: cobra.ExactArgs(2),
		ValidArgs: []string{"on", "off"},
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.Open(*name)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(l.Clusters(), func(c lab.Cluster) bool { return c.Name == args[0] }) {
				return powerCluster(cmd.Context(), l, args[0], args[1])
			}
			return onNode(*name, args[0], func(n *lab.Node) error {
				switch args[1] {
				case "on":
					return n.PowerOn(cmd.Context())
				case "off":
					return n.PowerOff(cmd.Context())
				}
				return fmt.Errorf("lab power: %q is neither on nor off", args[1])
			})
		},
	}
}

func powerCluster(ctx context.Context, l *lab.Lab, cluster, state string) error {
	switch state {
	case "on":
		return l.PowerOnCluster(ctx, cluster)
	case "off":
		return l.PowerOffCluster(ctx, cluster)
	}
	return fmt.Errorf("lab power: %q is neither on nor off", state)
}

func faultCommand(name *string) *cobra.Command {
	var mend bool
	var help strings.Builder
	for _, f := range slices.Sorted(maps.Keys(lab.Faults)) {
		fmt.Fprintf(&help, "  %-8s %s\n", f, lab.Faults[f])
	}
	cmd := &cobra.Command{
		Use: "fault NODE FAULT", Short: "Break something on a node, or mend it", Args: cobra.ExactArgs(2),
		Long: "Break something on a node, or mend it with --mend. The faults:\n\n" + help.String(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onNode(*name, args[0], func(n *lab.Node) error {
				if mend {
					return n.Mend(cmd.Context(), lab.Fault(args[1]))
				}
				return n.Break(cmd.Context(), lab.Fault(args[1]))
			})
		},
	}
	cmd.Flags().BoolVar(&mend, "mend", false, "take the fault away again")
	return cmd
}

func onNode(name, node string, do func(*lab.Node) error) error {
	l, err := lab.Open(name)
	if err != nil {
		return err
	}
	n, err := l.Node(node)
	if err != nil {
		return err
	}
	return do(n)
}
