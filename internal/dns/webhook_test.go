package dns

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
)

// provider answers with fixed texts and keeps what it was told to change.
type provider struct {
	filter, records string
	media           string
	status          map[string]int // "POST /records" → another status
	applied         []changes
}

func (p *provider) start(t *testing.T) Webhook {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if status := p.status[r.Method+" "+r.URL.Path]; status != 0 {
			http.Error(w, "it is so", status)
			return
		}
		w.Header().Set("Content-Type", p.media)
		switch r.Method + " " + r.URL.Path {
		case "GET /":
			_, _ = io.WriteString(w, p.filter)
		case "GET /records":
			_, _ = io.WriteString(w, p.records)
		case "POST /adjustendpoints":
			_, _ = w.Write(body)
		case "POST /records":
			var c changes
			if err := json.Unmarshal(body, &c); err != nil {
				t.Error(err)
			}
			p.applied = append(p.applied, c)
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(s.Close)
	return Webhook{URL: s.URL}
}

const acp = "acp.lab.example.com"

var wanted = Records{A: []string{"198.18.0.20"}, TTL: 30}

func TestWebhookSendsOneSetOfChanges(t *testing.T) {
	old := `{"dnsName":"acp.lab.example.com","recordType":"A","targets":["198.18.0.10"],"recordTTL":30,"labels":{"owner":"x"},"providerSpecific":[{"name":"proxied","value":"no"}]}`
	six := `{"dnsName":"ACP.lab.example.com.","recordType":"AAAA","targets":["fd00::10"],"recordTTL":30}`
	other := `{"dnsName":"www.lab.example.com","recordType":"A","targets":["198.18.0.9"]}`
	for name, c := range map[string]struct {
		records string
		want    Records
		says    string // the change set
	}{
		"new":           {"[" + other + "]", wanted, `{"create":[{"dnsName":"acp.lab.example.com","targets":["198.18.0.20"],"recordType":"A","recordTTL":30}]}`},
		"nothing there": {"null", wanted, `{"create":[{"dnsName":"acp.lab.example.com","targets":["198.18.0.20"],"recordType":"A","recordTTL":30}]}`},
		"changed, one family goes": {"[" + old + "," + six + "]", wanted,
			`{"updateOld":[` + old + `],"updateNew":[{"dnsName":"acp.lab.example.com","recordType":"A","targets":["198.18.0.20"],"recordTTL":30,"labels":{"owner":"x"},"providerSpecific":[{"name":"proxied","value":"no"}]}],"delete":[` + six + `]}`},
		"another TTL": {"[" + old + "]", Records{A: []string{"198.18.0.10"}, TTL: 5},
			`{"updateOld":[` + old + `],"updateNew":[{"dnsName":"acp.lab.example.com","recordType":"A","targets":["198.18.0.10"],"recordTTL":5,"labels":{"owner":"x"},"providerSpecific":[{"name":"proxied","value":"no"}]}]}`},
		"so already": {"[" + old + "]", Records{A: []string{"198.18.0.10"}, TTL: 30}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := &provider{filter: `{"include":["lab.example.com"]}`, records: c.records, media: webhookMedia}
			require.NoError(t, p.start(t).Upsert(t.Context(), acp, c.want))
			if c.says == "" {
				require.Empty(t, p.applied)
				return
			}
			require.Len(t, p.applied, 1)
			got, err := json.Marshal(p.applied[0])
			require.NoError(t, err)
			require.JSONEq(t, c.says, string(got))
		})
	}
}

func TestWebhookRemovesWhatIsThere(t *testing.T) {
	old := `{"dnsName":"acp.lab.example.com","recordType":"A","targets":["198.18.0.10"],"recordTTL":30,"labels":{"owner":"x"}}`
	six := `{"dnsName":"ACP.lab.example.com.","recordType":"AAAA","targets":["fd00::10"],"recordTTL":30}`
	text := `{"dnsName":"acp.lab.example.com","recordType":"TXT","targets":["x"],"recordTTL":30}`
	p := &provider{filter: `{}`, records: "[" + old + "," + six + "," + text + "]", media: webhookMedia}
	require.NoError(t, p.start(t).Remove(t.Context(), acp))
	require.Len(t, p.applied, 1)
	got, err := json.Marshal(p.applied[0])
	require.NoError(t, err)
	require.JSONEq(t, `{"delete":[`+old+`,`+six+`]}`, string(got))

	p = &provider{filter: `{}`, records: "[" + text + "]", media: webhookMedia}
	require.NoError(t, p.start(t).Remove(t.Context(), acp))
	require.Empty(t, p.applied, "there is nothing to remove")
	require.Equal(t, fault.BadInput, fault.ClassOf(Webhook{URL: "nonsense"}.Remove(t.Context(), acp)))
}

