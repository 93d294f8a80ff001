package drivers

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/dns"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/program"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
)

// secondConf is a name server beside the lab's: another primary of the zone that
// nobody copies to, a zone that takes no updates, and a door only the node reaches.
const secondConf = `options {
	directory "/var/cache/bind"; pid-file "/run/named/second.pid"; session-keyfile "/run/named/second-session.key";
	listen-on { ADDRESS; }; listen-on port 5300 { 127.0.0.1; }; listen-on-v6 { none; };
	recursion no; dnssec-validation no; notify no;
};
controls { };
key "acpflow-lab" { algorithm hmac-sha256; secret "SECRET"; };
zone "ZONE" { type primary; file "/var/lib/bind/second.zone"; update-policy { grant acpflow-lab zonesub ANY; }; };
zone "fixed.example.com" { type primary; file "/var/lib/bind/fixed.zone"; };
`

const secondZone = "$TTL 5\n@ SOA ns h 1 3600 600 86400 5\n@ NS ns\nns A 192.0.2.2\nsplit A 192.0.2.9\n"

// secondServer runs a second BIND on a node.
func (r *rig) secondServer(t *testing.T, node string) string {
	address := r.node(t, node).Address
	conf := strings.NewReplacer("ADDRESS", address, "SECRET", r.tsigSecret(t), "ZONE", r.d.Zone).Replace(secondConf)
	r.write(t, node, "/etc/bind/second.conf", conf)
	r.write(t, node, "/var/lib/bind/second.zone", secondZone)
	r.write(t, node, "/var/lib/bind/fixed.zone", secondZone)
	r.script(t, node, "chown bind /etc/bind/second.conf /var/lib/bind/*.zone; install -d -o bind -g bind /run/named; systemd-run --quiet --unit=second-named named -f -u bind -c /etc/bind/second.conf")
	eventually(t, time.Minute, "the second name server came up", func() bool {
		a, err := dns.Ask(t.Context(), address, "split."+r.d.Zone)
		return err == nil && len(a.A) == 1
	})
	return address
}

func testDNSFaults(t *testing.T, r *rig) {
	second := r.secondServer(t, "west-1")
	one := dns.Records{A: []string{"192.0.2.1"}, TTL: 5}
	name := "faults." + r.d.Zone
	good := r.rfc2136(t)

	t.Run("updates that are refused", func(t *testing.T) {
		for what, c := range map[string]struct {
			d     dns.RFC2136
			name  string
			class fault.Class
			says  string
		}{
			"another secret": {with(good, func(d *dns.RFC2136) {
				d.Secret = secret.NewValue([]byte(base64.StdEncoding.EncodeToString([]byte("another secret"))))
			}), name, fault.Auth, "BADSIG"},
			"another key": {with(good, func(d *dns.RFC2136) {
				d.KeyName, d.Secret = "nobody.", secret.NewValue([]byte(r.tsigSecret(t)))
			}), name, fault.Auth, "BADKEY: the server does not know the key nobody."},
			"another algorithm": {with(good, func(d *dns.RFC2136) {
				d.Algorithm, d.Secret = "hmac-sha512", secret.NewValue([]byte(r.tsigSecret(t)))
			}), name, fault.Auth, "BADKEY"},
			"a zone without updates":  {with(good, func(d *dns.RFC2136) { d.Server, d.Zone = second, "fixed.example.com" }), "acp.fixed.example.com", fault.Refused, "REFUSED"},
			"a zone it does not have": {with(good, func(d *dns.RFC2136) { d.Zone = "example.org" }), "acp.example.org", fault.Refused, "NOTAUTH: the server is not authoritative for example.org"},
			"a name outside the zone": {good, "acp.example.org", fault.BadInput, "outside the zone"},
			"nobody there":            {with(good, func(d *dns.RFC2136) { d.Server = r.node(t, "west-2").Address }), name, fault.Unreachable, "refused"},
		} {
			t.Run(what, func(t *testing.T) {
				err := c.d.Upsert(t.Context(), c.name, one)
				require.ErrorContains(t, err, c.says)
				require.Equal(t, c.class, fault.ClassOf(err))
				require.NotContains(t, err.Error(), r.tsigSecret(t))
			})
		}
		a, err := dns.Ask(t.Context(), r.d.DNS.Authoritative, name)
		require.NoError(t, err)
		require.Equal(t, "NXDOMAIN", a.RCode, "nothing was changed")
	})

	t.Run("a slow server", func(t *testing.T) {
		slow := slowly(t, r.d.DNS.Authoritative, time.Second)
		require.NoError(t, with(good, func(d *dns.RFC2136) { d.Server = slow }).Upsert(t.Context(), "slow."+r.d.Zone, one))
		a, err := dns.Ask(t.Context(), slow, "slow."+r.d.Zone)
		require.NoError(t, err)
		require.Equal(t, one.A, a.A)
	})

	t.Run("a silent server", func(t *testing.T) {
		silent := slowly(t, r.d.DNS.Authoritative, time.Hour)
		start := time.Now()
		_, err := dns.Ask(t.Context(), silent, name)
		require.Equal(t, fault.Unreachable, fault.ClassOf(err))
		require.Less(t, time.Since(start), 20*time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel)
		start = time.Now()
		err = with(good, func(d *dns.RFC2136) { d.Server = silent }).Upsert(ctx, name, one)
		require.ErrorIs(t, err, context.Canceled)
		require.Less(t, time.Since(start), 5*time.Second)
	})

	t.Run("a program that fails", func(t *testing.T) {
		d := dns.Exec{Program: program.Program{Command: []string{programFile(t, "#!/bin/sh\ncat >&2; exit 4\n")}}}
		err := d.Upsert(t.Context(), name, one)
		require.Equal(t, fault.Failed, fault.ClassOf(err))
		require.ErrorContains(t, err, fmt.Sprintf(`it said: {"action":"upsert","name":"%s","a":["192.0.2.1"],"aaaa":[],"ttl":5}`, name))
	})

	t.Run("servers that differ", func(t *testing.T) { testSplit(t, r, second) })
	t.Run("a server that only a node reaches", func(t *testing.T) { testThroughNode(t, r) })
	t.Run("a server that is silent", func(t *testing.T) { testSilent(t, r, second) })
	t.Run("a server that talks nonsense", func(t *testing.T) { testGarbled(t, r) })
}

