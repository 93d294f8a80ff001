package synchronizer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const (
	etcdPort    = "2379"
	dialTimeout = 5 * time.Second
)

// credentials are what an etcd demands: PEM.
type credentials struct {
	CA   []byte `json:"ca"`
	Cert []byte `json:"cert"`
	Key  []byte `json:"key"`
}

func (c credentials) tls() (*tls.Config, error) {
	pair, err := tls.X509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("etcd client certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(c.CA) {
		return nil, errors.New("etcd client certificate: no authority")
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}

// localCredentials are those of this control plane's own API server.
func localCredentials(pki string) (credentials, error) {
	var c credentials
	var errs [3]error
	c.CA, errs[0] = os.ReadFile(filepath.Join(pki, "etcd/ca.crt"))
	c.Cert, errs[1] = os.ReadFile(filepath.Join(pki, "apiserver-etcd-client.crt"))
	c.Key, errs[2] = os.ReadFile(filepath.Join(pki, "apiserver-etcd-client.key"))
	return c, errors.Join(errs[:]...)
}

// openEtcd connects. It asks every endpoint for its health first, with plain
// HTTP over TLS: that tells closed ports, wrong certificates and balancers
// that end the connection apart, which the etcd client does not.
func openEtcd(ctx context.Context, endpoints []string, c credentials) (*clientv3.Client, error) {
	if len(endpoints) == 0 {
		return nil, errors.New("no etcd endpoint")
	}
	conf, err := c.tls()
	if err != nil {
		return nil, err
	}
	for _, e := range endpoints {
		if err := healthy(ctx, e, conf); err != nil {
			return nil, fmt.Errorf("etcd %s: %w", e, err)
		}
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: endpoints, TLS: conf, Logger: zap.NewNop(), Context: ctx,
		DialTimeout: dialTimeout, DialKeepAliveTime: dialTimeout, DialKeepAliveTimeout: dialTimeout, PermitWithoutStream: true,
	})
	if err != nil {
		return nil, fmt.Errorf("etcd %s: %w", strings.Join(endpoints, ","), err)
	}
	return client, nil
}

func healthy(ctx context.Context, endpoint string, conf *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	transport := &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/health", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), `"health":"true"`) {
		return fmt.Errorf("not healthy: %d %q", resp.StatusCode, body)
	}
	return nil
}

// clusterID asks an etcd who it is.
func clusterID(ctx context.Context, c *clientv3.Client) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	resp, err := c.Get(ctx, root, clientv3.WithCountOnly())
	if err != nil {
		return 0, err
	}
	return resp.Header.ClusterId, nil
}
