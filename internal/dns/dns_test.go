package dns

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

func TestRecordsOf(t *testing.T) {
	r, err := RecordsOf(30, "198.18.0.20", "fd00::20", "::ffff:198.18.0.21")
	require.NoError(t, err)
	require.Equal(t, Records{A: []string{"198.18.0.20", "198.18.0.21"}, AAAA: []string{"fd00::20"}, TTL: 30}, r)
	require.True(t, r.SameAddresses([]string{"198.18.0.21", "198.18.0.20"}, []string{"FD00:0::20"}))
	require.False(t, r.SameAddresses([]string{"198.18.0.20"}, []string{"fd00::20"}))
	for _, bad := range [][]string{{}, {"acp.example.com"}, {"fe80::1%eth0"}, {""}} {
		_, err := RecordsOf(30, bad...)
		require.Equal(t, fault.BadInput, fault.ClassOf(err), bad)
	}
	_, err = RecordsOf(0, "198.18.0.20")
	require.ErrorContains(t, err, "TTL of 0")
}

func TestServer(t *testing.T) {
	for in, want := range map[string]string{
		"198.18.0.2": "198.18.0.2:53", "198.18.0.2:5353": "198.18.0.2:5353", "ns.example.com": "ns.example.com:53",
		"fd00::2": "[fd00::2]:53", "[fd00::2]": "[fd00::2]:53", "[fd00::2]:54": "[fd00::2]:54",
	} {
		require.Equal(t, want, Server(in))
	}
}

// TestUpdateIsOneMessage: both record sets go and come in the same message, and
// nothing else does.
func TestUpdateIsOneMessage(t *testing.T) {
	m := update("ACP.lab.example.com", "lab.example.com", Records{A: []string{"198.18.0.20"}, AAAA: []string{"fd00::20"}, TTL: 30})
	require.Equal(t, dns.OpcodeUpdate, m.Opcode)
	require.Equal(t, "lab.example.com.", m.Question[0].Name)
	require.Empty(t, m.Answer, "no prerequisites")
	var lines []string
	for _, rr := range m.Ns {
		lines = append(lines, strings.Join(strings.Fields(rr.String()), " "))
	}
	require.Equal(t, []string{
		"acp.lab.example.com. 0 CLASS255 A", "acp.lab.example.com. 0 CLASS255 AAAA",
		"acp.lab.example.com. 30 IN A 198.18.0.20", "acp.lab.example.com. 30 IN AAAA fd00::20",
	}, lines)
}

func TestKeyReadsBothForms(t *testing.T) {
	const base64 = "c2VjcmV0LW9mLXRoZS1uYW1lLXRlc3Q="
	file := "key \"acpflow-lab\" {\n\talgorithm hmac-sha512;\n\tsecret \"" + base64 + "\";\n};\n"
	k, err := RFC2136{Secret: secret.NewValue([]byte(file)), Algorithm: "hmac-sha256"}.key("ns")
	require.NoError(t, err)
	require.Equal(t, tsigKey{"acpflow-lab.", dns.HmacSHA512, base64}, k)
	require.NotContains(t, secret.Redact("x "+base64+" y"), base64, "the redactor knows what is inside the file")
	k, err = RFC2136{Secret: secret.NewValue([]byte(base64 + "\n")), KeyName: "Acpflow-Lab"}.key("ns")
	require.NoError(t, err)
	require.Equal(t, tsigKey{"acpflow-lab.", dns.HmacSHA256, base64}, k)
	for says, d := range map[string]RFC2136{
		"neither base64 nor a key file": {Secret: secret.NewValue([]byte("not base64!")), KeyName: "k"},
		"has no name":                   {Secret: secret.NewValue([]byte(base64))},
		"algorithm \"hmac-md4\"":        {Secret: secret.NewValue([]byte(base64)), KeyName: "k", Algorithm: "hmac-md4"},
		"holds the key acpflow-lab":     {Secret: secret.NewValue([]byte(file)), KeyName: "other"},
	} {
		_, err := d.key("ns")
		require.ErrorContains(t, err, says)
		require.Equal(t, fault.BadInput, fault.ClassOf(err))
		require.NotContains(t, err.Error(), "not base64!")
	}
}

// script answers as told, each server one answer after the other; the last stays.
func script(answers map[string][]Answer) func(context.Context, string) (Answer, error) {
	next := map[string]chan Answer{}
	for server, list := range answers {
		next[server] = make(chan Answer, len(list))
		for _, a := range list {
			next[server] <- a
		}
	}
	return func(_ context.Context, server string) (Answer, error) {
		q := next[server]
		if q == nil {
			return Answer{}, fault.New(fault.Unreachable, "look up", server, "", errors.New("time-out"))
		}
		a := <-q
		if len(q) == 0 {
			q <- a
		}
		return a, nil
	}
}

