package installer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// Endpoint is where the installer listens on its own node (EXE-07).
const Endpoint = "http://127.0.0.1:8080"

// ErrRefused marks an Unreachable fault in which the node answered but nothing
// listens on the installer's port: it has not started, or it is gone.
var ErrRefused = errors.New("nothing listens on the installer's port")

const (
	requestLimit = 30 * time.Second
	answerLimit  = 16 << 20 // bytes; the answer may carry the whole install log
)

// The interface is written with two prefixes; which one a package serves is
// found out by its 404.
var prefixes = []string{"/api", "/cpaas-installer/api"}

// Client talks to one installer. It is not safe for concurrent use.
type Client struct {
	http     *http.Client
	endpoint string
	place    string
	prefix   int
}

// New returns a client of the installer on Endpoint as seen from its node.
// The transport must connect from there (Transport with an SSH dialer); place
// names the node in errors.
func New(rt http.RoundTripper, place string) *Client { return NewAt(rt, Endpoint, place) }

// NewAt is New for another base URL.
func NewAt(rt http.RoundTripper, endpoint, place string) *Client {
	return &Client{
		endpoint: strings.TrimRight(endpoint, "/"),
		place:    place,
		http: &http.Client{
			Transport:     rt,
			Timeout:       requestLimit,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Transport is a transport that connects with dial only: no proxy of the
// worker's environment, no connection kept (every request is its own channel,
// so a stale one can't make a POST ambiguous).
func Transport(dial func(ctx context.Context, network, address string) (net.Conn, error)) http.RoundTripper {
	return &http.Transport{DialContext: dial, DisableKeepAlives: true, ResponseHeaderTimeout: requestLimit}
}

// Ready returns nil once the installer answers HTTP (EXE-06), whatever it says
// about progress before there is a configuration.
func (c *Client) Ready(ctx context.Context) error {
	resp, err := c.get(ctx, "/progress")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if gatewayTrouble(resp.StatusCode) {
		return c.unexpected("wait for the installer", resp)
	}
	return nil
}

// gatewayTrouble: a proxy in front answers, but not the installer.
func gatewayTrouble(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// get requests a path below the prefix and falls back to the other prefix
// once. The caller closes the body.
func (c *Client) get(ctx context.Context, path string) (*http.Response, error) {
	const op = "ask the installer"
	for range prefixes {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.endpoint+prefixes[c.prefix]+path, http.NoBody)
		if err != nil {
			return nil, fault.New(fault.Internal, op, c.place, "", err)
		}
		resp, err := c.http.Do(req)
		if err != nil {
			return nil, c.lost(op, err)
		}
		if resp.StatusCode != http.StatusNotFound {
			return resp, nil
		}
		c.drop(resp)
		c.otherPrefix()
	}
	return nil, fault.New(fault.Protocol, op, c.place, "check that the package's version is one that acpflow knows",
		fmt.Errorf("GET %s answers 404 below %s", path, strings.Join(prefixes, " and ")))
}

func (c *Client) otherPrefix() { c.prefix = (c.prefix + 1) % len(prefixes) }

func (c *Client) drop(resp *http.Response) {
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	_ = resp.Body.Close()
}

// lost classifies a request without an answer.
func (c *Client) lost(op string, err error) error {
	const fix = "look on the installer node: the output of setup.sh, and whether the container minialauda-control-plane runs and serves port 8080"
	if refused(err) {
		return fault.New(fault.Unreachable, op, c.place, fix, fmt.Errorf("%w (%w)", ErrRefused, redacted{err}))
	}
	if f, ok := errors.AsType[*fault.Error](err); ok { // the dialer knows better: host key, rejected credentials
		return f
	}
	return fault.New(fault.Unreachable, op, c.place, fix, redacted{err})
}

// redacted keeps a foreign error's chain and masks secrets in its text.
type redacted struct{ error }

func (r redacted) Error() string { return secret.Redact(r.error.Error()) }
func (r redacted) Unwrap() error { return r.error }

// refused tells a closed port from a lost node: directly, through an SSH
// channel, or through a relay on the node, which has the word of bash only.
func refused(err error) bool {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return true
	}
	if open, ok := errors.AsType[*ssh.OpenChannelError](err); ok {
		return open.Reason == ssh.ConnectionFailed
	}
	return fault.Is(err, fault.Unreachable) && strings.Contains(strings.ToLower(err.Error()), "connection refused")
}

// unexpected is the fault for an answer outside the interface. The body may
// hold secrets and is not quoted.
func (c *Client) unexpected(op string, resp *http.Response) error {
	return fault.New(fault.Protocol, op, c.place, "look at the installer's log on its node",
		fmt.Errorf("%s %s answers HTTP %d", resp.Request.Method, resp.Request.URL.Path, resp.StatusCode))
}
