package container

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"text/template"
	"time"

	"github.com/spf13/cobra"
)

// NewDocker is the docker command that the package leaves on the installer
// node: enough of it to look at the installer and to remove it.
func NewDocker() *cobra.Command {
	cmd := &cobra.Command{Use: "docker", Short: "Container engine of the installer node", SilenceUsage: true}
	cmd.PersistentPreRunE = func(*cobra.Command, []string) error {
		if os.Geteuid() != 0 {
			return errors.New("permission denied while connecting to the engine: run as root")
		}
		return nil
	}
	cmd.AddCommand(newPs(), newRm())
	return cmd
}

// row is a container as --format templates see it.
type row struct{ ID, Image, Command, CreatedAt, State, Status, Ports, Names string }

func newPs() *cobra.Command {
	var all, quiet, noTrunc bool
	var format string
	var filters []string
	cmd := &cobra.Command{Use: "ps", Short: "List containers", Args: cobra.NoArgs}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "stopped ones too")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "only the ids")
	cmd.Flags().BoolVar(&noTrunc, "no-trunc", false, "whole ids")
	cmd.Flags().StringVar(&format, "format", "", "Go template for each container")
	cmd.Flags().StringArrayVarP(&filters, "filter", "f", nil, "name=SUBSTRING")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		rows, err := rows(cmd, all, noTrunc, filters)
		if err != nil {
			return err
		}
		if quiet {
			format = "{{.ID}}"
		}
		if format != "" {
			t, err := template.New("format").Parse(format + "\n")
			if err != nil {
				return err
			}
			for _, r := range rows {
				if err := t.Execute(cmd.OutOrStdout(), r); err != nil {
					return err
				}
			}
			return nil
		}
		out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 3, ' ', 0)
		fmt.Fprintln(out, "CONTAINER ID\tIMAGE\tCOMMAND\tCREATED\tSTATUS\tPORTS\tNAMES")
		for _, r := range rows {
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Image, r.Command, r.CreatedAt, r.Status, r.Ports, r.Names)
		}
		return out.Flush()
	}
	return cmd
}

func rows(cmd *cobra.Command, all, noTrunc bool, filters []string) ([]row, error) {
	for _, f := range filters {
		name, ok := strings.CutPrefix(f, "name=")
		if !ok {
			return nil, fmt.Errorf("invalid filter %q", f)
		}
		if !strings.Contains(Name, strings.Trim(name, "^/$")) {
			return nil, nil
		}
	}
	c, err := Get(cmd.Context())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !c.Running && !all {
		return nil, nil
	}
	age := time.Since(c.Created).Round(time.Second).String()
	r := row{ID: c.ID, Image: image, Command: `"minialauda"`, CreatedAt: c.Created.Format(time.RFC3339), State: "exited", Status: "Exited", Names: Name}
	if !noTrunc {
		r.ID = c.ID[:12]
	}
	if c.Running {
		r.State, r.Status, r.Ports = "running", "Up "+age, "0.0.0.0:8080->8080/tcp"
	}
	return []row{r}, nil
}

func newRm() *cobra.Command {
	var force bool
	cmd := &cobra.Command{Use: "rm CONTAINER...", Short: "Remove containers", Args: cobra.MinimumNArgs(1)}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "running ones too")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		for _, name := range args {
			c, err := Get(cmd.Context())
			if errors.Is(err, fs.ErrNotExist) || err == nil && name != Name && !strings.HasPrefix(c.ID, name) {
				return fmt.Errorf("no such container: %s", name)
			}
			if err != nil {
				return err
			}
			if c.Running && !force {
				return fmt.Errorf("container %s is running: stop it first or use -f", name)
			}
			if err := Remove(cmd.Context()); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), name)
		}
		return nil
	}
	return cmd
}
