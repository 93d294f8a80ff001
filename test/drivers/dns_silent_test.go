package drivers

import (
	"context"
	"net"
	"testing"
	"time"

	miekg "github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/dns"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// testSilent: one of two authoritative servers hangs, as when its data centre is
// dead. A failover that has been told of it moves the name all the same, and is not
// deceived when the server wakes up.
func testSilent(t *testing.T, r *rig, second string) {
	const unit = "second-named"
	mute := dns.Server(second)
	s := r.site("silent", &site.DNS{Driver: site.DNSRFC2136, Authoritative: []string{r.d.DNS.Authoritative, second}, Resolvers: []string{r.d.DNS.Resolver},
		RFC2136: &site.RFC2136{KeyName: r.d.DNS.TSIGName, Secret: r.ref("tsig.key")}})
	a := &activities.DNS{Hosts: r.hosts, Margin: time.Second}
	in := activities.PointInput{Scope: activities.Scope{Site: s}, To: "west", Spared: []string{mute}}
	r.script(t, "west-1", "systemctl kill -s STOP "+unit)
	t.Cleanup(func() {
		_, err := r.node(t, "west-1").Script(context.WithoutCancel(t.Context()), "systemctl kill -s CONT "+unit)
		require.NoError(t, err)
	})

	start := time.Now()
	e, err := a.PointPlatform(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, "true", e.Facts["changed"])
	require.Equal(t, mute, e.Facts["silent"])
	require.Contains(t, e.Facts[mute], "gives no answer")
	require.Contains(t, e.Summary, "for 2 servers")
	require.Contains(t, e.Summary, "NOT seen at "+mute)
	require.Less(t, time.Since(start), time.Minute, "its time-outs keep nobody waiting")
	now, err := a.LookUpPlatform(t.Context(), activities.ClusterInput{Scope: in.Scope})
	require.NoError(t, err)
	require.Equal(t, "west", now.Cluster)
	require.False(t, now.Agreed, "silence is not agreement")
	require.Contains(t, now.Silent, mute)
	require.Empty(t, now.Garbled)

	r.script(t, "west-1", "systemctl kill -s CONT "+unit)
	_, err = a.PointPlatform(t.Context(), in)
	require.Equal(t, fault.Stalled, fault.ClassOf(err), "it answers again, and wrongly")
	require.ErrorContains(t, err, mute+" answers no address (NXDOMAIN)")
	check := func(server string) (activities.Evidence, error) {
		return a.CheckServer(t.Context(), activities.ServerInput{Scope: activities.Scope{Site: s, Cluster: "west"}, Server: server})
	}
	_, err = check(mute)
	require.Equal(t, fault.Gate, fault.ClassOf(err))
	require.ErrorContains(t, err, mute+" answers no address (NXDOMAIN). Fix: "+activities.GoneServer(mute))

	require.NoError(t, r.nsupdate(t.Context(), r.tsigSecret(t), mute, commands(s.Platform.Address, dns.Records{A: []string{r.address(10)}, TTL: 3})...))
	for server, says := range map[string]string{mute: "at " + mute, r.d.DNS.Resolver: "at " + r.d.DNS.Resolver, "192.0.2.99:53": "does not name 192.0.2.99:53 any more"} {
		e, err := check(server)
		require.NoError(t, err)
		require.Contains(t, e.Summary, says)
	}
	e, err = a.PointPlatform(t.Context(), in)
	require.NoError(t, err)
	require.NotContains(t, e.Facts, "silent")
	require.Contains(t, e.Summary, "for 3 servers")
}

// testGarbled: something that talks, but not sense, is not taken for silent.
func testGarbled(t *testing.T, r *rig) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &miekg.Server{PacketConn: conn, Handler: miekg.HandlerFunc(func(w miekg.ResponseWriter, q *miekg.Msg) {
		answer := new(miekg.Msg).SetReply(q)
		answer.Question[0].Name = "another.example.org."
		_ = w.WriteMsg(answer)
	})}
	go func() { _ = server.ActivateAndServe() }()
	t.Cleanup(func() { _ = server.Shutdown() })
	odd := conn.LocalAddr().String()
	s := r.site("silent", &site.DNS{Driver: site.DNSManual, Authoritative: []string{r.d.DNS.Authoritative, odd}})
	a := &activities.DNS{Hosts: r.hosts, Margin: time.Second}
	now, err := a.LookUpPlatform(t.Context(), activities.ClusterInput{Scope: activities.Scope{Site: s}})
	require.NoError(t, err)
	require.Contains(t, now.Silent[odd], "the answer is about another.example.org.")
	require.Equal(t, []string{odd}, now.Garbled)
}