func TestWebhookFaults(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*provider)
		class  fault.Class
		says   string
	}{
		"another version":    {func(p *provider) { p.media = "application/json" }, fault.Protocol, "not " + webhookMedia},
		"no JSON":            {func(p *provider) { p.records = "<html>" }, fault.Protocol, "invalid character"},
		"another domain":     {func(p *provider) { p.filter = `{"filters":["example.org"]}` }, fault.BadInput, "serves example.org only"},
		"an excluded domain": {func(p *provider) { p.filter = `{"include":["example.com"],"exclude":["lab.example.com"]}` }, fault.BadInput, "serves"},
		"a weighted record": {func(p *provider) {
			p.records = `[{"dnsName":"acp.lab.example.com","recordType":"A","targets":["192.0.2.1"],"setIdentifier":"half"}]`
		}, fault.Gate, "several record sets"},
		"an alias": {func(p *provider) {
			p.records = `[{"dnsName":"acp.lab.example.com","recordType":"CNAME","targets":["x.example.com"]}]`
		}, fault.Gate, "alias"},
		"an error":             {func(p *provider) { p.status = map[string]int{"POST /records": 500} }, fault.Failed, "status 500: it is so"},
		"too many questions":   {func(p *provider) { p.status = map[string]int{"GET /records": 429} }, fault.Unreachable, "429"},
		"bad changes":          {func(p *provider) { p.status = map[string]int{"POST /records": 400} }, fault.Refused, "400"},
		"no right to do so":    {func(p *provider) { p.status = map[string]int{"GET /": 403} }, fault.Auth, "403"},
		"success that is none": {func(p *provider) { p.status = map[string]int{"POST /records": 202} }, fault.Protocol, "202"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &provider{filter: `{}`, records: "[]", media: webhookMedia}
			c.change(p)
			err := p.start(t).Upsert(t.Context(), acp, wanted)
			require.ErrorContains(t, err, c.says)
			require.Equal(t, c.class, fault.ClassOf(err))
			require.Empty(t, p.applied)
		})
	}
	err := Webhook{URL: "http://127.0.0.1:1"}.Upsert(t.Context(), acp, wanted)
	require.Equal(t, fault.Unreachable, fault.ClassOf(err))
	require.Equal(t, fault.BadInput, fault.ClassOf(Webhook{URL: "nonsense"}.Upsert(t.Context(), acp, wanted)))
}

// TestUpdateIsJudged by what the server says; the lab's BIND says the rest.
func TestUpdateIsJudged(t *testing.T) {
	k := tsigKey{name: "acpflow-lab."}
	for says, c := range map[string]struct {
		code  int
		tsig  uint16
		class fault.Class
	}{
		"BADTIME: the clocks": {dns.RcodeNotAuth, dns.RcodeBadTime, fault.Auth},
		"NOTZONE: the name":   {dns.RcodeNotZone, 0, fault.BadInput},
		"NOTIMP: the server":  {dns.RcodeNotImplemented, 0, fault.Refused},
		"SERVFAIL":            {dns.RcodeServerFailure, 0, fault.Failed},
		"FORMERR":             {dns.RcodeFormatError, 0, fault.Failed},
		"RCODE3000":           {3000, 0, fault.Failed},
	} {
		reply := new(dns.Msg)
		reply.Rcode = c.code
		reply.SetTsig(k.name, dns.HmacSHA256, 300, 0)
		reply.IsTsig().Error = c.tsig
		err := k.judge("update", "ns", "lab.example.com", reply)
		require.ErrorContains(t, err, says)
		require.Equal(t, c.class, fault.ClassOf(err))
	}
	require.NoError(t, k.judge("update", "ns", "lab.example.com", new(dns.Msg)))
}