func with(d dns.RFC2136, change func(*dns.RFC2136)) dns.RFC2136 {
	change(&d)
	return d
}

// testSplit: one of two authoritative servers does not follow. The step says
// which, and is done when somebody has mended it.
func testSplit(t *testing.T, r *rig, second string) {
	s := r.site("split", &site.DNS{Driver: site.DNSRFC2136, Authoritative: []string{r.d.DNS.Authoritative, second},
		RFC2136: &site.RFC2136{KeyName: r.d.DNS.TSIGName, Secret: r.ref("tsig.key")}})
	a := &activities.DNS{Hosts: r.hosts, Margin: time.Second}
	in := activities.PointInput{Scope: activities.Scope{Site: s}, To: "east"}
	_, err := a.PointPlatform(t.Context(), in)
	require.Equal(t, fault.Stalled, fault.ClassOf(err))
	require.ErrorContains(t, err, second+":53 answers 192.0.2.9 (TTL 5)")
	require.NotContains(t, err.Error(), r.d.DNS.Authoritative+" answers")
	now, err := a.LookUpPlatform(t.Context(), activities.ClusterInput{Scope: in.Scope})
	require.NoError(t, err)
	require.Empty(t, now.Cluster, "they differ")

	require.NoError(t, r.nsupdate(t.Context(), r.tsigSecret(t), second+":53", commands("split."+r.d.Zone, dns.Records{A: []string{r.address(20)}, TTL: 3})...))
	e, err := a.PointPlatform(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, "false", e.Facts["changed"])

	require.NoError(t, r.nsupdate(t.Context(), r.tsigSecret(t), second+":53", "update delete split."+r.d.Zone+". A", "update add split."+r.d.Zone+". 3 CNAME ns."+r.d.Zone+"."))
	in.To = "west"
	_, err = a.PointPlatform(t.Context(), in)
	require.Equal(t, fault.Gate, fault.ClassOf(err), "an alias would swallow the update")
	require.ErrorContains(t, err, "alias of ns."+r.d.Zone)
}

// testThroughNode: the worker has no way to the name server but SSH to a node.
func testThroughNode(t *testing.T, r *rig) {
	s := r.site("split", &site.DNS{Driver: site.DNSRFC2136, Authoritative: []string{"127.0.0.1:5300"},
		RFC2136: &site.RFC2136{Server: "127.0.0.1:5300", KeyName: r.d.DNS.TSIGName, Secret: r.ref("tsig.key")}})
	s.Platform.Address = "hidden." + r.d.Zone
	_, err := dns.Ask(t.Context(), "127.0.0.1:5300", s.Platform.Address)
	require.Equal(t, fault.Unreachable, fault.ClassOf(err))
	a := &activities.DNS{Hosts: r.hosts, Margin: time.Second}
	e, err := a.PointPlatform(t.Context(), activities.PointInput{Scope: activities.Scope{Site: s}, To: "west"})
	require.NoError(t, err)
	require.Equal(t, "true", e.Facts["changed"])
	require.Equal(t, r.address(10)+" (TTL 3)", e.Facts["127.0.0.1:5300"])
}

// slowly is a server in front of another one that lets every message wait.
func slowly(t *testing.T, server string, wait time.Duration) string {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	udp, err := net.ListenPacket("udp", tcp.Addr().String())
	require.NoError(t, err)
	ended := make(chan struct{})
	t.Cleanup(func() { close(ended); _, _ = tcp.Close(), udp.Close() })
	delay := func() bool {
		select {
		case <-ended:
			return false
		case <-time.After(wait):
			return true
		}
	}
	go func() {
		for {
			in, err := tcp.Accept()
			if err != nil {
				return
			}
			go func() {
				defer in.Close()
				out, err := net.Dial("tcp", server)
				if err != nil || !delay() {
					return
				}
				defer out.Close()
				go func() { _, _ = io.Copy(out, in) }()
				_, _ = io.Copy(in, out)
			}()
		}
	}()
	go func() {
		for {
			buf := make([]byte, 4096)
			n, from, err := udp.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			go func() {
				out, err := net.Dial("udp", server)
				if err != nil || !delay() {
					return
				}
				defer out.Close()
				_ = out.SetDeadline(time.Now().Add(5 * time.Second))
				_, _ = out.Write(buf[:n])
				answer := make([]byte, 4096)
				if n, err := out.Read(answer); err == nil {
					_, _ = udp.WriteTo(answer[:n], from)
				}
			}()
		}
	}()
	return tcp.Addr().String()
}
