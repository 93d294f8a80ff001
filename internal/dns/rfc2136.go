package dns

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// updateTimeout bounds one update: a server may write its journal slowly.
const updateTimeout = 20 * time.Second

// RFC2136 sends signed dynamic updates (RFC 2136, RFC 8945).
type RFC2136 struct {
	Server    string       // host[:port] of the zone's primary server
	Zone      string       // that holds the name
	KeyName   string       // "" = the one of the key file
	Algorithm string       // hmac-sha256, hmac-sha512 …; "" = of the key file, else hmac-sha256
	Secret    secret.Value // base64 text, or a whole key file of BIND
	Dial      DialFunc     // nil = the worker's own network
}

// Upsert sends one message that removes the A and AAAA records of the name and
// adds those wanted; a server does all of it or nothing, and shows no state in
// between (RFC 2136, section 3.7).
func (d RFC2136) Upsert(ctx context.Context, name string, want Records) error {
	if err := want.check(name); err != nil {
		return err
	}
	return d.change(ctx, "update "+name, name, want)
}

// Remove sends one message that removes the A and AAAA records of the name. That
// there are none is fine (RFC 2136, section 3.4.2.3).
func (d RFC2136) Remove(ctx context.Context, name string) error {
	return d.change(ctx, "remove "+name, name, Records{})
}

// change replaces the address records by those wanted, by none if that is so.
func (d RFC2136) change(ctx context.Context, op, name string, want Records) error {
	server := Server(d.Server)
	if err := inZone(op, name, d.Zone, server); err != nil {
		return err
	}
	key, err := d.key(server)
	if err != nil {
		return err
	}
	reply, err := d.send(ctx, server, update(name, d.Zone, want), key)
	if reply != nil {
		if refused := key.judge(op, server, d.Zone, reply); refused != nil {
			return refused
		}
	}
	if err != nil {
		if errors.Is(err, dns.ErrSig) || errors.Is(err, dns.ErrSecret) || errors.Is(err, dns.ErrTime) || errors.Is(err, dns.ErrKeyAlg) {
			return fault.New(fault.Protocol, op, server, "look whether the name has changed, and what answers there",
				fmt.Errorf("the answer is not signed with the key %s: %w", key.name, err))
		}
		return lost(ctx, op, server, err)
	}
	if reply.IsTsig() == nil {
		return fault.New(fault.Protocol, op, server, "look whether the name has changed, and what answers there", errors.New("the answer is not signed"))
	}
	return nil
}

// update is the whole change as one message without prerequisites.
func update(name, zone string, want Records) *dns.Msg {
	fqdn := dns.CanonicalName(name)
	m := new(dns.Msg).SetUpdate(dns.CanonicalName(zone))
	m.RemoveRRset([]dns.RR{
		&dns.A{Hdr: dns.RR_Header{Name: fqdn, Rrtype: dns.TypeA, Class: dns.ClassINET}},
		&dns.AAAA{Hdr: dns.RR_Header{Name: fqdn, Rrtype: dns.TypeAAAA, Class: dns.ClassINET}},
	})
	m.Insert(want.resources(fqdn))
	return m
}

func (d RFC2136) send(ctx context.Context, server string, m *dns.Msg, key tsigKey) (*dns.Msg, error) {
	dial := d.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: tcpTimeout}).DialContext
	}
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	conn, err := dial(ctx, "tcp", server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	m.SetTsig(key.name, key.algorithm, 300, time.Now().Unix())
	secrets := map[string]string{key.name: key.secret}
	client := &dns.Client{Net: "tcp", Timeout: updateTimeout, TsigSecret: secrets}
	reply, _, err := client.ExchangeWithConnContext(ctx, m, &dns.Conn{Conn: conn, TsigSecret: secrets})
	return reply, err
}

// tsigKey is a key ready for use.
type tsigKey struct{ name, algorithm, secret string }

var (
	keyClause       = regexp.MustCompile(`(?m)^\s*key\s+"?([^"\s{]+)"?\s*\{`)
	algorithmClause = regexp.MustCompile(`(?i)\balgorithm\s+"?([a-z0-9.-]+)"?\s*;`)
	secretClause    = regexp.MustCompile(`\bsecret\s+"?([A-Za-z0-9+/=]+)"?\s*;`)
)

