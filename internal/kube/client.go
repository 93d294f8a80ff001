// Package kube reads and, in a few named places, changes a `global` cluster
// through its API: the checks after an install (VER-02…VER-06), the plugin
// Product Docs and the architecture label of PKG-10. Judging is done by pure
// functions over the objects read; what is not understood is never healthy.
// Clients don't retry; every error is a *fault.Error.
package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// DialFunc opens connections, for example through SSH.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Options of a client. The zero value connects directly to the kubeconfig's server.
type Options struct {
	Dial    DialFunc      // nil = the worker's own network
	Address string        // host:port to connect to instead of the server's; TLS still verifies the server's name
	Timeout time.Duration // of one request, default 30 s
}

// Client is one cluster's API. It is safe for concurrent use.
type Client struct {
	typed   kubernetes.Interface
	dynamic dynamic.Interface
	meta    metadata.Interface // of clients made by New only
	config  *rest.Config       // likewise
	place   string
	close   func()
}

// New makes a client from a kubeconfig. The kubeconfig comes from a node, so
// only plain credentials in it are accepted: no commands to run, no files of
// the worker, no proxy, and never an unverified server. Errors are
// fault.BadInput or fault.Corrupt.
func New(kubeconfig secret.Value, o Options) (*Client, error) {
	cfg, err := restConfig(kubeconfig, o)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*Client, error) {
		return nil, fault.New(fault.Corrupt, "use the kubeconfig", cfg.Host, "", redacted{err})
	}
	transport, err := newTransport(cfg)
	if err != nil {
		return fail(err)
	}
	wrapped, err := rest.HTTPWrappersForConfig(cfg, transport)
	if err != nil {
		return fail(err)
	}
	client := &http.Client{Transport: wrapped, Timeout: cfg.Timeout}
	typed, err := kubernetes.NewForConfigAndClient(cfg, client)
	if err != nil {
		return fail(err)
	}
	dyn, err := dynamic.NewForConfigAndClient(cfg, client)
	if err != nil {
		return fail(err)
	}
	meta, err := metadata.NewForConfigAndClient(metadata.ConfigFor(cfg), client)
	if err != nil {
		return fail(err)
	}
	c := NewFromClients(typed, dyn, cfg.Host)
	c.meta, c.config = meta, cfg
	c.close = transport.CloseIdleConnections
	return c, nil
}

// newTransport is one transport for all of a client's requests. client-go's
// own would be cached for the life of the process, one per dialer.
func newTransport(cfg *rest.Config) (*http.Transport, error) {
	tlsConfig, err := rest.TLSConfigFor(cfg)
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		DialContext:         cfg.Dial, // and no proxy: never the worker's environment
		TLSClientConfig:     tlsConfig,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
		IdleConnTimeout:     90 * time.Second, // a monitor comes again every minute
	}, nil
}

// Close gives the connections back; the client may still be used afterwards.
func (c *Client) Close() { c.close() }

// NewFromClients wraps existing clients; place names the cluster in errors.
func NewFromClients(typed kubernetes.Interface, dyn dynamic.Interface, place string) *Client {
	return &Client{typed: typed, dynamic: dyn, place: place, close: func() {}}
}

// Place is the cluster's server URL, for evidence.
func (c *Client) Place() string { return c.place }

func restConfig(kubeconfig secret.Value, o Options) (*rest.Config, error) {
	const op = "read the kubeconfig"
	const fix = "copy /etc/kubernetes/admin.conf of a control plane as kubeadm wrote it"
	loaded, err := clientcmd.Load(kubeconfig.Reveal())
	if err != nil { // the parser quotes the input
		return nil, fault.New(fault.Corrupt, op, o.Address, fix, errors.New("it is no kubeconfig"))
	}
	if err := onlyPlain(loaded); err != nil {
		return nil, fault.New(fault.BadInput, op, o.Address, fix, err)
	}
	cfg, err := clientcmd.NewDefaultClientConfig(*loaded, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, fault.New(fault.Corrupt, op, o.Address, fix, errors.New(secret.Redact(err.Error())))
	}
	if !strings.HasPrefix(cfg.Host, "https://") {
		return nil, fault.New(fault.BadInput, op, cfg.Host, fix, errors.New("the server is not https"))
	}
	cfg.Timeout = o.Timeout
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	cfg.UserAgent = "acpflow"
	cfg.QPS, cfg.Burst = 50, 100
	cfg.WarningHandler = rest.NoWarnings{}
	cfg.Dial = dialer(o)
	return cfg, nil
}

func dialer(o Options) DialFunc {
	dial := o.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if o.Address != "" {
			address = o.Address
		}
		return dial(ctx, network, address)
	}
}

// onlyPlain refuses everything in a kubeconfig that reaches beyond itself.
func onlyPlain(cfg *clientcmdapi.Config) error {
	for name, u := range cfg.AuthInfos {
		switch {
		case u.Exec != nil || u.AuthProvider != nil:
			return fmt.Errorf("the user %q runs a command to log in", name)
		case u.ClientCertificate != "" || u.ClientKey != "" || u.TokenFile != "":
			return fmt.Errorf("the user %q points at files", name)
		}
	}
	for name, c := range cfg.Clusters {
		switch {
		case c.InsecureSkipTLSVerify:
			return fmt.Errorf("the cluster %q is not verified (insecure-skip-tls-verify)", name)
		case c.CertificateAuthority != "":
			return fmt.Errorf("the cluster %q points at files", name)
		case c.ProxyURL != "":
			return fmt.Errorf("the cluster %q is behind a proxy", name)
		}
	}
	return nil
}

// UID is the identity of the cluster: the UID of its namespace kube-system,
// which no synchronizer copies.
func (c *Client) UID(ctx context.Context) (string, error) {
	ns, err := c.typed.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	if err != nil {
		return "", c.fault("read namespace kube-system", err)
	}
	return string(ns.UID), nil
}
