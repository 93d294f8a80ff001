// Command minialauda is everything the stand-in Core Package runs: the
// installer with its HTTP interface, and on the machines it builds a cluster
// on, the node agent, crictl, docker and the platform's console. One static
// program keeps the package small for every architecture.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/test/lab/installer/bundle"
	"github.com/acpflow/acpflow/test/lab/installer/cluster"
	"github.com/acpflow/acpflow/test/lab/installer/config"
	"github.com/acpflow/acpflow/test/lab/installer/container"
	"github.com/acpflow/acpflow/test/lab/installer/faults"
	"github.com/acpflow/acpflow/test/lab/installer/server"
	"github.com/acpflow/acpflow/test/lab/kubeapi"
	"github.com/acpflow/acpflow/test/lab/kubelet"
	"github.com/acpflow/acpflow/test/lab/platform"
)

// bundlePath is the description of the package that was set up on this node.
const bundlePath = "/opt/cpaas/package.json"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(filepath.Base(os.Args[0])).ExecuteContext(ctx); err != nil {
		stop()
		os.Exit(1)
	}
}

// command is chosen by the name the program is called by.
func command(name string) *cobra.Command {
	switch name {
	case "crictl":
		return kubelet.NewCrictl()
	case "docker":
		return container.NewDocker()
	}
	root := &cobra.Command{Use: "minialauda", Short: "Stand-in installer of the container platform", SilenceUsage: true}
	root.AddCommand(newSetupFault(), newBootstrap(), newServe(), newKubelet(), newConsole(), newSyncImages(), newPublishSync(),
		newPod(), newClusterDNS(), newElasticTemplate(), newElasticPassword(), newWorkloadCluster(), newMachinePhase())
	return root
}

// newSetupFault ends as setup.sh is ordered to end.
func newSetupFault() *cobra.Command {
	return &cobra.Command{Use: "setup-fault", Hidden: true, Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		order, err := faults.Read(faults.Path)
		if err != nil || order.SetupFails == nil {
			return err
		}
		fmt.Fprintln(os.Stderr, order.SetupFails.Message)
		os.Exit(max(order.SetupFails.ExitCode, 1))
		return nil
	}}
}

// newBootstrap starts the installer's container.
func newBootstrap() *cobra.Command {
	var packageFile, network, family string
	cmd := &cobra.Command{Use: "bootstrap", Short: "Start the installer on this node", Args: cobra.NoArgs}
	cmd.Flags().StringVar(&packageFile, "package", "", "description of the package")
	cmd.Flags().StringVar(&network, "network-mode", "", "calico, or nothing for Kube-OVN")
	cmd.Flags().StringVar(&family, "ip-family", "", "ipv6, or nothing for IPv4 and dual stack")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		b, err := bundle.Read(packageFile)
		if err != nil {
			return err
		}
		if network == config.Calico {
			b.Offer.NetworkType = config.Calico
		}
		b.Offer.IPFamily = family
		data, err := json.Marshal(b)
		if err != nil {
			return err
		}
		if err := os.WriteFile(bundlePath, data, 0o644); err != nil {
			return err
		}
		return container.Run(cmd.Context(), cluster.NodeProgram+" serve")
	}
	return cmd
}

func newServe() *cobra.Command {
	var address string
	cmd := &cobra.Command{Use: "serve", Short: "Serve the installer's interface", Args: cobra.NoArgs}
	cmd.Flags().StringVar(&address, "address", ":8080", "where to listen")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		b, err := bundle.Read(bundlePath)
		if err != nil {
			return err
		}
		s, err := server.New(cmd.Context(), server.Options{Bundle: b})
		if err != nil {
			return err
		}
		finished, err := s.Serve(cmd.Context(), address)
		if err != nil || !finished {
			return err
		}
		return container.RemoveSelf(cmd.Context())
	}
	return cmd
}

func newKubelet() *cobra.Command {
	return &cobra.Command{Use: "kubelet", Short: "Run this node", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		c, err := kubelet.ReadConfig(kubelet.ConfigFile)
		if err != nil {
			return err
		}
		return kubelet.Run(cmd.Context(), c)
	}}
}

func newConsole() *cobra.Command {
	return &cobra.Command{Use: "console", Short: "Serve the platform's console and registry", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		c, err := platform.ReadConsoleConfig()
		if err != nil {
			return err
		}
		return platform.RunConsole(cmd.Context(), c)
	}}
}

// newSyncImages adds the package's image sets to the platform's registry.
func newSyncImages() *cobra.Command {
	var packageFile string
	cmd := &cobra.Command{Use: "sync-images", Short: "Push the package's images to the platform's registry", Args: cobra.NoArgs}
	cmd.Flags().StringVar(&packageFile, "package", "", "description of the package")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		b, err := bundle.Read(packageFile)
		if err != nil {
			return err
		}
		api, err := adminAPI()
		if err != nil {
			return err
		}
		all, err := platform.SyncImages(cmd.Context(), api, b.Architectures)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), "registry holds images for:", strings.Join(all, ", "))
		return nil
	}
	return cmd
}

// newPublishSync offers another version of the etcd synchronizer.
func newPublishSync() *cobra.Command {
	return &cobra.Command{Use: "publish-sync VERSION", Short: "Offer a version of the etcd synchronizer", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		api, err := adminAPI()
		if err != nil {
			return err
		}
		for _, o := range platform.Synchronizer(args[0]) {
			if err := api.Apply(cmd.Context(), o); err != nil {
				return err
			}
		}
		return nil
	}}
}

// adminAPI is the cluster that this node belongs to.
func adminAPI() (*kubeapi.Client, error) {
	k, err := kubeapi.Load("/etc/kubernetes/admin.conf")
	if err != nil {
		return nil, errors.Join(errors.New("the platform is not installed on this node"), err)
	}
	return k.New("acp-installer")
}
