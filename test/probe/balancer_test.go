package probe

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab"
)

// listen is one section of HAProxy's configuration.
type listen struct {
	port    int
	bind    string // what follows the address
	lines   []string
	servers []string // default all
	options string   // of every server; default check inter 500ms fall 1 rise 1
}

// configure gives the balancer another configuration until the test ends.
func (r *rig) configure(t *testing.T, sections ...listen) {
	t.Helper()
	var b strings.Builder
	b.WriteString("defaults\n mode tcp\n timeout connect 2s\n timeout client 1m\n timeout server 1m\n timeout check 1s\n")
	for _, s := range sections {
		fmt.Fprintf(&b, "listen p%d\n bind %s:%d %s\n", s.port, r.node(t, "west-lb").Address, s.port, s.bind)
		for _, l := range s.lines {
			b.WriteString(" " + l + "\n")
		}
		if s.servers == nil {
			s.servers = []string{"west-1", "west-2", "west-3"}
		}
		if s.options == "" {
			s.options = "check inter 500ms fall 1 rise 1"
		}
		for _, name := range s.servers {
			fmt.Fprintf(&b, " server %s %s:%d %s\n", name, r.node(t, name).Address, s.port, s.options)
		}
	}
	lb := r.node(t, "west-lb")
	require.NoError(t, lb.WriteFile(t.Context(), "/etc/haproxy/test.cfg", []byte(b.String()), "0644"))
	r.meanwhile(t, "west-lb",
		"cp -n /etc/haproxy/haproxy.cfg /etc/haproxy/before.cfg; cp /etc/haproxy/test.cfg /etc/haproxy/haproxy.cfg; haproxy -q -c -f /etc/haproxy/haproxy.cfg; systemctl restart haproxy",
		"mv /etc/haproxy/before.cfg /etc/haproxy/haproxy.cfg; systemctl restart haproxy")
}

func portOf(t *testing.T, v checks.BalancerView, port int) checks.BalancerPort {
	t.Helper()
	for _, p := range v.Ports {
		if p.Port == port {
			return p
		}
	}
	require.FailNow(t, "not in the view", "port %d of %+v", port, v)
	return checks.BalancerPort{}
}

var masters = []string{"west-1", "west-2", "west-3"}

func (r *rig) testHealthyBalancer(t *testing.T) {
	v := r.balancer(t)
	require.Len(t, v.Ports, 3)
	for _, p := range v.Ports {
		require.Equal(t, checks.BalancerPort{Port: p.Port, Reached: masters, Layer: "tcp", Checked: "yes"}, p)
	}
	require.Equal(t, "the worker", v.From)
	require.Equal(t, 4, v.Near)
	require.Empty(t, v.Cut)
	for _, rule := range []string{"LB-01", "LB-02", "LB-03", "LB-06"} {
		require.Equal(t, checks.Pass, r.judge(rule, nil, &v).Outcome, rule)
	}
}

func (r *rig) testBalancerThatIsWrong(t *testing.T) {
	cert, err := os.ReadFile(filepath.Join(r.lab.Dir(), "platform.crt"))
	require.NoError(t, err)
	key, err := os.ReadFile(filepath.Join(r.lab.Dir(), "platform.key"))
	require.NoError(t, err)
	require.NoError(t, r.node(t, "west-lb").WriteFile(t.Context(), "/etc/haproxy/test.pem", append(cert, key...), "0600"))
	r.configure(t,
		listen{port: 443, lines: []string{"mode http"}},
		listen{port: 6443, servers: masters[:2]},
		listen{port: 11443, bind: "ssl crt /etc/haproxy/test.pem"})
	v := r.balancer(t)
	require.Equal(t, "http", portOf(t, v, 443).Layer)
	require.Empty(t, portOf(t, v, 443).Reached)
	require.Equal(t, checks.Fail, r.judge("LB-01", nil, &v).Outcome)

	require.Equal(t, masters[:2], portOf(t, v, 6443).Reached)
	require.Empty(t, portOf(t, v, 6443).Unknown)
	f := r.judge("LB-02", nil, &v)
	require.Equal(t, checks.Fail, f.Outcome)
	require.Contains(t, f.Seen, "does not lead to west-3")

	require.Equal(t, "tls", portOf(t, v, 11443).Layer)
	require.Equal(t, checks.Fail, r.judge("LB-03", nil, &v).Outcome)
}

