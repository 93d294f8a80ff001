package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/acpflow/acpflow/internal/fault"
)

// Patience with one name server. UDP is tried twice: one lost packet is no
// sign of anything.
const (
	udpTimeout = 1500 * time.Millisecond
	udpTries   = 2
	tcpTimeout = 5 * time.Second
)

// Answer is what one server says about the addresses of a name. That the name,
// or its addresses, do not exist is an answer too: RCode then is NXDOMAIN, or
// NOERROR without addresses.
type Answer struct {
	A             []string `json:"a,omitempty"`
	AAAA          []string `json:"aaaa,omitempty"`
	TTL           int      `json:"ttl"`                   // seconds; the longest of the records that led to the addresses
	NegativeTTL   int      `json:"negativeTtl,omitempty"` // seconds a cache may keep that a record is missing; of the answers that said so
	Alias         string   `json:"alias,omitempty"`       // the name is a CNAME for this one
	Authoritative bool     `json:"authoritative"`         // both answers had the AA flag
	RCode         string   `json:"rcode"`                 // NOERROR, NXDOMAIN, SERVFAIL, REFUSED …
}

// Addresses are all of them, IPv4 first.
func (a Answer) Addresses() []string { return slices.Concat(a.A, a.AAAA) }

// String is for people: "198.18.0.10 (TTL 30)", "no address (NXDOMAIN)".
func (a Answer) String() string {
	text := strings.Join(a.Addresses(), " ")
	if text == "" {
		return "no address (" + a.RCode + ")"
	}
	if a.Alias != "" {
		text = "alias of " + a.Alias + ": " + text
	}
	if a.RCode != "NOERROR" {
		text += ", " + a.RCode
	}
	return fmt.Sprintf("%s (TTL %d)", text, a.TTL)
}

// Ask asks one server for the A and AAAA records of a name, over UDP and, where
// that gets no whole answer, over TCP. With a dial, only TCP through it is
// used: SSH carries no UDP. Errors: fault.Unreachable when there is no answer,
// Protocol when it makes no sense, BadInput.
func Ask(ctx context.Context, server, name string, through ...DialFunc) (Answer, error) {
	server = Server(server)
	if err := inZone("look up "+name, name, ".", server); err != nil {
		return Answer{}, err
	}
	out := Answer{Authoritative: true, RCode: dns.RcodeToString[dns.RcodeSuccess]}
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		question := new(dns.Msg).SetQuestion(dns.CanonicalName(name), kind)
		reply, err := exchange(ctx, question, server, through)
		if err != nil {
			return Answer{}, lost(ctx, "look up "+name, server, err)
		}
		if err := sensible(question, reply); err != nil {
			return Answer{}, fault.New(fault.Protocol, "look up "+name, server, "check what listens there", err)
		}
		out.add(reply)
	}
	slices.Sort(out.A)
	slices.Sort(out.AAAA)
	return out, nil
}

func sensible(question, reply *dns.Msg) error {
	if !reply.Response || reply.Id != question.Id {
		return errors.New("the answer belongs to another question")
	}
	if len(reply.Question) > 0 && (!strings.EqualFold(reply.Question[0].Name, question.Question[0].Name) || reply.Question[0].Qtype != question.Question[0].Qtype) {
		return fmt.Errorf("the answer is about %s", reply.Question[0].Name)
	}
	return nil
}

// add takes one reply. The worse of two response codes counts.
func (a *Answer) add(reply *dns.Msg) {
	a.Authoritative = a.Authoritative && reply.Authoritative
	if reply.Rcode != dns.RcodeSuccess {
		a.RCode = rcode(reply.Rcode)
	}
	found := false
	for _, rr := range reply.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			a.A, found = append(a.A, rr.A.String()), true
		case *dns.AAAA:
			a.AAAA, found = append(a.AAAA, rr.AAAA.String()), true
		case *dns.CNAME:
			if len(reply.Question) > 0 && strings.EqualFold(rr.Hdr.Name, reply.Question[0].Name) {
				a.Alias = strings.TrimSuffix(rr.Target, ".")
			}
		default:
			continue
		}
		a.TTL = max(a.TTL, int(rr.Header().Ttl))
	}
	if found {
		return
	}
	for _, rr := range reply.Ns {
		if soa, ok := rr.(*dns.SOA); ok { // RFC 2308, section 5
			a.NegativeTTL = max(a.NegativeTTL, int(min(soa.Hdr.Ttl, soa.Minttl)))
		}
	}
}

func rcode(code int) string {
	if text, ok := dns.RcodeToString[code]; ok {
		return text
	}
	return fmt.Sprintf("RCODE%d", code)
}

// exchange sends one question and returns the whole answer.
func exchange(ctx context.Context, question *dns.Msg, server string, through []DialFunc) (*dns.Msg, error) {
	if len(through) > 0 {
		return overTCP(ctx, question, server, through[0])
	}
	var udpErr error
	for range udpTries {
		client := &dns.Client{Net: "udp", Timeout: udpTimeout}
		reply, _, err := client.ExchangeContext(ctx, question, server)
		if err == nil && !reply.Truncated {
			return reply, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err == nil {
			break // too long for UDP
		}
		udpErr = err
	}
	reply, err := overTCP(ctx, question, server, (&net.Dialer{Timeout: tcpTimeout}).DialContext)
	if err != nil {
		return nil, errors.Join(udpErr, err)
	}
	return reply, nil
}

func overTCP(ctx context.Context, question *dns.Msg, server string, dial DialFunc) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*tcpTimeout)
	defer cancel()
	conn, err := dial(ctx, "tcp", server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	client := &dns.Client{Net: "tcp", Timeout: tcpTimeout}
	reply, _, err := client.ExchangeWithConnContext(ctx, question, &dns.Conn{Conn: conn})
	return reply, err
}
