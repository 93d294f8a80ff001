package drivers

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/balancer"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/site"
)

// dying is a host whose next change is killed between the new configuration
// being written and its being loaded.
type dying struct{ balancer.Host }

func (h dying) Run(ctx context.Context, cmd ssh.Command) (ssh.Result, error) {
	cmd.Script = strings.Replace(cmd.Script, "why=$(systemctl reload haproxy 2>&1)", "kill -KILL $BASHPID; why=$(false)", 1)
	return h.Host.Run(ctx, cmd)
}

func testHAProxyFaults(t *testing.T, r *rig, before string) {
	lb := r.host(t, "west-lb")
	driver := balancer.HAProxy{Hosts: []balancer.Host{lb}, VIP: r.d.Clusters[0].VIP}
	without := strings.TrimRight(strings.Split(before, "\nlisten west-2379")[0], "\n") + "\n" // the last two sections go with it
	require.NotEqual(t, before, without)
	want := r.etcdForward()

	// closed is a balancer that does not forward 2379, and is left so.
	closed := func(t *testing.T) { r.restore(t, "west-lb", without) }
	unchanged := func(t *testing.T) {
		t.Helper()
		require.Equal(t, without, r.read(t, "west-lb", config))
		require.False(t, r.takes(2379))
		require.True(t, r.takes(443))
		require.NotContains(t, r.script(t, "west-lb", "ls -a /etc/haproxy"), "acpflow-new")
	}

	t.Run("killed between write and reload", func(t *testing.T) {
		closed(t)
		_, err := balancer.HAProxy{Hosts: []balancer.Host{dying{lb}}, VIP: driver.VIP}.Open(t.Context(), want)
		require.Error(t, err)
		require.Contains(t, r.read(t, "west-lb", config), "acpflow: begin 2379")
		require.False(t, r.takes(2379), "written and not loaded")
		changed, err := driver.Open(t.Context(), want)
		require.NoError(t, err)
		require.True(t, changed)
		require.True(t, r.takes(2379), "the next attempt completes it")

		_, err = balancer.HAProxy{Hosts: []balancer.Host{dying{lb}}, VIP: driver.VIP}.Close(t.Context(), 2379)
		require.Error(t, err)
		require.NotContains(t, r.read(t, "west-lb", config), "2379")
		require.True(t, r.takes(2379))
		changed, err = driver.Close(t.Context(), 2379)
		require.NoError(t, err)
		require.True(t, changed)
		require.False(t, r.takes(2379))
	})

	t.Run("attempts that overlap", func(t *testing.T) {
		closed(t)
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				_, err := driver.Open(t.Context(), want)
				require.NoError(t, err)
			})
		}
		wait.Wait()
		require.Equal(t, 1, strings.Count(r.read(t, "west-lb", config), "listen acpflow-2379"))
		require.True(t, r.takes(2379))
	})

	t.Run("copies of the configuration stay, not for ever", func(t *testing.T) {
		closed(t)
		r.script(t, "west-lb", "rm -f "+config+".acpflow-*; chmod 0640 "+config+"; for i in 1 2 3 4 5 6 7 8 9 10 11; do echo old >"+config+".acpflow-2020010$i; done")
		_, err := driver.Open(t.Context(), want)
		require.NoError(t, err)
		list := strings.Fields(r.script(t, "west-lb", "ls "+config+".acpflow-*"))
		require.Len(t, list, 10)
		require.Equal(t, without, r.read(t, "west-lb", list[9]), "the newest is what was there")
		require.Equal(t, "640 640\n", r.script(t, "west-lb", "echo $(stat -c %a "+config+" "+list[9]+")"), "with its mode")
	})

	t.Run("a configuration that HAProxy refuses", func(t *testing.T) {
		closed(t)
		broken := without + "\nlisten broken\n\tbind 127.0.0.1:9\n\tno-such-word\n"
		r.write(t, "west-lb", config, broken)
		_, err := driver.Open(t.Context(), want)
		require.Equal(t, fault.Refused, fault.ClassOf(err))
		require.ErrorContains(t, err, "unknown keyword 'no-such-word'")
		require.Equal(t, broken, r.read(t, "west-lb", config))
		r.write(t, "west-lb", config, without)
		unchanged(t)
	})

	t.Run("a reload that fails", func(t *testing.T) {
		closed(t)
		dropIn := "/run/systemd/system/haproxy.service.d/test.conf"
		r.write(t, "west-lb", dropIn, "[Service]\nExecReload=\nExecReload=/bin/false\n")
		r.script(t, "west-lb", "systemctl daemon-reload")
		_, err := driver.Open(t.Context(), want)
		r.script(t, "west-lb", "rm "+dropIn+"; systemctl daemon-reload")
		require.Equal(t, fault.Failed, fault.ClassOf(err))
		require.ErrorContains(t, err, "systemctl reload haproxy")
		unchanged(t)
	})

	t.Run("a port that somebody has", func(t *testing.T) {
		closed(t)
		r.script(t, "west-lb", "systemd-run --quiet --unit=squatter socat TCP-LISTEN:2379,fork,reuseaddr EXEC:cat")
		eventually(t, time.Minute, "the squatter", func() bool { return r.takes(2379) })
		_, err := driver.Open(t.Context(), want)
		r.script(t, "west-lb", "systemctl stop squatter")
		require.Equal(t, fault.Gate, fault.ClassOf(err))
		require.ErrorContains(t, err, "socat")
		unchanged(t)
	})

	t.Run("what is no plain TCP", func(t *testing.T) { testNotPlain(t, r, before, without) })
	t.Run("two machines", func(t *testing.T) { testTwoMachines(t, r, without, unchanged) })
	t.Run("no configuration", func(t *testing.T) {
		_, err := balancer.HAProxy{Hosts: []balancer.Host{lb}, VIP: driver.VIP, Config: "/etc/haproxy/none.cfg"}.Open(t.Context(), want)
		require.Equal(t, fault.BadInput, fault.ClassOf(err))
		_, err = balancer.HAProxy{VIP: driver.VIP}.Close(t.Context(), 2379)
		require.Equal(t, fault.BadInput, fault.ClassOf(err))
	})
}

