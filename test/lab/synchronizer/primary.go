package synchronizer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

// ClientPath is where a console hands out etcd client certificates to whoever
// knows the registry's credentials, which both sides of a pair share (DR-22).
const ClientPath = "/cpaas/etcd-sync/client"

// primary finds the etcd of the primary as the version does it.
func (o *Options) primary(ctx context.Context, way Way, s settings) ([]string, credentials, error) {
	if way.Token {
		return o.primaryByToken(ctx, s)
	}
	return o.primaryByDomain(ctx)
}

// primaryByDomain asks DNS who the primary is and its console for a
// certificate. A domain that leads to this cluster is no primary.
func (o *Options) primaryByDomain(ctx context.Context) ([]string, credentials, error) {
	var c credentials
	ctx, cancel := context.WithTimeout(ctx, 2*dialTimeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, o.PlatformAddress)
	if err != nil {
		return nil, c, fmt.Errorf("look up the platform's domain: %w", err)
	}
	slices.Sort(addresses)
	switch addresses = slices.Compact(addresses); {
	case slices.Contains(addresses, o.ClusterAddress):
		return nil, c, fmt.Errorf("the platform's domain %s leads to this cluster itself (%s): there is no primary to copy from", o.PlatformAddress, o.ClusterAddress)
	case len(addresses) != 1:
		return nil, c, fmt.Errorf("the platform's domain %s has %d addresses, one VIP is wanted", o.PlatformAddress, len(addresses))
	}
	c, err = o.askConsole(ctx, addresses[0])
	if err != nil {
		return nil, c, fmt.Errorf("console of the primary at %s: %w", addresses[0], err)
	}
	return []string{"https://" + net.JoinHostPort(addresses[0], etcdPort)}, c, nil
}

func (o *Options) askConsole(ctx context.Context, address string) (credentials, error) {
	var c credentials
	client, err := o.consoleClient(address)
	if err != nil {
		return c, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+net.JoinHostPort(o.PlatformAddress, strconv.Itoa(o.HTTPSPort))+ClientPath, http.NoBody)
	if err != nil {
		return c, err
	}
	req.SetBasicAuth(o.RegistryUser, o.RegistryPassword)
	resp, err := client.Do(req)
	if err != nil {
		return c, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return c, err
	}
	if resp.StatusCode != http.StatusOK {
		return c, fmt.Errorf("asked for an etcd client certificate: %s", resp.Status)
	}
	return c, json.Unmarshal(body, &c)
}

// consoleClient takes the certificate of this side's console for the other's:
// both have the same one (DR-15).
func (o *Options) consoleClient(address string) (*http.Client, error) {
	data, err := os.ReadFile(o.ConsoleCertificate)
	if err != nil {
		return nil, err
	}
	own, _ := pem.Decode(data)
	if own == nil {
		return nil, errors.New("this side's console has no certificate")
	}
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, net.JoinHostPort(address, strconv.Itoa(o.HTTPSPort)))
		},
		// The chain may lead to any authority; the leaf itself is compared.
		TLSClientConfig: &tls.Config{ServerName: o.PlatformAddress, InsecureSkipVerify: true, VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			if string(raw[0]) != string(own.Bytes) {
				return errors.New("it serves another certificate than this side")
			}
			return nil
		}},
	}}, nil
}

// primaryByToken uses what the bootstrap Job has prepared.
func (o *Options) primaryByToken(ctx context.Context, s settings) ([]string, credentials, error) {
	var c credentials
	if len(s.Active) == 0 {
		return nil, c, errors.New("parameter activeETCDEndpoints is empty")
	}
	secret, err := readSecret(ctx, o.API, RemoteClient)
	if err != nil {
		return nil, c, fmt.Errorf("the bootstrap Job has not prepared Secret %s: %w", RemoteClient, err)
	}
	c = credentials{CA: secret["ca.crt"], Cert: secret["tls.crt"], Key: secret["tls.key"]}
	return s.Active, c, nil
}

// local finds this side's etcd.
func (o *Options) local(s settings) ([]string, credentials, error) {
	c, err := localCredentials(o.PKI)
	if len(s.Standby) > 0 {
		return s.Standby, c, err
	}
	return []string{"https://127.0.0.1:" + etcdPort}, c, err
}

func secretPath(name string) string { return "/api/v1/namespaces/" + Namespace + "/secrets/" + name }

func readSecret(ctx context.Context, api *kubeapi.Client, name string) (map[string][]byte, error) {
	var secret struct {
		Data map[string][]byte `json:"data"`
	}
	if err := api.Get(ctx, secretPath(name), &secret); err != nil {
		return nil, err
	}
	return secret.Data, nil
}
