package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/test/lab"
)

// coreDNSCommand makes the CoreDNS of a cluster answer wrongly.
func coreDNSCommand(name *string) *cobra.Command {
	var f lab.ClusterDNSFaults
	var mend bool
	cmd := &cobra.Command{Use: "coredns CLUSTER", Short: "Make the CoreDNS of a cluster answer wrongly, or mend it", Args: cobra.ExactArgs(1)}
	cmd.Flags().DurationVar(&f.MinTTL, "min-ttl", 0, "keep every answer at least this long; a restart empties the cache")
	cmd.Flags().StringToStringVar(&f.Pins, "pin", nil, "NAME=ADDRESS, answered for ever")
	cmd.Flags().BoolVar(&mend, "mend", false, "as it was installed")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		l, err := lab.Open(*name)
		if err != nil {
			return err
		}
		if mend {
			return l.MendClusterDNS(cmd.Context(), args[0])
		}
		if f.MinTTL == 0 && len(f.Pins) == 0 {
			return errors.New("lab coredns: name a fault, or --mend")
		}
		return l.BreakClusterDNS(cmd.Context(), args[0], f)
	}
	return cmd
}

// elasticCommand makes the log store of a cluster refuse its users.
func elasticCommand(name *string) *cobra.Command {
	return &cobra.Command{Use: "elastic CLUSTER until-restart|always|mend", Args: cobra.ExactArgs(2),
		Short: "Make the log store of a cluster answer 401, or mend it",
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.Open(*name)
			if err != nil {
				return err
			}
			if args[1] == "mend" {
				return l.MendElastic(cmd.Context(), args[0])
			}
			return l.BreakElastic(cmd.Context(), args[0], lab.ElasticFault(args[1]))
		}}
}