func (r *rig) testStickyBalancer(t *testing.T) {
	r.configure(t,
		listen{port: 443, lines: []string{"balance source"}},
		listen{port: 6443, lines: []string{"balance source"}, options: "no-check"},
		listen{port: 11443, options: "no-check"})
	vip := r.node(t, "west-lb").Address
	r.meanwhile(t, "west-4", "ip rule add pref 1 to "+vip+" ipproto tcp dport 6443 blackhole", "ip rule del pref 1")
	v := r.balancer(t)

	p := portOf(t, v, 443) // the reached ones made way for the others
	require.Equal(t, checks.BalancerPort{Port: 443, Reached: masters, Layer: "tcp", Checked: "yes"}, p)

	p = portOf(t, v, 6443)
	require.Len(t, p.Reached, 1)
	require.Len(t, p.Unknown, 2)
	require.Contains(t, p.Error, "none to others when it listens no longer")
	require.Equal(t, []string{"west-4: forbidden by the node itself"}, v.Cut)
	require.Equal(t, 3, v.Near)

	p = portOf(t, v, 11443)
	require.Equal(t, masters, p.Reached)
	require.Equal(t, "no", p.Checked)
	require.Equal(t, checks.Warn, r.judge("LB-06", nil, &v).Outcome)
}

// testTakenPort is how the machines look after an install, or with a program
// in the platform's way.
func (r *rig) testTakenPort(t *testing.T) {
	r.meanwhile(t, "west-3", "/usr/sbin/sshd -p 443 -o PidFile=/run/other.pid", "kill $(cat /run/other.pid)")
	m := r.mesh(t)
	require.Len(t, m.Taken["west-3"], 1)
	require.Regexp(t, `^tcp/443 in use by sshd \(pid \d+\)$`, m.Taken["west-3"][0])
	require.Equal(t, checks.Error, r.judge("CHK-26", &m, nil).Outcome)
	v := r.balancer(t)
	p := portOf(t, v, 443)
	require.Equal(t, masters[:2], p.Reached)
	require.Equal(t, masters[2:], p.Unknown)
	require.Contains(t, p.Error, "west-3: in use by sshd")
	require.Equal(t, checks.Error, r.judge("LB-01", nil, &v).Outcome)
	require.Equal(t, checks.Pass, r.judge("LB-02", nil, &v).Outcome)
}

// testBalancerFarAway is a VIP that the worker can't reach: a node tries it.
func (r *rig) testBalancerFarAway(t *testing.T) {
	host := r.node(t, "dns").Address
	host = host[:strings.LastIndexByte(host, '.')] + ".1"
	r.meanwhile(t, "west-lb",
		"ip rule add pref 9 lookup local; ip rule del pref 0; ip rule add pref 1 from "+host+" ipproto tcp blackhole",
		"ip rule del pref 1; ip rule add pref 0 lookup local; ip rule del pref 9")
	v := r.balancer(t)
	require.Equal(t, "node west-4", v.From)
	require.Equal(t, masters, portOf(t, v, 443).Reached)
}

// testJumpHost sends the connections through the bastion of the nodes.
func (r *rig) testJumpHost(t *testing.T) {
	behind := *r
	doc := r.scope.Site
	doc.Clusters = append([]site.Cluster{}, doc.Clusters...)
	c := &doc.Clusters[0]
	worker := r.node(t, "west-4")
	c.SSH.Jump = &site.Jump{Address: worker.Address, User: lab.User, PrivateKey: c.SSH.PrivateKey, HostKey: worker.HostKey}
	behind.scope.Site = doc
	v := behind.balancer(t)
	require.Equal(t, "the jump host", v.From)
	require.Equal(t, masters, portOf(t, v, 443).Reached)
}

func (r *rig) testDeadNode(t *testing.T) {
	require.NoError(t, r.node(t, "west-3").PowerOff(t.Context()))
	t.Cleanup(func() { require.NoError(t, r.node(t, "west-3").PowerOn(context.Background())) })
	m := r.mesh(t)
	require.Contains(t, m.Silent, "west-3")
	for _, p := range m.Pairs {
		dead := p.From == "west-3" || p.To == "west-3"
		require.Equal(t, dead, p.Error != "", "%+v", p)
		require.Equal(t, dead, p.Reached == 0, "%+v", p)
	}
	require.Equal(t, checks.Error, r.judge("CHK-26", &m, nil).Outcome)
	v := r.balancer(t)
	p := portOf(t, v, 443)
	require.Equal(t, masters[:2], p.Reached)
	require.Equal(t, masters[2:], p.Unknown)
}
