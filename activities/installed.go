package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/internal/syncplugin"
)

// InstallState is whether a cluster is installed: wholly, or not at all.
type InstallState struct {
	Cluster      string `json:"cluster"`
	Installed    bool   `json:"installed"`
	UID          string `json:"uid,omitempty"`          // of namespace kube-system
	Synchronizer bool   `json:"synchronizer,omitempty"` // it carries what could copy, so it is a standby
	Summary      string `json:"summary"`
}

// findCluster tells what an install leaves on a control plane. The key file is
// none of it: a standby has it before (DR-21).
const findCluster = `
for f in /etc/kubernetes/admin.conf /etc/kubernetes/manifests/kube-apiserver.yaml /var/lib/etcd/member; do
  [ ! -e "$f" ] || echo "$f"
done
for p in /proc/[0-9]*/comm; do
  { read -r name <"$p"; } 2>/dev/null && [ "$name" = kube-apiserver ] && { echo kube-apiserver; break; }
done
exit 0
`

// ObserveInstall tells an installed, healthy cluster from bare machines. What is
// neither is fault.Gate: nothing may be installed over it (GEN-04), and nothing
// built on it.
func (a *Cluster) ObserveInstall(ctx context.Context, in Scope) (InstallState, error) {
	nodes, err := in.controlPlanes()
	if err != nil {
		return InstallState{}, err
	}
	found := make([]string, len(nodes))
	err = onEach(ctx, nodes, func(ctx context.Context, i int) error {
		conn, err := a.Hosts.connect(ctx, nodes[i])
		if err != nil {
			return err
		}
		out, err := conn.Run(ctx, ssh.Command{Op: "look for Kubernetes", Script: findCluster, Sudo: true})
		found[i] = strings.Join(strings.Fields(out.Stdout), ", ")
		return err
	})
	if err != nil {
		return InstallState{}, err
	}
	var traces []string
	for i, n := range nodes {
		if found[i] != "" {
			traces = append(traces, n.Name+": "+found[i])
		}
	}
	if len(traces) == 0 {
		return InstallState{Cluster: in.Cluster, Summary: fmt.Sprintf("%s is bare: no Kubernetes on %d control planes", in.Cluster, len(nodes))}, nil
	}
	state, err := a.healthy(ctx, in)
	if err != nil {
		return InstallState{}, fault.New(fault.ClassOf(err), "find out whether "+in.Cluster+" is installed", strings.Join(traces, "; "),
			"mend the cluster, or clean its nodes (kubeadm reset), then retry", err)
	}
	return state, nil
}

// healthy demands all nodes Ready and a healthy platform (VER-05).
func (a *Cluster) healthy(ctx context.Context, in Scope) (InstallState, error) {
	cluster, err := in.cluster()
	if err != nil {
		return InstallState{}, err
	}
	client, err := a.open(ctx, in)
	if err != nil {
		return InstallState{}, err
	}
	defer client.Close()
	ready, err := client.VerifyNodes(ctx, *cluster)
	if err != nil {
		return InstallState{}, err
	}
	module, err := client.VerifyClusterModule(ctx)
	if err != nil {
		return InstallState{}, err
	}
	if bad := blockers(append(ready.Findings, module.Findings...)); len(bad) > 0 {
		return InstallState{}, fault.New(fault.Gate, "", "", "", errors.New(strings.Join(bad, "; ")))
	}
	uid, err := client.UID(ctx)
	if err != nil {
		return InstallState{}, err
	}
	var view PluginView
	if view.Plugin, view.Installed, err = client.Plugin(ctx, syncplugin.Name); err != nil {
		return InstallState{}, err
	}
	if err := readWorkload(ctx, client, &view); err != nil {
		return InstallState{}, err
	}
	out := InstallState{Cluster: in.Cluster, Installed: true, UID: uid, Synchronizer: len(view.Left()) > 0}
	out.Summary = fmt.Sprintf("%s is installed (%s): %d of %d nodes Ready, platform %s", in.Cluster, uid, ready.Ready, ready.Total, module.Phase)
	return out, nil
}
