package lab

import (
	"context"
	"fmt"
	"strings"

	"github.com/acpflow/acpflow/test/lab/clusterdns"
	"github.com/acpflow/acpflow/test/lab/elastic"
	"github.com/acpflow/acpflow/test/lab/kubelet"
)

// ClusterDNSFaults make the CoreDNS of a cluster answer wrongly.
type ClusterDNSFaults = clusterdns.Faults

// BreakClusterDNS restarts the CoreDNS of an installed cluster with faults. Each
// Pod has the platform's address of now in its cache, so that MinTTL makes it a
// stale one when the name is moved.
func (l *Lab) BreakClusterDNS(ctx context.Context, cluster string, f ClusterDNSFaults) error {
	args := []string{"cluster-dns", "--ask", Domain}
	if f.MinTTL > 0 {
		args = append(args, "--min-ttl", f.MinTTL.String())
	}
	for name, address := range f.Pins {
		args = append(args, "--pin", name+"="+address)
	}
	return l.onInstalled(ctx, cluster, args...)
}

// MendClusterDNS restarts the CoreDNS of a cluster as it was installed.
func (l *Lab) MendClusterDNS(ctx context.Context, cluster string) error {
	return l.onInstalled(ctx, cluster, "cluster-dns")
}

// ElasticFault is a way in which a cluster's log store refuses its users (DR-40).
type ElasticFault string

// The faults of the log store.
const (
	// ElasticUntilRestart changes the password: the Pods that run answer 401
	// and their successors do not.
	ElasticUntilRestart ElasticFault = "until-restart"
	// ElasticAlways answers 401 until it is mended, whatever is restarted.
	ElasticAlways ElasticFault = "always"
)

// BreakElastic makes the log store of an installed cluster answer 401.
func (l *Lab) BreakElastic(ctx context.Context, cluster string, f ElasticFault) error {
	switch f {
	case ElasticUntilRestart:
		return l.onInstalled(ctx, cluster, "elastic-password")
	case ElasticAlways:
		return l.onNodes(cluster, func(n *Node) error {
			return n.WriteFile(ctx, elastic.FaultPath, []byte(`{"unauthorized": true}`), "0600")
		})
	}
	return fmt.Errorf("lab: the log store has no fault %q; there are %s and %s", f, ElasticUntilRestart, ElasticAlways)
}

// MendElastic takes ElasticAlways back; ElasticUntilRestart is mended by a restart.
func (l *Lab) MendElastic(ctx context.Context, cluster string) error {
	return l.onNodes(cluster, func(n *Node) error {
		_, err := n.Exec(ctx, "rm", "-f", elastic.FaultPath)
		return err
	})
}

// BreakPods keeps new Pods of services, by the label service_name, from ever
// becoming ready. Orders before are forgotten.
func (l *Lab) BreakPods(ctx context.Context, cluster string, services ...string) error {
	return l.onNodes(cluster, func(n *Node) error {
		return n.WriteFile(ctx, kubelet.PodFaults, []byte(strings.Join(services, "\n")+"\n"), "0644")
	})
}

// MendPods lets all Pods become ready again, those that wait, too.
func (l *Lab) MendPods(ctx context.Context, cluster string) error {
	return l.onNodes(cluster, func(n *Node) error {
		_, err := n.Exec(ctx, "rm", "-f", kubelet.PodFaults)
		return err
	})
}

// SetMachinePhase changes the phase of a Machine in the API of a cluster, for
// example to Failed, as the platform would.
func (l *Lab) SetMachinePhase(ctx context.Context, cluster, machine, phase string) error {
	return l.onInstalled(ctx, cluster, "machine-phase", machine, phase)
}

// onNodes does something on all nodes of a cluster.
func (l *Lab) onNodes(cluster string, do func(*Node) error) error {
	nodes, err := l.members(cluster)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if n.Role == Balancer {
			continue
		}
		if err := do(n); err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	return nil
}

// onInstalled runs the stand-in's program on the first control plane.
func (l *Lab) onInstalled(ctx context.Context, cluster string, args ...string) error {
	nodes, err := l.members(cluster)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if n.Role == ControlPlane {
			_, err := n.Exec(ctx, append([]string{nodeProgram}, args...)...)
			return err
		}
	}
	return fmt.Errorf("lab %s: %s has no control plane", l.state.Name, cluster)
}
