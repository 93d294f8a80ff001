package takeover

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/test/lab"
)

// manner is how a name server in the middle behaves.
type manner struct {
	silent   bool          // answers nothing
	wait     time.Duration // before every message
	refuses  bool          // updates, as a server that does not take the key
	address  string        // answers this address for the platform's name, whatever the real one says
	nxdomain bool          // knows no platform, as a cache that has learned so
}

// nameServer stands in front of one of the lab's name servers and misbehaves on
// demand. What it passes on, it passes on as it came: TSIG covers the bytes.
type nameServer struct {
	address, behind string

	mu  sync.Mutex
	now manner
}

// newNameServer listens on an address of this machine; port 0 takes a free one.
func newNameServer(t testing.TB, listen, behind string) *nameServer {
	t.Helper()
	tcp, err := net.Listen("tcp", listen)
	require.NoError(t, err)
	udp, err := net.ListenPacket("udp", tcp.Addr().String())
	require.NoError(t, err)
	n := &nameServer{address: tcp.Addr().String(), behind: behind}
	var servers []*dns.Server
	for _, s := range []*dns.Server{{Listener: tcp}, {PacketConn: udp}} {
		s.Handler = dns.HandlerFunc(n.serve)
		s.MsgAcceptFunc = func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept } // updates, too
		servers = append(servers, s)
		go func() { _ = s.ActivateAndServe() }()
	}
	t.Cleanup(func() {
		for _, s := range servers {
			_ = s.Shutdown()
		}
	})
	return n
}

// behaves changes its manner; the zero value is good.
func (n *nameServer) behaves(m manner) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now = m
}

func (n *nameServer) manner() manner {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now
}

func (n *nameServer) serve(w dns.ResponseWriter, m *dns.Msg) {
	how := n.manner()
	time.Sleep(how.wait)
	if how.silent {
		return
	}
	platform := m.Opcode == dns.OpcodeQuery && len(m.Question) == 1 && m.Question[0].Name == lab.Domain+"."
	switch {
	case how.refuses && m.Opcode == dns.OpcodeUpdate:
		_ = w.WriteMsg(new(dns.Msg).SetRcode(m, dns.RcodeRefused))
	case how.nxdomain && platform:
		_ = w.WriteMsg(new(dns.Msg).SetRcode(m, dns.RcodeNameError))
	case how.address != "" && platform:
		_ = w.WriteMsg(answer(m, how.address))
	default:
		n.pass(w, m)
	}
}

func answer(m *dns.Msg, address string) *dns.Msg {
	out := new(dns.Msg).SetReply(m)
	out.Authoritative = true
	if m.Question[0].Qtype == dns.TypeA {
		out.Answer = append(out.Answer, &dns.A{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 5}, A: net.ParseIP(address)})
	}
	return out
}

// pass asks the real server.
func (n *nameServer) pass(w dns.ResponseWriter, m *dns.Msg) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, w.LocalAddr().Network(), n.behind)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
	real := &dns.Conn{Conn: conn}
	raw, err := m.Pack()
	if err != nil {
		return
	}
	if _, err := real.Write(raw); err != nil {
		return
	}
	buf := make([]byte, dns.MaxMsgSize)
	if size, err := real.Read(buf); err == nil {
		_, _ = w.Write(buf[:size])
	}
}
