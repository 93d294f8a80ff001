package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/test/lab"
)

func cutCommand(name *string) *cobra.Command {
	return clusterCommand(name, "cut CLUSTER", "Cut a cluster's machines off from everything but one another", (*lab.Lab).Cut)
}

func rejoinCommand(name *string) *cobra.Command {
	return clusterCommand(name, "rejoin CLUSTER", "Mend the network of a cluster that was cut off", (*lab.Lab).Rejoin)
}

func clusterCommand(name *string, use, short string, do func(*lab.Lab, context.Context, string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		l, err := lab.Open(*name)
		if err != nil {
			return err
		}
		return do(l, cmd.Context(), args[0])
	}}
}

// pluginCommand publishes a version of the synchronizer.
func pluginCommand(name *string) *cobra.Command {
	return &cobra.Command{Use: "plugin CLUSTER VERSION", Short: "Offer a version of the etcd synchronizer on an installed cluster", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.Open(*name)
			if err != nil {
				return err
			}
			return l.PublishSync(cmd.Context(), args[0], args[1])
		}}
}

// syncCommand orders the synchronizer of a standby to fail.
func syncCommand(name *string) *cobra.Command {
	var mend bool
	cmd := &cobra.Command{Use: "sync CLUSTER [FAULTS]", Short: "Make the etcd synchronizer of a standby fail, or mend it", Args: cobra.RangeArgs(1, 2),
		Long: `Make the etcd synchronizer of a standby fail as a JSON object orders, or mend it with --mend:

  {"ownerOrder": true}                           objects with owners come before their owners: missed keys
  {"surplus": ["/registry/configmaps/NS/NAME"]}  keys on the standby only, made by the next full sync
  {"stale": ["/registry/configmaps/NS/"]}        changes of these keys are not mirrored, /check stays clean
  {"checkText": "…"}                             /check answers this
  {"stopped": true}                              nothing is mirrored any more, /check keeps its last answer
  {"lagSeconds": 20}                             everything arrives later
  {"garbageMachines": ["work-0001-1"]}           these Machines are deleted as soon as the plugin is gone`}
	cmd.Flags().BoolVar(&mend, "mend", false, "take all orders back")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		l, err := lab.Open(*name)
		if err != nil {
			return err
		}
		if mend {
			return l.MendSync(cmd.Context(), args[0])
		}
		if len(args) == 1 {
			return errors.New("lab sync: name the faults, or --mend")
		}
		orders, err := lab.ParseSyncFaults([]byte(args[1]))
		if err != nil {
			return err
		}
		return l.BreakSync(cmd.Context(), args[0], orders)
	}
	return cmd
}
