// Package platform looks at the platform the way its users do: an HTTPS
// request to the access address, over a fresh connection, with the certificate
// that is really served (VER-04).
package platform

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// DialFunc opens connections, for example through SSH.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Target is what is fetched and what is expected there.
type Target struct {
	Address     string // platform access address: domain or IP; also SNI and Host
	Connect     string // host or IP to connect to instead of resolving Address, usually a VIP; "" = Address
	Port        int    // HTTPS port
	Certificate []byte // PEM chain of the site's own certificate, leaf first; nil = self-signed by the platform
	Fingerprint string // hex SHA-256 of the leaf recorded earlier, for self-signed; "" = record it now
}

// Result is what answered.
type Result struct {
	URL         string           `json:"url"`
	Connected   string           `json:"connected"`             // host:port
	Status      int              `json:"status"`                // HTTP status
	Title       string           `json:"title,omitempty"`       // of the page, for people: which cluster answers
	UUIDs       []string         `json:"uuids,omitempty"`       // that stand in the page, in lower case
	Location    string           `json:"location,omitempty"`    // where a redirect points
	Fingerprint string           `json:"fingerprint,omitempty"` // hex SHA-256 of the leaf that was served
	Subject     string           `json:"subject,omitempty"`
	NotAfter    time.Time        `json:"notAfter,omitzero"`
	Findings    []checks.Finding `json:"findings"`
}

const (
	timeout   = 20 * time.Second
	pageLimit = 256 << 10 // bytes of the page that are looked at
)

// Fetch requests https://Address/ and judges certificate and answer. Redirects
// are not followed: they may leave the platform. A page that does not answer
// is an error (fault.Unreachable, fault.Protocol); a wrong certificate or
// status is a finding.
func Fetch(ctx context.Context, dial DialFunc, t Target, now time.Time) (Result, error) {
	out := Result{
		URL:       "https://" + strings.TrimSuffix(net.JoinHostPort(t.Address, strconv.Itoa(t.Port)), ":443") + "/",
		Connected: net.JoinHostPort(t.host(), strconv.Itoa(t.Port)),
	}
	resp, err := request(ctx, dial, t, out)
	if err != nil {
		return out, lost(err, out)
	}
	defer resp.Body.Close()
	leaf := resp.TLS.PeerCertificates[0]
	out.Status, out.Location = resp.StatusCode, resp.Header.Get("Location")
	page, _ := io.ReadAll(io.LimitReader(resp.Body, pageLimit)) // what came is looked at
	out.Title, out.UUIDs = title(page), uuids(page)
	out.Fingerprint = fingerprint(leaf.Raw)
	out.Subject, out.NotAfter = leaf.Subject.String(), leaf.NotAfter.UTC()
	out.Findings = []checks.Finding{judgeStatus(out), judgeCertificate(t, resp.TLS.PeerCertificates, now)}
	return out, nil
}

func (t Target) host() string {
	if t.Connect != "" {
		return t.Connect
	}
	return t.Address
}

func request(ctx context.Context, dial DialFunc, t Target, out Result) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, out.URL, http.NoBody)
	if err != nil {
		return nil, err
	}
	return t.client(dial, out).Do(req)
}

// client connects anew for each request.
func (t Target) client(dial DialFunc, out Result) *http.Client {
	if dial == nil {
		dial = (&net.Dialer{Timeout: timeout}).DialContext
	}
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return dial(ctx, network, out.Connected)
			},
			TLSClientConfig: &tls.Config{
				ServerName: t.Address,
				MinVersion: tls.VersionTLS12,
				// Nothing is sent that needs protection and nothing is believed:
				// the certificate itself is what judgeCertificate examines.
				InsecureSkipVerify: true,
			},
		},
	}
}

func lost(err error, out Result) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	class := fault.Unreachable
	if _, other := errors.AsType[tls.RecordHeaderError](err); other || errors.Is(err, http.ErrSchemeMismatch) {
		class = fault.Protocol // something answers, but not HTTPS
	}
	return fault.New(class, "open the platform", out.URL+" at "+out.Connected,
		"check the load balancer's rule for this port and the ingress Pods of cpaas-system", errors.New(secret.Redact(err.Error())))
}

func judgeStatus(r Result) checks.Finding {
	f := checks.Finding{
		Rule: "VER-04", Title: "The platform's page answers", Source: "Verify", Want: "HTTP 2xx or 3xx",
		Seen: fmt.Sprintf("HTTP %d %q", r.Status, r.Title), Outcome: checks.Pass,
	}
	if r.Location != "" {
		f.Seen += " to " + r.Location
	}
	if r.Status < 200 || r.Status >= 400 {
		f.Outcome = checks.Fail
		f.Fix = "look at the ingress and console Pods of cpaas-system, and at the backends of the load balancer"
	}
	return f
}

// judgeCertificate compares what is served with what the site says: the very
// leaf of its own certificate, or the recorded self-signed one.
func judgeCertificate(t Target, served []*x509.Certificate, now time.Time) checks.Finding {
	leaf := served[0]
	got := fingerprint(leaf.Raw)
	f := checks.Finding{
		Rule: "VER-04", Title: "The platform serves the expected certificate", Source: "Certificate",
		Seen: fmt.Sprintf("%s, sha256 %s…, until %s", leaf.Subject, got[:16], leaf.NotAfter.UTC().Format(time.DateOnly)), Outcome: checks.Pass,
	}
	bad := func(o checks.Outcome, reason, fix string) checks.Finding {
		f.Outcome, f.Reason, f.Fix = o, reason, fix
		return f
	}
	if now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		return bad(checks.Fail, "the certificate is not valid now", "replace the certificate, or set the clock")
	}
	if len(t.Certificate) > 0 {
		want, err := firstCertificate(t.Certificate)
		if err != nil {
			return bad(checks.Error, err.Error(), "check platform.certificate of the site document")
		}
		f.Want = fmt.Sprintf("the site's certificate, sha256 %s…", fingerprint(want.Raw)[:16])
		if got != fingerprint(want.Raw) {
			return bad(checks.Fail, "another certificate is served", "check which machine answers behind this address, and the certificate of the platform")
		}
	} else if t.Fingerprint != "" {
		f.Want = fmt.Sprintf("the certificate seen before, sha256 %s…", t.Fingerprint[:min(16, len(t.Fingerprint))])
		if got != strings.ToLower(t.Fingerprint) {
			return bad(checks.Fail, "another certificate is served than before", "find out who changed it")
		}
	} else {
		f.Want = "any self-signed certificate for the address (recorded now)"
	}
	if err := leaf.VerifyHostname(t.Address); err != nil {
		outcome := checks.Fail
		if len(t.Certificate) == 0 { // browsers refuse a self-signed one anyway (NET-05)
			outcome = checks.Warn
		}
		return bad(outcome, err.Error(), "use a certificate that names "+t.Address)
	}
	return f
}

func firstCertificate(chain []byte) (*x509.Certificate, error) {
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
	}
	return nil, errors.New("the site's certificate holds no PEM certificate")
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

var titleTag = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)

// title is the page's title, one line, bounded; "" when there is none.
func title(page []byte) string {
	m := titleTag.FindSubmatch(page)
	if m == nil {
		return ""
	}
	t := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(string(m[1]), "?")), " "))
	return secret.Redact(string(t[:min(len(t), 120)]))
}
