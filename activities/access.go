package activities

import (
	"context"
	"net"
	"strconv"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/site"
)

// Node is a machine and how to reach it: references only, so it may be part of
// an activity's input.
type Node struct {
	Name    string   `json:"name"`
	Address string   `json:"address"`
	HostKey string   `json:"hostKey,omitempty"`
	SSH     site.SSH `json:"ssh"`
}

// Scope is a site document and the cluster that is meant.
type Scope struct {
	Site    site.Site `json:"site"`
	Cluster string    `json:"cluster"`
}

func (s *Scope) cluster() (*site.Cluster, error) {
	c, ok := s.Site.Cluster(s.Cluster)
	if !ok {
		return nil, fault.New(fault.BadInput, "choose cluster "+s.Cluster, "site "+s.Site.Name, "", nil)
	}
	return c, nil
}

// NodeOf describes how to reach one node of a cluster.
func NodeOf(c *site.Cluster, n site.Node) Node {
	return Node{Name: n.Name, Address: n.Address, HostKey: n.HostKey, SSH: c.SSH}
}

// NodesOf describes all nodes of a cluster, in the document's order.
func NodesOf(c *site.Cluster) []Node {
	out := make([]Node, len(c.Nodes))
	for i, n := range c.Nodes {
		out[i] = NodeOf(c, n)
	}
	return out
}

// Hosts gives SSH connections to nodes; they are kept between activities.
type Hosts struct {
	Pool  *ssh.Pool
	kept  kept
	etcds keptEtcds
}

// connect resolves the node's secrets and returns a live connection, which
// belongs to the pool.
func (h *Hosts) connect(ctx context.Context, n Node) (*ssh.Client, error) {
	target, err := targetOf(n)
	if err != nil {
		return nil, err
	}
	return h.Pool.Get(ctx, target)
}

func targetOf(n Node) (ssh.Target, error) {
	target := ssh.Target{
		Address:    net.JoinHostPort(n.Address, strconv.Itoa(portOr22(n.SSH.Port))),
		User:       userOrRoot(n.SSH.User),
		KnownHosts: n.SSH.KnownHosts,
		Agent:      n.SSH.Agent,
	}
	if n.HostKey != "" {
		target.HostKeys = []string{n.HostKey}
	}
	err := resolveAll(map[*secret.Value]site.Ref{
		&target.PrivateKey: n.SSH.PrivateKey, &target.Passphrase: n.SSH.Passphrase, &target.Password: n.SSH.Password,
	})
	if err != nil || n.SSH.Jump == nil {
		return target, err
	}
	target.Jump, err = jumpOf(n.SSH)
	return target, err
}

func jumpOf(s site.SSH) (*ssh.Target, error) {
	j := s.Jump
	target := &ssh.Target{
		Address:    net.JoinHostPort(j.Address, strconv.Itoa(portOr22(j.Port))),
		User:       userOrRoot(j.User),
		KnownHosts: s.KnownHosts,
		Agent:      s.Agent,
	}
	if j.HostKey != "" {
		target.HostKeys = []string{j.HostKey}
	}
	return target, resolveAll(map[*secret.Value]site.Ref{
		&target.PrivateKey: j.PrivateKey, &target.Passphrase: j.Passphrase, &target.Password: j.Password,
	})
}

func resolveAll(refs map[*secret.Value]site.Ref) error {
	for into, ref := range refs {
		value, err := secret.Resolve(string(ref))
		if err != nil {
			return err
		}
		*into = value
	}
	return nil
}

func portOr22(port int) int {
	if port == 0 {
		return 22
	}
	return port
}

func userOrRoot(user string) string {
	if user == "" {
		return "root"
	}
	return user
}