func TestConfirmWantsThreeRightAnswersInARow(t *testing.T) {
	want := Records{A: []string{"198.18.0.20"}, TTL: 30}
	right := Answer{A: want.A, TTL: 30, Authoritative: true, RCode: "NOERROR"}
	old := Answer{A: []string{"198.18.0.10"}, TTL: 30, Authoritative: true, RCode: "NOERROR"}
	w := Watch{Name: "acp.lab.example.com", Want: want, Authoritative: []string{"a"}, Resolvers: []string{"r"}}
	w.Ask = script(map[string][]Answer{"a:53": {right, right, old, right}, "r:53": {old, old, right}})
	var said []string
	start := time.Now()
	seen, err := w.Confirm(t.Context(), time.Minute, func(s string) { said = append(said, s) })
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(start), 5*roundEvery, "right, right, OLD, right, right, right")
	require.Equal(t, "198.18.0.20 (TTL 30)", seen[0].Answer.String())
	require.Contains(t, said[0], "r:53 answers 198.18.0.10 (TTL 30)")
	require.Contains(t, said[2], "a:53 answers 198.18.0.10")

	for says, a := range map[string]Answer{
		"no address (NXDOMAIN)":              {RCode: "NXDOMAIN", Authoritative: true},
		"198.18.0.20 198.18.0.10":            {A: []string{"198.18.0.20", "198.18.0.10"}, TTL: 30, Authoritative: true, RCode: "NOERROR"},
		"198.18.0.20 fd00::1":                {A: want.A, AAAA: []string{"fd00::1"}, TTL: 30, Authoritative: true, RCode: "NOERROR"},
		"the TTL may be 30 at most":          {A: want.A, TTL: 300, Authoritative: true, RCode: "NOERROR"},
		"is not authoritative":               {A: want.A, TTL: 30, RCode: "NOERROR"},
		"alias of www.example.com":           {A: want.A, TTL: 30, Authoritative: true, RCode: "NOERROR", Alias: "www.example.com"},
		"SERVFAIL":                           {A: want.A, TTL: 30, Authoritative: true, RCode: "SERVFAIL"},
		"b:53 gives no answer (time-out)":    right,
		"after 0s: a:53 answers 198.18.0.10": old,
	} {
		w := Watch{Name: "acp.lab.example.com", Want: want, Authoritative: []string{"a"}, Ask: script(map[string][]Answer{"a:53": {a}})}
		if strings.HasPrefix(says, "b:") {
			w.Authoritative = append(w.Authoritative, "b")
		}
		_, err := w.Confirm(t.Context(), 0, nil)
		require.ErrorContains(t, err, says)
		require.Equal(t, fault.Stalled, fault.ClassOf(err))
	}
	_, err = Watch{Name: "x"}.Confirm(t.Context(), time.Minute, nil)
	require.Equal(t, fault.BadInput, fault.ClassOf(err), "without servers nothing is confirmed")
}

// A server that was silent before may stay so; one that answers must be right, and
// without one authoritative server that is, nothing is confirmed.
func TestSparedServersMayBeSilent(t *testing.T) {
	want := Records{A: []string{"198.18.0.20"}, TTL: 30}
	right := Answer{A: want.A, TTL: 30, Authoritative: true, RCode: "NOERROR"}
	old := Answer{A: []string{"198.18.0.10"}, TTL: 30, Authoritative: true, RCode: "NOERROR"}
	for name, c := range map[string]struct {
		answers map[string][]Answer // of a and b, which are authoritative, and the resolver r; none = silent
		spared  []string
		says    string // "" = confirmed
		right   bool   // at first sight, resolvers included
	}{
		"all answer":                         {map[string][]Answer{"a:53": {right}, "b:53": {right}, "r:53": {right}}, []string{"b"}, "", true},
		"one is spared":                      {map[string][]Answer{"a:53": {right}, "r:53": {right}}, []string{"b:53"}, "", true},
		"a resolver is spared":               {map[string][]Answer{"a:53": {right}, "b:53": {right}}, []string{"r"}, "", true},
		"one is silent and not spared":       {map[string][]Answer{"a:53": {right}, "r:53": {right}}, []string{"r"}, "b:53 gives no answer", false},
		"a spared one answers the old":       {map[string][]Answer{"a:53": {right}, "b:53": {old}, "r:53": {right}}, []string{"b"}, "b:53 answers 198.18.0.10", false},
		"a spared one follows":               {map[string][]Answer{"a:53": {right}, "b:53": {old, right}, "r:53": {right}}, []string{"b"}, "", false},
		"the only one that answers is wrong": {map[string][]Answer{"a:53": {old}, "r:53": {right}}, []string{"b"}, "a:53 answers 198.18.0.10", false},
		"every authoritative one is silent":  {map[string][]Answer{"r:53": {right}}, []string{"a", "b"}, "a:53 gives no answer (time-out); b:53 gives no answer", false},
		"all are silent":                     {nil, []string{"a", "b", "r"}, "a:53 gives no answer", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := Watch{Name: "acp.lab.example.com", Want: want, Authoritative: []string{"a", "b"}, Resolvers: []string{"r"}, Spared: c.spared, Ask: script(c.answers)}
			require.Equal(t, c.right, w.Right(w.Look(t.Context()), true))
			w.Ask = script(c.answers)
			limit := time.Duration(0)
			if c.says == "" {
				limit = time.Minute
			}
			_, err := w.Confirm(t.Context(), limit, nil)
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
			require.Equal(t, fault.Stalled, fault.ClassOf(err))
		})
	}
}

