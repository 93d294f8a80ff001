package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/acpflow/acpflow/internal/balancer"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// driverOf is how the cluster's balancer is changed; a person does where the
// document says nothing.
func driverOf(c *site.Cluster) site.BalancerDriver {
	if c.Balancer == nil {
		return site.BalancerManual
	}
	return c.Balancer.Driver
}

// driver makes the cluster's driver; nil where a person acts or nothing
// stands in front of the cluster.
func (a *Forwarding) driver(ctx context.Context, c *site.Cluster) (balancer.Driver, error) {
	b := c.Balancer
	switch {
	case Bare(c), driverOf(c) == site.BalancerManual:
		return nil, nil
	case b.Driver == site.BalancerExec && b.Exec != nil:
		p, err := programOf(b.Exec)
		return balancer.Exec{Program: p, VIP: c.Endpoint.VIP}, err
	case b.Driver == site.BalancerHAProxy && b.HAProxy != nil:
		h := balancer.HAProxy{Config: b.HAProxy.Config, VIP: c.Endpoint.VIP}
		for _, host := range b.HAProxy.Hosts {
			conn, err := a.Hosts.connect(ctx, Node{Name: host.Name, Address: host.Address, HostKey: host.HostKey, SSH: c.BalancerSSH()})
			if err != nil {
				return nil, err
			}
			h.Hosts = append(h.Hosts, conn)
		}
		return h, nil
	}
	return nil, fault.New(fault.BadInput, "choose the driver of the load balancer", "cluster "+c.Name, "set balancer.driver and its settings", errors.New("no such driver, or it has no settings"))
}

// forwardOf is how a port of the VIP shall be forwarded: to the same port of
// every control plane (DR-10).
func forwardOf(c *site.Cluster, port int) balancer.Forward {
	f := balancer.Forward{Port: port, Mode: balancer.TCP}
	for _, n := range c.ControlPlanes() {
		f.Backends = append(f.Backends, balancer.Backend(n.Address, port))
	}
	return f
}

// ManualOpen is what a person is asked to do where no driver opens the port.
func ManualOpen(c *site.Cluster, port int) string {
	return fmt.Sprintf("forward TCP port %d of %s to %s, without TLS or HTTP in between", port, c.Endpoint.VIP, strings.Join(forwardOf(c, port).Backends, " "))
}

// ManualClose is what a person is asked to do where no driver closes the port.
func ManualClose(c *site.Cluster, port int) string {
	return fmt.Sprintf("remove the forwarding of port %d from %s", port, c.Endpoint.VIP)
}
