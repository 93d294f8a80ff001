// Command violet stands in for the vendor's upload tool in tests. It takes what
// is published of the tool's flags, as strictly as that is written, and writes what
// it was asked beside the package, as FILE.asked.json. It uploads nothing.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// Asked is what one push was asked for.
type Asked struct {
	Platform, User, Password, Token, Repo, RepoUser, RepoPassword, Catalog string
	Clusters                                                               []string
	SkipCRs, SkipPush, NoAuth                                              bool
	Environment                                                            []string
}

func main() {
	root := &cobra.Command{Use: "violet", SilenceUsage: true}
	root.AddCommand(newPush(), newVerify())
	if err := root.Execute(); err != nil {
		os.Exit(1)
	}
}

func newVerify() *cobra.Command {
	return &cobra.Command{Use: "verify PACKAGE", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		return readable(cmd, args[0])
	}}
}

// readable refuses what is no package; the tests' packages say what they are.
func readable(cmd *cobra.Command, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(data), "package ") {
		return fmt.Errorf("%s is no package", path)
	}
	fmt.Fprintln(cmd.OutOrStdout(), "verified", path)
	return nil
}

func newPush() *cobra.Command {
	var a Asked
	cmd := &cobra.Command{Use: "push PACKAGE", Args: cobra.ExactArgs(1)}
	f := cmd.Flags()
	f.StringVar(&a.Platform, "platform-address", "", "")
	f.StringVar(&a.User, "platform-username", "", "")
	f.StringVar(&a.Password, "platform-password", "", "")
	f.StringVar(&a.Token, "platform-token", "", "")
	f.StringSliceVar(&a.Clusters, "clusters", nil, "")
	f.StringVar(&a.Catalog, "target-catalog-source", "", "")
	f.BoolVar(&a.SkipCRs, "skip-crs", false, "")
	f.BoolVar(&a.SkipPush, "skip-push", false, "")
	f.StringVar(&a.Repo, "dest-repo", "", "")
	f.StringVar(&a.RepoUser, "username", "", "")
	f.StringVar(&a.RepoPassword, "password", "", "")
	f.BoolVar(&a.NoAuth, "no-auth", false, "")
	cmd.MarkFlagsMutuallyExclusive("skip-crs", "skip-push")
	cmd.MarkFlagsMutuallyExclusive("platform-token", "platform-password")
	cmd.MarkFlagsMutuallyExclusive("platform-token", "platform-username")
	cmd.MarkFlagsRequiredTogether("platform-username", "platform-password")
	cmd.MarkFlagsRequiredTogether("username", "password")
	cmd.MarkFlagsMutuallyExclusive("no-auth", "username")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.check(); err != nil {
			return err
		}
		if err := readable(cmd, args[0]); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), "login as", a.User, "with", a.Password) // the worst a tool can do
		a.Environment = os.Environ()
		body, err := json.Marshal(a)
		if err != nil {
			return err
		}
		return os.WriteFile(args[0]+".asked.json", body, 0o600)
	}
	return cmd
}

func (a Asked) check() error {
	switch {
	case !strings.HasPrefix(a.Platform, "https://"):
		return errors.New("--platform-address must be https://…")
	case a.Token == "" && a.User == "":
		return errors.New("--platform-username and --platform-password, or --platform-token")
	case a.Repo == "" && (a.NoAuth || a.RepoUser != ""):
		return errors.New("--no-auth, --username and --password need --dest-repo")
	case a.Repo != "" && !a.NoAuth && a.RepoUser == "":
		return errors.New("--dest-repo needs --username and --password, or --no-auth")
	case strings.Contains(a.Platform+a.Repo, "["):
		return errors.New("IPv6 literals are not supported")
	}
	if a.Repo != "" {
		if _, port, err := net.SplitHostPort(a.Repo); err != nil || port != "11443" {
			return errors.New("--dest-repo must be VIP:11443")
		}
	}
	return nil
}