// Silence is excused only before the first answer: a server that has answered lives,
// and what it tells others between two silences nobody knows. Nonsense is no silence.
func TestSparedServerThatHasAnsweredIsHeldToIt(t *testing.T) {
	want := Records{A: []string{"198.18.0.20"}, TTL: 30}
	right := Answer{A: want.A, TTL: 30, Authoritative: true, RCode: "NOERROR"}
	asked := 0
	w := Watch{Name: "acp.lab.example.com", Want: want, Authoritative: []string{"a"}, Resolvers: []string{"r"}, Spared: []string{"r"}}
	w.Ask = func(ctx context.Context, server string) (Answer, error) {
		_, bounded := ctx.Deadline()
		assert.Equal(t, server == "r:53", bounded, "nobody waits long for a server that was silent")
		if server == "a:53" {
			return right, nil
		}
		if asked++; asked == 2 {
			return Answer{A: []string{"198.18.0.10"}, RCode: "NOERROR"}, nil
		}
		return Answer{}, fault.New(fault.Unreachable, "look up", server, "", errors.New("time-out"))
	}
	_, err := w.Confirm(t.Context(), 4*roundEvery, nil)
	require.ErrorContains(t, err, "r:53 gives no answer (time-out)")
	require.Greater(t, asked, 3)

	w.Ask = func(_ context.Context, server string) (Answer, error) {
		if server == "a:53" {
			return right, nil
		}
		return Answer{}, fault.New(fault.Protocol, "look up", server, "", errors.New("the answer is about example.org"))
	}
	_, err = w.Confirm(t.Context(), 0, nil)
	require.ErrorContains(t, err, "the answer is about example.org")
	require.False(t, w.Right(w.Look(t.Context()), true))
}

func TestConfirmThatANameIsGone(t *testing.T) {
	gone := Answer{RCode: "NXDOMAIN", Authoritative: true}
	empty := Answer{RCode: "NOERROR", Authoritative: true} // it has other records
	left := Answer{A: []string{"198.18.0.10"}, TTL: 30, Authoritative: true, RCode: "NOERROR"}
	w := Watch{Name: "drill.lab.example.com", Gone: true, Authoritative: []string{"a", "b"}, Resolvers: []string{"r"}}
	w.Ask = script(map[string][]Answer{"a:53": {left, gone}, "b:53": {empty}, "r:53": {left, left, {RCode: "NXDOMAIN"}}})
	var said []string
	_, err := w.Confirm(t.Context(), time.Minute, func(s string) { said = append(said, s) })
	require.NoError(t, err)
	require.Contains(t, said[1], "drill.lab.example.com shall be without an address: r:53 answers 198.18.0.10")
	for says, a := range map[string]Answer{
		"remove drill.lab.example.com: after 0s: a:53 answers 198.18.0.10": left,
		"is not authoritative":     {RCode: "NXDOMAIN"},
		"SERVFAIL":                 {RCode: "SERVFAIL", Authoritative: true},
		"alias of www.example.com": {A: left.A, RCode: "NOERROR", Authoritative: true, Alias: "www.example.com"},
	} {
		_, err := Watch{Name: w.Name, Gone: true, Authoritative: []string{"a"}, Ask: script(map[string][]Answer{"a:53": {a}})}.Confirm(t.Context(), 0, nil)
		require.ErrorContains(t, err, says)
	}
	_, err = Watch{Name: w.Name, Gone: true, Authoritative: []string{"silent"}, Ask: script(nil)}.Confirm(t.Context(), 0, nil)
	require.ErrorContains(t, err, "time-out", "a silent server says nothing")
}

func TestMemoryIsTheLongestThatACacheMayKeep(t *testing.T) {
	w := Watch{Want: Records{TTL: 30}}
	require.Equal(t, 30*time.Second, w.Memory(nil))
	require.Equal(t, 300*time.Second, w.Memory([]Seen{{Answer: Answer{TTL: 300}}, {Answer: Answer{TTL: 5, NegativeTTL: 60}}}))
	require.Equal(t, 600*time.Second, w.Memory([]Seen{{Answer: Answer{NegativeTTL: 600}}}))
}
