package drivers

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/balancer"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/program"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab"
)

const config = "/etc/haproxy/haproxy.cfg"

// balancerProgram is a site's own program: bash that edits HAProxy's file on its
// machine. It is as simple as such programs are: it knows one section of its own.
const balancerProgram = `#!/bin/bash
set -eu -o pipefail
read -r request
field() { sed -nE "s/.*\"$1\":\"?([^\",}]*).*/\1/p" <<<"$request"; }
there() { SHELL "cat CONFIG"; }
port=$(field port)
case $(field action) in
list)
	there | awk -v vip="$(field vip)" '
		function out() { if (port) { printf "%s{\"port\":%s,\"mode\":\"%s\",\"backends\":[%s]}", sep, port, mode, list; sep = "," } port = ""; mode = "tcp"; list = "" }
		BEGIN { printf "{\"forwards\":[" }
		/^[a-z#]/ { out() }
		$1 == "bind" && index($2, vip ":") == 1 { port = substr($2, length(vip) + 2) }
		$1 == "mode" { mode = $2 }
		$1 == "server" { list = list (list ? "," : "") "\"" $3 "\"" }
		END { out(); print "]}" }' ;;
open)
	if there | grep -q "bind $(field vip):$port\$"; then echo '{"changed":false}'; exit; fi
	{
		echo "listen mine-$port"
		printf '\tbind %s:%s\n' "$(field vip)" "$port"
		grep -oE '"[0-9.]+:[0-9]+"' <<<"$request" | tr -d '"' | awk '{ print "\tserver s" NR " " $0 " check inter 1s" }'
	} | SHELL "tee -a CONFIG >/dev/null"
	SHELL "systemctl reload haproxy"
	echo '{"changed":true}' ;;
close)
	if ! there | grep -q "bind $(field vip):$port\$"; then echo '{"changed":false}'; exit; fi
	there | awk -v bind="$(field vip):$port" '
		/^[a-z#]/ { if (!drop) printf "%s", text; text = ""; drop = 0 }
		{ text = text $0 "\n" }
		$1 == "bind" && $2 == bind { drop = 1 }
		END { if (!drop) printf "%s", text }' | SHELL "tee CONFIG.new >/dev/null"
	SHELL "mv CONFIG.new CONFIG"
	SHELL "systemctl reload haproxy"
	echo '{"changed":true}' ;;
*) echo "what is that?" >&2; exit 2 ;;
esac
`

// manual is a person with an editor on the balancer.
type manual struct {
	balancer.Driver
	r *rig
}

// pair has HAProxy on its own machine (the VIP's) and on west-2, which may bind
// the VIP too.
func testBalancer(t *testing.T, r *rig) {
	r.startEtcd(t)
	before := r.read(t, "west-lb", config)
	vip := r.d.Clusters[0].VIP
	t.Cleanup(func() {
		_ = r.node(t, "west-lb").WriteFile(context.Background(), config, []byte(before), "0644")
	})
	exec := program.Program{Command: []string{programFile(t, strings.NewReplacer("SHELL", r.shell(t, "west-lb"), "CONFIG", config).Replace(balancerProgram))}}
	haproxy := balancer.HAProxy{Hosts: []balancer.Host{r.host(t, "west-lb")}, VIP: vip}
	for _, c := range []struct {
		name   string
		driver balancer.Driver
		site   *site.Balancer
	}{
		{"haproxy", haproxy, &site.Balancer{Driver: site.BalancerHAProxy, HAProxy: &site.HAProxy{Config: config,
			Hosts: []site.Host{{Name: "west-lb", Address: vip, HostKey: r.node(t, "west-lb").HostKey}}}}},
		{"exec", balancer.Exec{Program: exec, VIP: vip}, &site.Balancer{Driver: site.BalancerExec, Exec: &site.Exec{Command: exec.Command}}},
		{"manual", manual{haproxy, r}, &site.Balancer{Driver: site.BalancerManual}},
	} { // one after the other: there is one port 2379
		t.Run(c.name, func(t *testing.T) {
			r.restore(t, "west-lb", before)
			t.Run("driver", func(t *testing.T) { conformBalancer(t, r, c.driver) })
			r.restore(t, "west-lb", before)
			t.Run("ports", func(t *testing.T) { conformPorts(t, r, c.driver, c.site) })
		})
	}
	t.Run("faults", func(t *testing.T) { testHAProxyFaults(t, r, before) })
}

// restore gives a machine a configuration, however it was left.
func (r *rig) restore(t *testing.T, node, text string) {
	t.Helper()
	r.write(t, node, config, text)
	r.script(t, node, "rm -f /run/acpflow-haproxy.pending; systemctl reset-failed haproxy || true; systemctl restart haproxy")
}

func (r *rig) etcdForward() balancer.Forward {
	f := balancer.Forward{Port: 2379, Mode: balancer.TCP}
	for _, n := range r.d.Nodes {
		if n.Role == lab.ControlPlane {
			f.Backends = append(f.Backends, n.Address+":2379")
		}
	}
	return f
}

