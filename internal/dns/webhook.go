package dns

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// webhookMedia is the media type of the only version of the protocol.
const webhookMedia = "application/external.dns.webhook+json;version=1"

const (
	webhookTimeout = 30 * time.Second
	webhookAnswer  = 64 << 20 // bytes: a provider lists every record of its zones
)

// Webhook is a provider that speaks the webhook protocol of external-dns
// (version 1): GET / negotiates, GET /records lists, POST /adjustendpoints lets
// the provider correct what is wanted, POST /records applies one set of changes.
type Webhook struct {
	URL  string   // for example http://127.0.0.1:8888
	Dial DialFunc // nil = the worker's own network
}

// endpoint is one record set. What acpflow does not know is given back as it came.
type endpoint struct {
	DNSName          string            `json:"dnsName"`
	Targets          []string          `json:"targets"`
	RecordType       string            `json:"recordType"`
	SetIdentifier    string            `json:"setIdentifier,omitempty"`
	RecordTTL        int64             `json:"recordTTL,omitempty"`
	Labels           map[string]string `json:"labels,omitempty"`
	ProviderSpecific json.RawMessage   `json:"providerSpecific,omitempty"`
}

type changes struct {
	Create    []endpoint `json:"create,omitempty"`
	UpdateOld []endpoint `json:"updateOld,omitempty"`
	UpdateNew []endpoint `json:"updateNew,omitempty"`
	Delete    []endpoint `json:"delete,omitempty"`
}

func (c changes) none() bool {
	return len(c.Create)+len(c.UpdateNew)+len(c.Delete) == 0
}

// Upsert sends one set of changes, or none when the provider lists the records
// as wanted. That nothing is missed meanwhile is then up to the provider.
func (d Webhook) Upsert(ctx context.Context, name string, want Records) error {
	if err := want.check(name); err != nil {
		return err
	}
	return d.change(ctx, "update "+name, name, want)
}

// Remove sends one set of changes, or none when the provider lists no address
// records of the name.
func (d Webhook) Remove(ctx context.Context, name string) error {
	return d.change(ctx, "remove "+name, name, Records{})
}

// change makes the address records of the name those wanted, none if that is so.
func (d Webhook) change(ctx context.Context, op, name string, want Records) error {
	base, err := url.Parse(d.URL)
	if err != nil || base.Host == "" {
		return fault.New(fault.BadInput, op, "", "set dr.dns.externalDNS.url", errors.New("the URL of the webhook makes no sense"))
	}
	w := &webhook{base: base, op: op, client: d.client()}
	defer w.client.CloseIdleConnections()
	if err := w.negotiate(ctx, name); err != nil {
		return err
	}
	var known []endpoint
	if err := w.call(ctx, http.MethodGet, "records", nil, &known); err != nil {
		return err
	}
	todo, err := w.compare(ctx, name, want, known)
	if err != nil || todo.none() {
		return err
	}
	return w.call(ctx, http.MethodPost, "records", todo, nil)
}

