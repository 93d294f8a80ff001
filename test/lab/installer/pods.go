package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/test/lab/clusterdns"
	"github.com/acpflow/acpflow/test/lab/elastic"
	"github.com/acpflow/acpflow/test/lab/installer/cluster"
	"github.com/acpflow/acpflow/test/lab/installer/config"
	"github.com/acpflow/acpflow/test/lab/kubeapi"
	"github.com/acpflow/acpflow/test/lab/kubelet"
)

// newPod is the real program of one Pod on this node.
func newPod() *cobra.Command {
	var uid, address string
	cmd := &cobra.Command{Use: "pod PROGRAM", Short: "Run the program of a Pod", Args: cobra.ExactArgs(1), Hidden: true}
	cmd.Flags().StringVar(&uid, "uid", "", "of the Pod")
	cmd.Flags().StringVar(&address, "address", "", "host:port where it answers")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := kubelet.ReadConfig(kubelet.ConfigFile)
		if err != nil {
			return err
		}
		k, err := kubeapi.Load(c.Kubeconfig)
		if err != nil {
			return err
		}
		api, err := k.New("pod")
		if err != nil {
			return err
		}
		switch args[0] {
		case clusterdns.Program:
			return clusterdns.RunPod(cmd.Context(), api, uid, address)
		case elastic.Program:
			return elastic.RunPod(cmd.Context(), api, address)
		}
		return fmt.Errorf("no program %q", args[0])
	}
	return cmd
}

// newClusterDNS writes CoreDNS's configuration and begins with it.
func newClusterDNS() *cobra.Command {
	var f clusterdns.Faults
	var ask string
	cmd := &cobra.Command{Use: "cluster-dns", Short: "Configure the cluster's CoreDNS and restart it", Args: cobra.NoArgs}
	cmd.Flags().DurationVar(&f.MinTTL, "min-ttl", 0, "keep every answer at least this long")
	cmd.Flags().StringToStringVar(&f.Pins, "pin", nil, "NAME=ADDRESS, answered for ever")
	cmd.Flags().StringVar(&ask, "ask", "", "name to ask each Pod for, so that its cache holds the answer of now")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		api, err := adminAPI()
		if err != nil {
			return err
		}
		return clusterdns.Reconfigure(cmd.Context(), api, f, ask, time.Minute)
	}
	return cmd
}

func newElasticTemplate() *cobra.Command {
	return &cobra.Command{Use: "elastic-template", Short: "Write the log store's index template", Args: cobra.NoArgs, SilenceUsage: true, RunE: func(cmd *cobra.Command, _ []string) error {
		api, err := adminAPI()
		if err != nil {
			return err
		}
		return elastic.EnsureTemplate(cmd.Context(), api, cmd.OutOrStdout())
	}}
}

// newElasticPassword changes the log store's password under its feet.
func newElasticPassword() *cobra.Command {
	return &cobra.Command{Use: "elastic-password", Short: "Change the log store's password; it learns it when it restarts", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		api, err := adminAPI()
		if err != nil {
			return err
		}
		return api.Apply(cmd.Context(), elastic.LoginObject(fmt.Sprintf("of %d", time.Now().UnixNano())))
	}}
}

// newWorkloadCluster builds a cluster without the platform from this machine.
func newWorkloadCluster() *cobra.Command {
	var file string
	cmd := &cobra.Command{Use: "workload-cluster", Short: "Build a workload cluster", Args: cobra.NoArgs}
	cmd.Flags().StringVar(&file, "config", "", "the installer's configuration of its machines")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		i := &cluster.Install{Config: &config.Config{}, DataDir: filepath.Dir(cluster.NodeProgram), Architectures: []string{runtime.GOARCH},
			Log: func(format string, args ...any) { fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...) }}
		if err := json.Unmarshal(data, i.Config); err != nil {
			return err
		}
		defer i.Close()
		return i.Workload(cmd.Context())
	}
	return cmd
}

func newMachinePhase() *cobra.Command {
	return &cobra.Command{Use: "machine-phase NAME PHASE", Short: "Change the phase of a Machine", Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
		api, err := adminAPI()
		if err != nil {
			return err
		}
		return api.Do(cmd.Context(), http.MethodPatch, "/apis/platform.tkestack.io/v1/machines/"+args[0]+"/status", kubeapi.MergePatch,
			kubeapi.Object{"status": kubeapi.Object{"phase": args[1]}}, nil)
	}}
}