var algorithms = map[string]string{
	"hmac-sha1": dns.HmacSHA1, "hmac-sha224": dns.HmacSHA224, "hmac-sha256": dns.HmacSHA256,
	"hmac-sha384": dns.HmacSHA384, "hmac-sha512": dns.HmacSHA512,
}

// key reads the secret: base64 text as it is, or a key file.
func (d RFC2136) key(server string) (tsigKey, error) {
	bad := func(fix, format string, args ...any) (tsigKey, error) {
		return tsigKey{}, fault.New(fault.BadInput, "read the TSIG key", server, fix, fmt.Errorf(format, args...))
	}
	text := strings.TrimSpace(string(d.Secret.Reveal()))
	name, algorithm := d.KeyName, strings.ToLower(strings.TrimSuffix(d.Algorithm, "."))
	if found := secretClause.FindStringSubmatch(text); found != nil {
		if k := keyClause.FindStringSubmatch(text); k != nil && name == "" {
			name = k[1]
		} else if k != nil && dns.CanonicalName(k[1]) != dns.CanonicalName(name) {
			return bad("make dr.dns.rfc2136.keyName and the file agree", "the key file holds the key %s, wanted is %s", k[1], name)
		}
		if a := algorithmClause.FindStringSubmatch(text); a != nil { // it belongs to the secret
			algorithm = strings.ToLower(a[1])
		}
		text = string(secret.NewValue([]byte(found[1])).Reveal()) // known to the redactor by itself, too
	}
	if algorithm == "" {
		algorithm = "hmac-sha256"
	}
	wire, ok := algorithms[algorithm]
	if !ok {
		return bad("use hmac-sha256 or hmac-sha512", "the algorithm %q is not known", algorithm)
	}
	if _, ok := dns.IsDomainName(name); !ok || name == "" {
		return bad("set dr.dns.rfc2136.keyName", "the key has no name")
	}
	if raw, err := base64.StdEncoding.DecodeString(text); err != nil || len(raw) == 0 {
		return bad("store the base64 text of the key, or BIND's key file", "the secret is neither base64 nor a key file")
	}
	return tsigKey{name: dns.CanonicalName(name), algorithm: wire, secret: text}, nil
}

// judge turns the server's answer into an error: nothing was changed then.
func (k tsigKey) judge(op, server, zone string, reply *dns.Msg) error {
	if reply.Rcode == dns.RcodeSuccess {
		return nil
	}
	no := func(class fault.Class, fix, format string, args ...any) error {
		return fault.New(class, op, server, fix, fmt.Errorf(format, args...))
	}
	if t := reply.IsTsig(); t != nil {
		switch t.Error {
		case dns.RcodeBadKey:
			return no(fault.Auth, "give the server this key, or correct dr.dns.rfc2136.keyName", "BADKEY: the server does not know the key %s", k.name)
		case dns.RcodeBadSig: // BADVERS shares the number
			return no(fault.Auth, "store the key's secret as the server has it", "BADSIG: the secret of the key %s, or its algorithm, is another one there", k.name)
		case dns.RcodeBadTime:
			return no(fault.Auth, "set both clocks right, NTP does", "BADTIME: the clocks of the worker and the server differ by more than 5 minutes")
		}
	}
	code := rcode(reply.Rcode)
	switch reply.Rcode {
	case dns.RcodeRefused:
		return no(fault.Refused, "allow the key "+k.name+" to update the name (update-policy), and thaw the zone if it is frozen", "%s: the server takes no update of this name from this key", code)
	case dns.RcodeNotAuth:
		return no(fault.Refused, "name the zone's primary server in dr.dns.rfc2136.server", "%s: the server is not authoritative for %s, or does not accept the key", code, zone)
	case dns.RcodeNotZone:
		return no(fault.BadInput, "set dr.dns.zone to the zone that holds the name", "%s: the name is not in the zone %s", code, zone)
	case dns.RcodeNotImplemented:
		return no(fault.Refused, "name a server that takes dynamic updates", "%s: the server knows no dynamic update", code)
	case dns.RcodeServerFailure:
		return no(fault.Failed, "look at the server's log: often its journal cannot be written", "%s", code)
	}
	return no(fault.Failed, "look at the server's log", "%s", code)
}
