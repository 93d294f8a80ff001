package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
)

// members are the machines of a cluster, its balancer among them.
func (l *Lab) members(cluster string) ([]*Node, error) {
	nodes := slices.DeleteFunc(l.Nodes(), func(n *Node) bool { return n.Cluster != cluster })
	if cluster == "" || len(nodes) == 0 {
		return nil, fmt.Errorf("lab %s: there is no cluster %q", l.state.Name, cluster)
	}
	return nodes, nil
}

// islandName is the bridge that a cluster's cables go to while it is cut off.
func (s *state) islandName(cluster string) string {
	i := slices.Index(s.sites(), cluster)
	return "ac" + strconv.FormatInt(int64(i), 36) + "-" + s.Name
}

// islands are the bridges of cut-off clusters, whether they exist or not.
func (s *state) islands() []string {
	var out []string
	for _, name := range s.sites() {
		out = append(out, s.islandName(name))
	}
	return out
}

// sites are what may be cut off: clusters, then workload clusters.
func (s *state) sites() []string {
	var out []string
	for _, c := range s.Clusters {
		out = append(out, c.Name)
	}
	return append(out, s.Workloads...)
}

// bridge is where the node's cable is plugged in, or will be.
func (n *Node) bridge() string {
	if n.Cluster != "" {
		if island := n.lab.state.islandName(n.Cluster); interfaceExists(island) {
			return island
		}
	}
	return n.lab.state.Bridge
}

// Cut cuts the network of a cluster's site: its machines reach one another and
// nothing else, also not after a boot. Open connections hang, as they would.
// A cluster that is cut off already is fine.
func (l *Lab) Cut(ctx context.Context, cluster string) error {
	nodes, err := l.members(cluster)
	if err != nil {
		return err
	}
	unlock, err := lockLab(ctx, l.state.Name, l.log)
	if err != nil {
		return err
	}
	defer unlock()
	island := l.state.islandName(cluster)
	if !interfaceExists(island) {
		if err := ip(ctx, "link", "add", "name", island, "type", "bridge"); err != nil {
			return err
		}
	}
	if err := ip(ctx, "link", "set", "dev", island, "alias", "acpflow lab "+l.state.Name+": "+cluster+" cut off"); err != nil {
		return err
	}
	// This machine has no address on it, not even a link-local one.
	err = os.WriteFile("/proc/sys/net/ipv6/conf/"+island+"/disable_ipv6", []byte("1"), 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := ip(ctx, "link", "set", "dev", island, "up"); err != nil {
		return err
	}
	return plug(ctx, nodes, island)
}

// Rejoin mends the network of a cluster's site.
func (l *Lab) Rejoin(ctx context.Context, cluster string) error {
	unlock, err := lockLab(ctx, l.state.Name, l.log)
	if err != nil {
		return err
	}
	defer unlock()
	return l.rejoin(ctx, cluster)
}

func (l *Lab) rejoin(ctx context.Context, cluster string) error {
	nodes, err := l.members(cluster)
	if err != nil {
		return err
	}
	island := l.state.islandName(cluster)
	if !interfaceExists(island) {
		return nil
	}
	if err := plug(ctx, nodes, l.state.Bridge); err != nil {
		return err
	}
	return removeLink(ctx, island)
}

// plug moves the cables of the nodes that are on to another bridge.
func plug(ctx context.Context, nodes []*Node, bridge string) error {
	for _, n := range nodes {
		init := n.init()
		if init == 0 {
			continue
		}
		cable := hostEnd(init)
		if cable == "" {
			return fmt.Errorf("lab %s: %s has no cable", n.lab.state.Name, n.Name)
		}
		if err := ip(ctx, "link", "set", "dev", cable, "master", bridge); err != nil {
			return err
		}
	}
	return nil
}

// PowerOffCluster pulls the plug of all machines of a cluster at once. Their
// disks stay.
func (l *Lab) PowerOffCluster(ctx context.Context, cluster string) error {
	nodes, err := l.members(cluster)
	if err != nil {
		return err
	}
	return each(ctx, nodes, func(ctx context.Context, n *Node) error { return n.PowerOff(ctx) })
}

// PowerOnCluster boots all machines of a cluster and waits until they answer.
func (l *Lab) PowerOnCluster(ctx context.Context, cluster string) error {
	nodes, err := l.members(cluster)
	if err != nil {
		return err
	}
	return each(ctx, nodes, func(ctx context.Context, n *Node) error { return n.PowerOn(ctx) })
}
