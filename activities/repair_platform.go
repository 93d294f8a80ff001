package activities

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/fault"
)

// refusePlatform fails with fault.Refused when a node has, or may have,
// Kubernetes (GEN-04): to give such a node its old swap, firewall or SELinux
// back would stop what runs on it.
func (r *Repairs) refusePlatform(ctx context.Context, scope Scope) error {
	cluster, err := scope.cluster()
	if err != nil {
		return err
	}
	nodes := NodesOf(cluster)
	faults := make([]error, len(nodes))
	r.onAll(nodes, func(i int, node Node) {
		record, err := (&Nodes{Hosts: r.Hosts}).collect(ctx, node)
		if err != nil {
			faults[i] = fmt.Errorf("%s: %w", node.Name, err)
			return
		}
		findings, _ := checks.JudgeNode(scope.Site, scope.Cluster, record, record.Received)
		if why := checks.PlatformOn(findings); why != "" {
			faults[i] = fault.New(fault.Refused, "take repairs back", node.Name, "", errors.New(why))
		}
	})
	if err := errors.Join(faults...); err != nil {
		return fault.New(fault.ClassOf(err), "take repairs back", "",
			"take the cluster off its nodes first (kubeadm reset), or mend by hand what is not to hold; nothing was touched", err)
	}
	return ctx.Err()
}

// bootFile names the boot of the machine; containers on it have the same one.
const bootFile = "/proc/sys/kernel/random/boot_id"

// refuseOwnMachine fails with fault.Refused when the boot that shall end is that
// of the machine the worker runs on: nobody would be left to go on.
func refuseOwnMachine(in RebootInput, file string) error {
	own, err := os.ReadFile(file)
	switch {
	case err != nil:
		return fault.New(fault.Refused, "reboot", in.Node.Name, "reboot it by hand", fmt.Errorf("whether the worker runs on it is not known: %w", err))
	case strings.TrimSpace(string(own)) == strings.TrimSpace(in.Boot):
		return fault.New(fault.Refused, "reboot", in.Node.Name, "reboot it by hand when no run is open, and skip this step",
			errors.New("the worker itself runs on this machine"))
	}
	return nil
}