func (d Webhook) client() *http.Client {
	dial := d.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: tcpTimeout}).DialContext
	}
	return &http.Client{
		Timeout:       webhookTimeout,
		Transport:     &http.Transport{DialContext: dial}, // and no proxy: never the worker's environment
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// webhook is one conversation.
type webhook struct {
	base   *url.URL
	op     string
	client *http.Client
}

// compare makes the change set.
func (w *webhook) compare(ctx context.Context, name string, want Records, known []endpoint) (changes, error) {
	var todo changes
	for _, set := range []struct {
		kind    string
		targets []string
	}{{"A", want.A}, {"AAAA", want.AAAA}} {
		old, err := w.only(name, set.kind, known)
		if err != nil {
			return changes{}, err
		}
		if len(set.targets) == 0 {
			if old != nil {
				todo.Delete = append(todo.Delete, *old)
			}
			continue
		}
		wanted := endpoint{DNSName: name, RecordType: set.kind}
		if old != nil {
			wanted = *old
		}
		wanted.Targets, wanted.RecordTTL = canonical(set.targets), int64(want.TTL)
		if wanted, err = w.adjust(ctx, wanted); err != nil {
			return changes{}, err
		}
		switch {
		case old == nil:
			todo.Create = append(todo.Create, wanted)
		case !slices.Equal(canonical(old.Targets), canonical(wanted.Targets)) || old.RecordTTL != wanted.RecordTTL:
			todo.UpdateOld, todo.UpdateNew = append(todo.UpdateOld, *old), append(todo.UpdateNew, wanted)
		}
	}
	return todo, nil
}

// only finds the one record set of the name and type. Weighted or geographic
// sets are not ours to rewrite, nor is an alias.
func (w *webhook) only(name, kind string, known []endpoint) (*endpoint, error) {
	var found *endpoint
	for i := range known {
		e := &known[i]
		if !strings.EqualFold(strings.TrimSuffix(e.DNSName, "."), name) {
			continue
		}
		if e.RecordType == "CNAME" || e.RecordType == kind && (found != nil || e.SetIdentifier != "") {
			return nil, fault.New(fault.Gate, w.op, w.place(""), "make it one plain record set",
				fmt.Errorf("the provider has several record sets for %s, or an alias", name))
		}
		if e.RecordType == kind {
			found = e
		}
	}
	return found, nil
}

// adjust asks the provider for what it can do of what is wanted, as external-dns
// does before every change.
func (w *webhook) adjust(ctx context.Context, wanted endpoint) (endpoint, error) {
	var adjusted []endpoint
	if err := w.call(ctx, http.MethodPost, "adjustendpoints", []endpoint{wanted}, &adjusted); err != nil {
		return endpoint{}, err
	}
	if len(adjusted) != 1 || adjusted[0].RecordType != wanted.RecordType || !slices.Equal(canonical(adjusted[0].Targets), canonical(wanted.Targets)) {
		return endpoint{}, fault.New(fault.Refused, w.op, w.place("adjustendpoints"), "see what the provider supports", errors.New("the provider will not write these addresses"))
	}
	return adjusted[0], nil
}

// negotiate agrees on the version and asks whether the provider serves the name.
func (w *webhook) negotiate(ctx context.Context, name string) error {
	var filter struct{ Filters, Include, Exclude []string }
	if err := w.call(ctx, http.MethodGet, "", nil, &filter); err != nil {
		return err
	}
	under := func(domains []string) bool {
		return slices.ContainsFunc(domains, func(d string) bool {
			d = strings.ToLower(strings.Trim(d, "."))
			return d == "" || name == d || strings.HasSuffix(strings.ToLower(name), "."+d)
		})
	}
	serves := slices.Concat(filter.Filters, filter.Include)
	if len(serves) > 0 && !under(serves) || len(filter.Exclude) > 0 && under(filter.Exclude) {
		return fault.New(fault.BadInput, w.op, w.place(""), "let the provider serve the zone, or choose another one",
			fmt.Errorf("the provider serves %s only, not %s", strings.Join(serves, ", "), name))
	}
	return nil
}

func (w *webhook) place(path string) string { return w.base.JoinPath(path).Redacted() }

func (w *webhook) call(ctx context.Context, method, path string, body, into any) error {
	var reader io.Reader = http.NoBody
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return fault.New(fault.Internal, w.op, w.place(path), "", err)
		}
		reader = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, w.base.JoinPath(path).String(), reader)
	if err != nil {
		return fault.New(fault.BadInput, w.op, w.place(path), "", err)
	}
	req.Header.Set("Accept", webhookMedia)
	if body != nil {
		req.Header.Set("Content-Type", webhookMedia)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return lost(ctx, w.op, w.place(path), err)
		}
		return fault.New(fault.Unreachable, w.op, w.place(path), "check that the webhook provider runs", errors.New(secret.Redact(err.Error())))
	}
	defer resp.Body.Close()
	return w.read(path, method, into, resp)
}

func (w *webhook) read(path, method string, into any, resp *http.Response) error {
	data, err := io.ReadAll(io.LimitReader(resp.Body, webhookAnswer))
	if err != nil {
		return fault.New(fault.Unreachable, w.op, w.place(path), "check that the webhook provider runs", err)
	}
	want := http.StatusOK
	if into == nil {
		want = http.StatusNoContent
	}
	if resp.StatusCode != want {
		return w.refused(path, method, resp.StatusCode, data)
	}
	if into == nil {
		return nil
	}
	media := strings.ReplaceAll(resp.Header.Get("Content-Type"), " ", "")
	if media != webhookMedia {
		return fault.New(fault.Protocol, w.op, w.place(path), "name a webhook provider of external-dns, protocol version 1", fmt.Errorf("its answer is %q, not %s", media, webhookMedia))
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fault.New(fault.Protocol, w.op, w.place(path), "", err)
	}
	return nil
}

func (w *webhook) refused(path, method string, status int, body []byte) error {
	said := strings.ToValidUTF8(secret.Redact(strings.TrimSpace(string(body[:min(len(body), 300)]))), "?")
	class := fault.Failed
	switch {
	case status == http.StatusTooManyRequests || status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout:
		class = fault.Unreachable
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		class = fault.Auth
	case status < 400: // it may have done it
		class = fault.Protocol
	case status < 500:
		class = fault.Refused
	}
	return fault.New(class, w.op, w.place(path), "look at the provider's log", fmt.Errorf("%s gave status %d: %s", method, status, said))
}