// takes reports whether the VIP takes connections at the port.
func (r *rig) takes(port int) bool {
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", r.d.Clusters[0].VIP, port), 5*time.Second)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// conformBalancer is what every driver promises.
func conformBalancer(t *testing.T, r *rig, d balancer.Driver) {
	ctx, want := t.Context(), r.etcdForward()
	listed := func() (ports []int) {
		all, err := d.Forwards(ctx)
		require.NoError(t, err)
		for _, f := range all {
			ports = append(ports, f.Port)
			if f.Port == want.Port {
				require.True(t, f.Same(want), "%+v", f)
			}
		}
		return ports
	}
	require.Equal(t, []int{80, 443, 2379, 6443, 11443}, listed(), "what the lab set up")
	changed, err := d.Open(ctx, want)
	require.NoError(t, err)
	require.False(t, changed, "right at once: somebody else's section is as good as ours")

	for range 2 {
		changed, err = d.Close(ctx, 2379)
		require.NoError(t, err)
		require.True(t, changed)
		eventually(t, time.Minute, "2379 is closed", func() bool { return !r.takes(2379) })
		require.Equal(t, []int{80, 443, 6443, 11443}, listed())
		changed, err = d.Close(ctx, 2379)
		require.NoError(t, err)
		require.False(t, changed, "twice is once")
		require.True(t, r.takes(443), "the other ports stay")

		changed, err = d.Open(ctx, want)
		require.NoError(t, err)
		require.True(t, changed)
		eventually(t, time.Minute, "2379 is open", func() bool { return r.takes(2379) })
		require.Equal(t, []int{80, 443, 2379, 6443, 11443}, listed())
		changed, err = d.Open(ctx, want)
		require.NoError(t, err)
		require.False(t, changed, "twice is once")
	}

	_, err = d.Open(ctx, balancer.Forward{Port: 443, Mode: balancer.TCP, Backends: []string{"192.0.2.1:443"}})
	require.Equal(t, fault.Gate, fault.ClassOf(err), "never silently rewritten")
	require.ErrorContains(t, err, "wanted is 192.0.2.1:443")
	for _, bad := range []balancer.Forward{{Port: 2379, Mode: "http", Backends: want.Backends}, {Port: 2379, Mode: balancer.TCP}, {Port: 0, Mode: balancer.TCP, Backends: want.Backends}} {
		_, err = d.Open(ctx, bad)
		require.Equal(t, fault.BadInput, fault.ClassOf(err))
	}
	require.Equal(t, []int{80, 443, 2379, 6443, 11443}, listed())

	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err = d.Close(gone, 2379)
	require.Error(t, err)
	require.True(t, r.takes(2379))
}

// conformPorts is what the activity makes of every driver: it confirms from
// outside, by the certificate that the VIP presents.
func conformPorts(t *testing.T, r *rig, driver balancer.Driver, b *site.Balancer) {
	s := r.site("acp", nil)
	s.Clusters[0].Balancer = b
	a := &activities.Forwarding{Hosts: r.hosts}
	in := activities.PortInput{Scope: activities.Scope{Site: s, Cluster: "west"}, Port: activities.EtcdPort}
	byHand := func(open bool) {
		if b.Driver != site.BalancerManual {
			return
		}
		_, err := a.ClosePort(t.Context(), in)
		if open {
			_, err = a.OpenPort(t.Context(), in)
		}
		require.Equal(t, fault.Gate, fault.ClassOf(err), "nobody has done it yet")
		if open {
			require.ErrorContains(t, err, "forward TCP port 2379 of "+r.d.Clusters[0].VIP+" to "+r.address(11)+":2379")
			_, err = driver.Open(t.Context(), r.etcdForward())
		} else {
			require.ErrorContains(t, err, "remove the forwarding of port 2379 from "+r.d.Clusters[0].VIP)
			_, err = driver.Close(t.Context(), 2379)
		}
		require.NoError(t, err)
	}
	e, err := a.OpenPort(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, "false", e.Facts["changed"])
	byHand(false)
	e, err = a.ClosePort(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(b.Driver != site.BalancerManual), e.Facts["changed"])
	require.Equal(t, "connections are refused", e.Facts["seen"])
	state, err := a.LookAtPort(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, activities.PortState{Port: 2379, Error: "nothing listens there"}, state)

	byHand(true)
	e, err = a.OpenPort(t.Context(), in)
	require.NoError(t, err)
	require.Contains(t, e.Summary, "as plain TCP")
	var states []activities.PortState
	eventually(t, time.Minute, "HAProxy knows that nobody is behind the other ports", func() bool { // it tries for a while after a reload
		states, err = a.ReadForwards(t.Context(), activities.ClusterInput{Scope: in.Scope})
		require.NoError(t, err)
		return !slices.ContainsFunc(states, func(p activities.PortState) bool { return p.Reachable != (p.Port == 2379) })
	})
	require.Len(t, states, 5)
	for _, p := range states {
		require.True(t, p.Configured, "%+v", p)
		if p.Port == 2379 {
			require.True(t, *p.PlainTCP)
			require.Empty(t, p.Error)
		} else {
			require.Contains(t, p.Error, "no control plane answers behind it")
		}
	}
}
