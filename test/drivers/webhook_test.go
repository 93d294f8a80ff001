package drivers

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// provider is a webhook provider of external-dns that keeps its records in the
// lab's BIND: it lists them with a zone transfer and applies a set of changes as
// one signed update. It is stricter than the protocol asks: what it does not
// know it refuses, and so it does what was not read just before.
type provider struct {
	t      *testing.T
	r      *rig
	secret string
	posts  atomic.Int32 // sets of changes applied
}

type record struct {
	DNSName          string            `json:"dnsName"`
	Targets          []string          `json:"targets"`
	RecordType       string            `json:"recordType"`
	SetIdentifier    string            `json:"setIdentifier,omitempty"`
	RecordTTL        int64             `json:"recordTTL,omitempty"`
	Labels           map[string]string `json:"labels,omitempty"`
	ProviderSpecific json.RawMessage   `json:"providerSpecific,omitempty"`
}

type changeSet struct {
	Create    []record `json:"create"`
	UpdateOld []record `json:"updateOld"`
	UpdateNew []record `json:"updateNew"`
	Delete    []record `json:"delete"`
}

const media = "application/external.dns.webhook+json;version=1"

func startProvider(t *testing.T, r *rig) (*provider, string) {
	p := &provider{t: t, r: r, secret: r.tsigSecret(t)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { p.say(w, map[string][]string{"include": {r.d.Zone}}) })
	mux.HandleFunc("GET /records", p.list)
	mux.HandleFunc("POST /adjustendpoints", p.adjust)
	mux.HandleFunc("POST /records", p.apply)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Accept") != media || req.Method == http.MethodPost && req.Header.Get("Content-Type") != media {
			http.Error(w, "another media type", http.StatusUnsupportedMediaType)
			return
		}
		mux.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	return p, server.URL
}

func (p *provider) say(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", media)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		p.t.Error(err)
	}
}

func (p *provider) list(w http.ResponseWriter, _ *http.Request) {
	records, err := p.records()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	p.say(w, records)
}

// records transfers the zone.
func (p *provider) records() ([]record, error) {
	question := new(dns.Msg).SetAxfr(dns.Fqdn(p.r.d.Zone))
	question.SetTsig(p.r.d.DNS.TSIGName, dns.HmacSHA256, 300, time.Now().Unix())
	transfer := &dns.Transfer{TsigSecret: map[string]string{p.r.d.DNS.TSIGName: p.secret}}
	answers, err := transfer.In(question, p.r.d.DNS.Authoritative)
	if err != nil {
		return nil, err
	}
	found := map[string]*record{}
	for envelope := range answers {
		if envelope.Error != nil {
			return nil, envelope.Error
		}
		for _, rr := range envelope.RR {
			var target string
			switch rr := rr.(type) {
			case *dns.A:
				target = rr.A.String()
			case *dns.AAAA:
				target = rr.AAAA.String()
			default:
				continue
			}
			name, kind := strings.TrimSuffix(rr.Header().Name, "."), dns.TypeToString[rr.Header().Rrtype]
			if found[name+kind] == nil {
				found[name+kind] = &record{DNSName: name, RecordType: kind, RecordTTL: int64(rr.Header().Ttl), Labels: map[string]string{"owner": "lab"}}
			}
			found[name+kind].Targets = append(found[name+kind].Targets, target)
		}
	}
	out := []record{}
	for _, r := range found {
		slices.Sort(r.Targets)
		out = append(out, *r)
	}
	return out, nil
}

func (p *provider) adjust(w http.ResponseWriter, req *http.Request) {
	var wanted []record
	if p.decode(w, req, &wanted) {
		p.say(w, wanted)
	}
}

func (p *provider) decode(w http.ResponseWriter, req *http.Request, into any) bool {
	decoder := json.NewDecoder(req.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

func (p *provider) apply(w http.ResponseWriter, req *http.Request) {
	var set changeSet
	if !p.decode(w, req, &set) {
		return
	}
	now, err := p.records()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	is := func(r record) bool {
		return slices.ContainsFunc(now, func(n record) bool {
			return n.DNSName == r.DNSName && n.RecordType == r.RecordType && slices.Equal(n.Targets, r.Targets)
		})
	}
	if len(set.UpdateOld) != len(set.UpdateNew) {
		http.Error(w, "updateOld and updateNew are pairs", http.StatusBadRequest)
		return
	}
	update := new(dns.Msg).SetUpdate(dns.Fqdn(p.r.d.Zone))
	for _, r := range slices.Concat(set.UpdateOld, set.Delete) {
		if !is(r) {
			http.Error(w, "there is no such record to change", http.StatusBadRequest)
			return
		}
		update.RemoveRRset(p.resources(r))
	}
	for _, r := range slices.Concat(set.UpdateNew, set.Create) {
		update.Insert(p.resources(r))
	}
	update.SetTsig(p.r.d.DNS.TSIGName, dns.HmacSHA256, 300, time.Now().Unix())
	client := &dns.Client{Net: "tcp", TsigSecret: map[string]string{p.r.d.DNS.TSIGName: p.secret}}
	reply, _, err := client.Exchange(update, p.r.d.DNS.Authoritative)
	if err != nil || reply.Rcode != dns.RcodeSuccess {
		http.Error(w, "the server refused", http.StatusInternalServerError)
		return
	}
	p.posts.Add(1)
	w.WriteHeader(http.StatusNoContent)
}

func (p *provider) resources(r record) (out []dns.RR) {
	for _, target := range r.Targets {
		rr, err := dns.NewRR(dns.Fqdn(r.DNSName) + " " + r.RecordType + " " + target)
		require.NoError(p.t, err)
		rr.Header().Ttl = uint32(r.RecordTTL)
		out = append(out, rr)
	}
	return out
}
