// Command lab runs data centres of systemd machines on this machine, for
// rehearsals and tests. See test/lab/README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/test/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := rootCommand().ExecuteContext(ctx); err != nil {
		var code exitCode
		if errors.As(err, &code) {
			os.Exit(int(code))
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// exitCode is the exit code of a command that ran on a node.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

func rootCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "lab", Short: "Data centres of systemd machines on this machine",
		SilenceUsage: true, SilenceErrors: true,
	}
	name := cmd.PersistentFlags().String("name", lab.DefaultName, "name of the lab; several run side by side")
	cmd.AddCommand(upCommand(name), downCommand(name), resetCommand(name), statusCommand(name), listCommand(), execCommand(name),
		powerCommand(name), faultCommand(name),
		cutCommand(name), rejoinCommand(name), pluginCommand(name), syncCommand(name), coreDNSCommand(name), elasticCommand(name),
		dnsCommand(name), podsCommand(name), machineCommand(name))
	return cmd
}

func upCommand(name *string) *cobra.Command {
	var nodes, workers int
	var clusters []string
	var balancer bool
	o := lab.Options{Log: os.Stderr}
	cmd := &cobra.Command{
		Use: "up", Short: "Bring the lab up, or finish and repair it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Name = *name
			for _, cluster := range clusters {
				o.Clusters = append(o.Clusters, lab.ClusterPlan{Name: cluster, ControlPlanes: nodes, Workers: workers, Balancer: balancer})
			}
			_, err := lab.Up(cmd.Context(), o)
			return err
		},
	}
	cmd.Flags().IntVar(&nodes, "nodes", 3, "control planes of each cluster: 1 or 3")
	cmd.Flags().IntVar(&workers, "workers", 0, "worker nodes of each cluster")
	cmd.Flags().BoolVar(&balancer, "balancer", false, "a balancer and a VIP also for a cluster of one control plane, as a pair of clusters needs")
	cmd.Flags().StringSliceVar(&clusters, "clusters", []string{"west"}, "clusters, each with its own nodes and VIP")
	cmd.Flags().StringSliceVar(&o.Workloads, "workloads", nil, "workload clusters, each one machine")
	cmd.Flags().StringVar(&o.Dir, "dir", "", "directory for site.yaml, keys and certificates (default below /var/lib/acpflow/labs)")
	return cmd
}

func downCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use: "down", Short: "Remove everything the lab made", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return lab.Down(cmd.Context(), *name) },
	}
}

func resetCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use: "reset", Short: "Give all nodes their pristine disks back", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := lab.Open(*name)
			if err != nil {
				return err
			}
			return l.Reset(cmd.Context())
		},
	}
}
