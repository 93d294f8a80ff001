package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

// naming is a runbook of one step that moves the platform's name or a port, and
// one after it that may break.
type naming struct {
	*world
	site   site.Site
	step   func(s *site.Site) workflows.Step
	broken bool
}

// names answers as servers and a balancer do that are so, or not yet.
func newNaming(t *testing.T, step func(s *site.Site) workflows.Step) *naming {
	n := &naming{world: newWorld(t), site: thePair(), step: step}
	n.answer["LoadSite"] = func() any { return site.Snapshot{Name: "lab", SHA256: "5111", Site: n.site} }
	for _, name := range []string{"OpenPort", "ClosePort"} {
		n.on(name, func() any { return activities.Evidence{Summary: name + " done"} })
	}
	n.on("LookAtPort", func() any { return activities.PortState{Port: 2379} })
	n.env.RegisterWorkflowWithOptions(func(ctx workflow.Context, in converter.RawValue) (*workflows.Progress, error) {
		return workflows.Execute(ctx, workflows.Runbook{Name: "Naming", Verb: "name", Changes: true, Steps: func(s *site.Site, _ *site.Cluster, _ *workflows.Progress) []workflows.Step {
			after := workflows.Step{StepInfo: workflows.StepInfo{ID: "x.02-after", Effect: workflows.Write}}
			after.Do = func(workflow.Context) (activities.Evidence, error) {
				if n.broken {
					return activities.Evidence{}, temporal.NewNonRetryableApplicationError("broken", "Failed", nil)
				}
				return activities.Evidence{Summary: "done"}, nil
			}
			return []workflows.Step{n.step(s), after}
		}}, in)
	}, workflow.RegisterOptions{Name: "Naming"})
	return n
}

// did runs the book and returns which of the names' activities were called.
func (n *naming) did(r workflows.Request) ([]string, error) {
	err := n.runBook("Naming", r)
	var out []string
	for _, name := range n.done() {
		if strings.HasSuffix(name, "Platform") || strings.HasSuffix(name, "Port") {
			out = append(out, name)
		}
	}
	return out, err
}

func point(s *site.Site) workflows.Step {
	return workflows.PointPlatform("x.01-point", "Point", s, &s.Clusters[1], &s.Clusters[0])
}

func port(build func(id, title string, s *site.Site, c *site.Cluster, port int) workflows.Step) func(*site.Site) workflows.Step {
	return func(s *site.Site) workflows.Step { return build("x.01-port", "Port", s, &s.Clusters[0], 2379) }
}

func quiet() workflows.Request {
	r := request
	r.OnFailure = workflows.OnFailureAbort
	return r
}

func TestPointPlatformIsPointedBackOnAnAbort(t *testing.T) {
	n := newNaming(t, point)
	did, err := n.did(quiet())
	require.NoError(t, err)
	assert.Equal(t, []string{"PointPlatform"}, did)

	n = newNaming(t, point)
	n.broken = true
	did, err = n.did(quiet())
	require.Error(t, err)
	assert.Equal(t, []string{"PointPlatform", "PointPlatform"}, did)
}

// TestManualNameIsAskedForOnlyWhileItIsNotSo: three sights, one question.
func TestManualNameIsAskedForOnlyWhileItIsNotSo(t *testing.T) {
	for name, c := range map[string]struct {
		now   activities.PlatformAddress
		asked bool
	}{
		"so already":          {activities.PlatformAddress{Cluster: "east", Agreed: true, TTL: 30}, false},
		"so, but kept long":   {activities.PlatformAddress{Cluster: "east", Agreed: true, TTL: 300}, true},
		"the other one":       {activities.PlatformAddress{Cluster: "west", Agreed: true, TTL: 30}, true},
		"not for all of them": {activities.PlatformAddress{Cluster: "east", TTL: 30}, true},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNaming(t, point)
			n.site.DR.DNS = &site.DNS{Driver: site.DNSManual, TTL: 30, Zone: "example.com", Authoritative: []string{"192.0.2.2"}}
			n.answer["LookUpPlatform"] = func() any { return c.now }
			asked := ""
			n.after(time.Minute, func() {
				if g := n.status().Gate; g != nil {
					asked = g.Question
					n.decide(workflows.Decision{Step: g.Step, Action: workflows.Approve, By: "me", Reason: "done"})
				}
			})
			did, err := n.did(request)
			require.NoError(t, err)
			assert.Equal(t, []string{"LookUpPlatform", "PointPlatform"}, did)
			if c.asked {
				assert.Equal(t, "Point acp.example.com at A 192.0.2.20 and no AAAA record, TTL ≤ 30, on every authoritative server, then approve", asked)
			} else {
				assert.Empty(t, asked)
			}
		})
	}
}

// TestPortsAreUndoneOnlyWhereTheRunChangedThem: what was so before the run stays.
func TestPortsAreUndoneOnlyWhereTheRunChangedThem(t *testing.T) {
	managed := &site.Balancer{Driver: site.BalancerExec, Exec: &site.Exec{Command: []string{"/opt/balancer"}}}
	for name, c := range map[string]struct {
		step   func(*site.Site) workflows.Step
		before bool
		want   []string
	}{
		"opened":        {port(workflows.OpenPort), false, []string{"LookAtPort", "OpenPort", "ClosePort"}},
		"open before":   {port(workflows.OpenPort), true, []string{"LookAtPort", "OpenPort"}},
		"closed":        {port(workflows.ClosePort), true, []string{"LookAtPort", "ClosePort", "OpenPort"}},
		"closed before": {port(workflows.ClosePort), false, []string{"LookAtPort", "ClosePort"}},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNaming(t, c.step)
			n.site.Clusters[0].Balancer, n.broken = managed, true
			n.answer["LookAtPort"] = func() any { return activities.PortState{Port: 2379, Configured: c.before} }
			did, err := n.did(quiet())
			require.Error(t, err)
			assert.Equal(t, c.want, did)
		})
	}
}

