package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

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

// dnsCommand breaks the name servers.
func dnsCommand(name *string) *cobra.Command {
	var help strings.Builder
	for _, f := range slices.Sorted(maps.Keys(lab.DNSFaults)) {
		fmt.Fprintf(&help, "  %-15s %s\n", f, lab.DNSFaults[f])
	}
	return &cobra.Command{Use: "dns FAULT|mend|secondary", Short: "Break the name servers, mend them, or start the second authoritative one",
		Long: "Break the name servers. The faults:\n\n" + help.String(), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.Open(*name)
			if err != nil {
				return err
			}
			switch args[0] {
			case "mend":
				return l.MendDNS(cmd.Context())
			case "secondary":
				return l.StartSecondary(cmd.Context())
			}
			return l.BreakDNS(cmd.Context(), lab.DNSFault(args[0]))
		}}
}

// podsCommand keeps new Pods from becoming ready.
func podsCommand(name *string) *cobra.Command {
	return &cobra.Command{Use: "pods CLUSTER [SERVICE…]", Short: "Keep new Pods of services from becoming ready; without services, none",
		Args: cobra.MinimumNArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.Open(*name)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return l.MendPods(cmd.Context(), args[0])
			}
			return l.BreakPods(cmd.Context(), args[0], args[1:]...)
		}}
}

// machineCommand changes the phase of a Machine.
func machineCommand(name *string) *cobra.Command {
	return &cobra.Command{Use: "machine CLUSTER NAME PHASE", Short: "Change the phase of a Machine in the platform's API", Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.Open(*name)
			if err != nil {
				return err
			}
			return l.SetMachinePhase(cmd.Context(), args[0], args[1], args[2])
		}}
}
