package activities

import (
	"net"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// resolver is a name server on the loopback that gives one address for every name.
func resolver(t *testing.T, address string) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		reply := new(dns.Msg).SetReply(q)
		reply.RecursionAvailable = true
		if q.Question[0].Qtype == dns.TypeA {
			record, _ := dns.NewRR(q.Question[0].Name + " 30 IN A " + address)
			reply.Answer = append(reply.Answer, record)
		}
		_ = w.WriteMsg(reply)
	})}
	go func() { _ = server.ActivateAndServe() }()
	t.Cleanup(func() { _ = server.Shutdown() })
	return conn.LocalAddr().String()
}

// nobody is an address at which no name server listens.
func nobody(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	return conn.LocalAddr().String()
}

// A dead data centre takes the authoritative servers with it; what the resolvers
// tell users is known all the same.
func TestResolversAreHeardWhereNoServerThatCountsAnswers(t *testing.T) {
	moved, silent := resolver(t, "192.0.2.20"), nobody(t)
	in := ClusterInput{Scope: Scope{Site: site.Site{Name: "lab", Platform: site.Platform{Address: "acp.example.com"},
		DR: site.DR{DNS: &site.DNS{Driver: site.DNSManual, TTL: 30, Authoritative: []string{nobody(t)}, Resolvers: []string{moved, silent}}}}}}
	a := &DNS{}
	_, err := a.LookUpPlatform(t.Context(), in)
	require.Equal(t, fault.Unreachable, fault.ClassOf(err), "%v", err)
	now, err := a.AskResolvers(t.Context(), in)
	require.NoError(t, err)
	assert.Equal(t, map[string][]string{moved: {"192.0.2.20"}}, now.Answers)
	assert.Contains(t, now.Silent, silent)
	assert.Empty(t, now.Cluster)
	assert.False(t, now.Agreed)

	in.Site.DR.DNS = nil
	_, err = a.AskResolvers(t.Context(), in)
	require.Equal(t, fault.BadInput, fault.ClassOf(err))
}