func TestManualPortsAreAskedForOnlyWhileTheyAreNotSo(t *testing.T) {
	yes, no := true, false
	for name, c := range map[string]struct {
		step  func(*site.Site) workflows.Step
		now   activities.PortState
		asked string
	}{
		"open":            {port(workflows.OpenPort), activities.PortState{Configured: true, Reachable: true, PlainTCP: &yes}, ""},
		"not open":        {port(workflows.OpenPort), activities.PortState{Error: "nothing listens there"}, "Forward TCP port 2379 of 192.0.2.10 to 192.0.2.11:2379 192.0.2.12:2379 192.0.2.13:2379, without TLS or HTTP in between, then approve"},
		"open, not plain": {port(workflows.OpenPort), activities.PortState{Configured: true, Reachable: true, PlainTCP: &no, Error: "2379 is not plain TCP"}, "Forward TCP port 2379"},
		"closed":          {port(workflows.ClosePort), activities.PortState{}, ""},
		"not closed":      {port(workflows.ClosePort), activities.PortState{Configured: true}, "Remove the forwarding of port 2379 from 192.0.2.10, then approve"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNaming(t, c.step)
			n.site.Clusters[0].Balancer = nil
			n.answer["LookAtPort"] = func() any { return c.now }
			asked := ""
			n.after(time.Minute, func() {
				if g := n.status().Gate; g != nil {
					asked = g.Question
					n.decide(workflows.Decision{Step: g.Step, Action: workflows.Approve, By: "me", Reason: "done"})
				}
			})
			_, err := n.did(request)
			require.NoError(t, err)
			assert.True(t, strings.HasPrefix(asked, c.asked) && (asked == "") == (c.asked == ""), asked)
		})
	}
	s := thePair()
	s.Clusters[0].Endpoint.VIP = s.Clusters[0].Nodes[0].Address
	assert.Nil(t, port(workflows.ClosePort)(&s).Ask, "nobody can close a port of a node's own address")
}

// TestPlanShowsTheVeryCommands of every driver.
func TestPlanShowsTheVeryCommands(t *testing.T) {
	s := thePair()
	s.Platform.IPv6Access, s.Clusters[1].Other = true, []string{"192.0.2.20", "2001:db8::20"}
	s.DR.DNS.RFC2136.Server, s.DR.DNS.RFC2136.Algorithm, s.DR.DNS.Resolvers = "192.0.2.2", "hmac-sha256", []string{"192.0.2.3"}
	assert.Equal(t, []string{
		"nsupdate -y hmac-sha256:acpflow.:SECRET   # one message", "  server 192.0.2.2", "  zone example.com",
		"  update delete acp.example.com. A", "  update delete acp.example.com. AAAA",
		"  update add acp.example.com. 30 A 192.0.2.20", "  update add acp.example.com. 30 AAAA 2001:db8::20", "  send",
		"dig @192.0.2.2 acp.example.com. A acp.example.com. AAAA   # until right three times in a row",
		"dig @192.0.2.3 acp.example.com. A acp.example.com. AAAA   # the same, within the TTL",
	}, point(&s).Calls)
	for says, d := range map[string]*site.DNS{
		"POST http://127.0.0.1:8888/records   # acp.example.com 192.0.2.20 2001:db8::20, TTL 30": {Driver: site.DNSExternal, ExternalDNS: &site.ExternalDNS{URL: "http://127.0.0.1:8888/"}},
		"/opt/dns --now   # upsert acp.example.com 192.0.2.20 2001:db8::20, TTL 30":              {Driver: site.DNSExec, Exec: &site.Exec{Command: []string{"/opt/dns", "--now"}}},
		"a person: point acp.example.com at A 192.0.2.20 and AAAA 2001:db8::20, TTL ≤ 30":        {Driver: site.DNSManual},
	} {
		d.TTL, d.Zone, s.DR.DNS = 30, "example.com", d
		assert.Equal(t, says, point(&s).Calls[0])
	}
	for says, b := range map[string]*site.Balancer{
		"ssh root@192.0.2.10 sudo -n: cp /etc/h.cfg /etc/h.cfg.acpflow-TIME; open port 2379 in /etc/h.cfg; haproxy -c -f /etc/h.cfg; systemctl reload haproxy; ss -lnt": {
			Driver: site.BalancerHAProxy, HAProxy: &site.HAProxy{Config: "/etc/h.cfg", Hosts: []site.Host{{Address: "192.0.2.10"}}}},
		`/opt/lb   # {"action":"open","port":2379}`: {Driver: site.BalancerExec, Exec: &site.Exec{Command: []string{"/opt/lb"}}},
		"a person: forward TCP port 2379 of 192.0.2.10 to 192.0.2.11:2379 192.0.2.12:2379 192.0.2.13:2379, without TLS or HTTP in between": {Driver: site.BalancerManual},
	} {
		s.Clusters[0].Balancer = b
		calls := port(workflows.OpenPort)(&s).Calls
		assert.Equal(t, says, calls[0])
		assert.Equal(t, "connect to 192.0.2.10 port 2379   # until it presents the certificate of a control plane", calls[1])
	}
	s.Clusters[0].Balancer = nil
	assert.Equal(t, "a person: remove the forwarding of port 2379 from 192.0.2.10", port(workflows.ClosePort)(&s).Calls[0])
}
