package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/probe/wire"
)

// Member is a node of a fleet.
type Member struct {
	Name      string
	Addresses []string         // IPv4 first, with dual stack IPv6 too
	Ports     checks.NodePorts // to listen on
	// Launch connects to the node and says how an agent runs there.
	Launch func(context.Context) (Launcher, error)
}

// Fleet is the agents of one probe. A node without an agent stays a member: it
// is reported, and hides nothing of the others.
type Fleet struct {
	token   []byte
	members []*member
}

type member struct {
	Member
	agent *Agent
	err   error // why there is no agent
	taken []wire.Fault
}

// Gather starts an agent on every member, so many at a time, and has all of
// them listen. ctx bounds the agents' lives; Close ends them.
func Gather(ctx context.Context, members []Member, parallel int) *Fleet {
	f := &Fleet{token: make([]byte, 32)}
	_, _ = rand.Read(f.token) // never fails
	var group errgroup.Group
	group.SetLimit(parallel)
	for _, m := range members {
		in := &member{Member: m}
		f.members = append(f.members, in)
		group.Go(func() error {
			in.err = f.admit(ctx, in)
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	return f
}

func (f *Fleet) admit(ctx context.Context, m *member) error {
	launch, err := m.Launch(ctx)
	if err != nil {
		return err
	}
	if m.agent, err = Start(ctx, m.Name, launch); err != nil {
		return err
	}
	return f.listen(ctx, m)
}

func (f *Fleet) listen(ctx context.Context, m *member) error {
	answer, err := m.agent.Ask(ctx, wire.Order{Listen: &wire.Listen{
		Node: m.Name, Token: f.token, Addresses: m.Addresses, TCP: m.Ports.TCP, UDP: m.Ports.UDP, IPIP: m.Ports.IPIP,
	}})
	m.taken = answer.Busy
	return err
}

// Close ends all agents and waits until they are gone.
func (f *Fleet) Close() {
	var all sync.WaitGroup
	for _, m := range f.members {
		if m.agent != nil {
			all.Go(m.agent.Stop)
		}
	}
	all.Wait()
}

// fault is why a member can't be probed, nil while it can.
func (m *member) fault() error {
	switch {
	case m.err != nil:
		return m.err
	case m.agent == nil:
		return errors.New("no probe agent")
	}
	return m.agent.Err()
}

// open returns the TCP ports the member really listens on.
func (m *member) open() []int {
	return slices.DeleteFunc(slices.Clone(m.Ports.TCP), func(p int) bool { return m.holds("tcp", p) })
}

func (m *member) holds(network string, port int) bool {
	return slices.ContainsFunc(m.taken, func(t wire.Fault) bool { return t.Network == network && t.Port == port })
}

// target is the member at one of its addresses as the others shall try it.
func (m *member) target(address string) wire.Target {
	t := wire.Target{Node: m.Name, Address: address, TCP: m.open()}
	for _, p := range m.Ports.UDP {
		if !m.holds("udp", p) {
			t.UDP = append(t.UDP, p)
		}
	}
	t.IPIP = m.Ports.IPIP && isIPv4(address) && !m.holds("proto", 4)
	return t
}

// Life is how long an agent may live when so many nodes are probed: it is
// there from the first node's start to the last one's transfer.
func Life(nodes int) time.Duration {
	return min(2*time.Minute+time.Duration(nodes)*5*time.Second, 10*time.Minute)
}