// testNotPlain: an HTTP balancer and one that ends TLS on 2379 are told, by the
// configuration and, where nobody may read that, by what the VIP answers.
func testNotPlain(t *testing.T, r *rig, before, without string) {
	s := r.site("acp", nil)
	a := &activities.Forwarding{Hosts: r.hosts}
	in := activities.PortInput{Scope: activities.Scope{Site: s, Cluster: "west"}, Port: activities.EtcdPort}
	managed := &site.Balancer{Driver: site.BalancerHAProxy, HAProxy: &site.HAProxy{Config: config,
		Hosts: []site.Host{{Name: "west-lb", Address: r.d.Clusters[0].VIP, HostKey: r.node(t, "west-lb").HostKey}}}}
	servers := ""
	for _, b := range r.etcdForward().Backends {
		servers += "\tserver s" + b + " " + b + "\n"
	}
	own, key := newCertificate(t, nil, nil, "somebody", "")
	r.write(t, "west-lb", "/etc/haproxy/test.pem", certPEM(own)+keyPEM(t, key))
	for name, c := range map[string]struct{ section, mode, says string }{
		"http": {"listen etcd\n\tbind " + r.d.Clusters[0].VIP + ":2379\n\tmode http\n" + servers, "http", "does not speak TLS"},
		"tls":  {"listen etcd\n\tbind " + r.d.Clusters[0].VIP + ":2379 ssl crt /etc/haproxy/test.pem\n" + strings.ReplaceAll(servers, ":2379\n", ":2379 ssl verify none\n"), "tls", "presents a certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			text := without + "\n" + c.section
			r.restore(t, "west-lb", text)
			in.Site.Clusters[0].Balancer = managed
			_, err := a.OpenPort(t.Context(), in)
			require.Equal(t, fault.Gate, fault.ClassOf(err))
			require.ErrorContains(t, err, "it is in mode "+c.mode+", and 2379 must be plain TCP")
			require.Equal(t, text, r.read(t, "west-lb", config), "nothing is rewritten")
			state, err := a.LookAtPort(t.Context(), in)
			require.NoError(t, err)
			require.Equal(t, c.mode, state.Mode)
			require.False(t, *state.PlainTCP)

			in.Site.Clusters[0].Balancer = nil // a person's
			_, err = a.OpenPort(t.Context(), in)
			require.Equal(t, fault.Gate, fault.ClassOf(err))
			require.ErrorContains(t, err, "2379 is not plain TCP")
			require.ErrorContains(t, err, c.says)
		})
	}
	r.restore(t, "west-lb", before)
}

// testTwoMachines: what works on one machine of a pair only is taken back.
func testTwoMachines(t *testing.T, r *rig, without string, unchanged func(*testing.T)) {
	vip, want := r.d.Clusters[0].VIP, r.etcdForward()
	pair := balancer.HAProxy{Hosts: []balancer.Host{r.host(t, "west-lb"), r.host(t, "west-2")}, VIP: vip}
	second := "defaults\n\tmode tcp\n\ttimeout connect 5s\n\ttimeout client 1h\n\ttimeout server 1h\n\nlisten other\n\tbind 127.0.0.1:8443\n\tserver x 127.0.0.1:1\n"
	r.restore(t, "west-lb", without)
	r.restore(t, "west-2", second)

	// west-2 may not bind an address it does not have, so HAProxy there does not load it.
	r.script(t, "west-2", "sysctl -qw net.ipv4.ip_nonlocal_bind=0")
	_, err := pair.Open(t.Context(), want)
	require.Equal(t, fault.Failed, fault.ClassOf(err))
	require.ErrorContains(t, err, "the configuration of before was put back")
	require.ErrorContains(t, err, r.node(t, "west-2").Address)
	require.Equal(t, second, r.read(t, "west-2", config))
	require.Contains(t, r.script(t, "west-2", "ss -Hlnt"), "127.0.0.1:8443", "it still serves what it did")
	unchanged(t)

	r.script(t, "west-2", "sysctl -qw net.ipv4.ip_nonlocal_bind=1")
	changed, err := pair.Open(t.Context(), want)
	require.NoError(t, err)
	require.True(t, changed)
	require.Contains(t, r.script(t, "west-2", "ss -Hlnt"), vip+":2379")
	require.True(t, r.takes(2379))

	r.write(t, "west-2", config, second) // by hand, and not loaded
	all, err := pair.Forwards(t.Context())
	require.NoError(t, err)
	for _, f := range all {
		require.Equal(t, "mixed", f.Mode, "the machines differ: %+v", f)
	}
	changed, err = pair.Close(t.Context(), 2379)
	require.NoError(t, err)
	require.True(t, changed)
	unchanged(t)
	require.NotContains(t, r.script(t, "west-2", "ss -Hlnt"), vip+":2379")
}
