package kubelet

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// NewCrictl is the crictl command of a node: the part of it the runbooks use.
func NewCrictl() *cobra.Command {
	cmd := &cobra.Command{Use: "crictl", Short: "Client for the node's container runtime", SilenceUsage: true}
	store := Store{StoreDir}
	cmd.AddCommand(newPs(store), newRm(store))
	cmd.PersistentPreRunE = func(*cobra.Command, []string) error {
		if os.Geteuid() != 0 {
			return errors.New("connect to the container runtime: permission denied, run as root")
		}
		return nil
	}
	return cmd
}

func newPs(store Store) *cobra.Command {
	var name string
	var all, quiet, noTrunc bool
	cmd := &cobra.Command{Use: "ps", Short: "List containers", Args: cobra.NoArgs}
	cmd.Flags().StringVar(&name, "name", "", "only containers whose name matches this regular expression")
	cmd.Flags().BoolVarP(&all, "all", "a", false, "exited ones too")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "only the ids")
	cmd.Flags().BoolVar(&noTrunc, "no-trunc", false, "whole ids")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		pattern, err := regexp.Compile(name)
		if err != nil {
			return err
		}
		containers, err := store.List()
		if err != nil {
			return err
		}
		out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 3, ' ', 0)
		if !quiet {
			fmt.Fprintln(out, "CONTAINER\tCREATED\tSTATE\tNAME\tATTEMPT\tPOD")
		}
		for _, c := range containers {
			if !pattern.MatchString(c.Name) || !all && !c.Alive() {
				continue
			}
			id := c.ID
			if !noTrunc {
				id = id[:13]
			}
			if quiet {
				fmt.Fprintln(out, id)
				continue
			}
			state := "Running"
			if !c.Alive() {
				state = "Exited"
			}
			fmt.Fprintf(out, "%s\t%s ago\t%s\t%s\t%d\t%s\n", id, time.Since(c.Created).Round(time.Second), state, c.Name, c.Attempt, c.Pod)
		}
		return out.Flush()
	}
	return cmd
}

func newRm(store Store) *cobra.Command {
	var force bool
	cmd := &cobra.Command{Use: "rm CONTAINER-ID...", Short: "Remove containers", Args: cobra.MinimumNArgs(1)}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "running ones too")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		for _, id := range args {
			c, err := find(store, id)
			if err != nil {
				return err
			}
			if c.Alive() && !force {
				return fmt.Errorf("container %q is running, stop it first or use --force", id)
			}
			if err := store.Remove(cmd.Context(), c); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), id)
		}
		return nil
	}
	return cmd
}

func find(store Store, id string) (Container, error) {
	containers, err := store.List()
	if err != nil {
		return Container{}, err
	}
	var found []Container
	for _, c := range containers {
		if strings.HasPrefix(c.ID, id) {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Container{}, fmt.Errorf("container %q: not found", id)
	}
	return Container{}, fmt.Errorf("container %q: the id is ambiguous", id)
}
