package synchronizer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

const certManager = "cert-manager.io/v1"

// bootstrap is the container of the bootstrap Job's Pod: with the token of the
// primary it fetches the authority of the primary's etcd, and has a client
// certificate issued.
func bootstrap(ctx context.Context, o *Options, p pod) error {
	s, err := readSettings(p.Metadata.Annotations[ConfigAnnotation])
	if err != nil {
		return err
	}
	ca, err := fetchAuthority(ctx, o, s)
	if err != nil {
		return err
	}
	object := func(apiVersion, kind, name string, fields kubeapi.Object) kubeapi.Object {
		out := kubeapi.Object{"apiVersion": apiVersion, "kind": kind,
			"metadata": kubeapi.Object{"name": name, "namespace": Namespace, "ownerReferences": p.owner()}}
		for k, v := range fields {
			out[k] = v
		}
		return out
	}
	for _, o2 := range []kubeapi.Object{
		object("v1", "Secret", RemoteCA, kubeapi.Object{"type": "kubernetes.io/tls", "data": ca}),
		object(certManager, "Issuer", RemoteIssuer, kubeapi.Object{"spec": kubeapi.Object{"ca": kubeapi.Object{"secretName": RemoteCA}}}),
		object(certManager, "Certificate", RemoteClient, kubeapi.Object{"spec": kubeapi.Object{
			"commonName": Plugin, "secretName": RemoteClient, "usages": []string{"client auth"},
			"issuerRef": kubeapi.Object{"kind": "Issuer", "name": RemoteIssuer}}}),
	} {
		if err := o.API.Apply(ctx, o2); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		if _, err = readSecret(ctx, o.API, RemoteClient); err == nil {
			return nil
		}
		if sleep(ctx, time.Second) != nil {
			return fmt.Errorf("wait for the client certificate: %w", err)
		}
	}
}

// fetchAuthority reads the primary's Secret with the authority of its etcd.
func fetchAuthority(ctx context.Context, o *Options, s settings) (map[string][]byte, error) {
	if s.ActiveVIP == "" {
		return nil, errors.New("parameter activeGlobalClusterVIP is empty")
	}
	if s.ActiveVIP == o.ClusterAddress {
		return nil, fmt.Errorf("parameter activeGlobalClusterVIP is this cluster's own VIP %s", s.ActiveVIP)
	}
	if s.TokenSecret == "" {
		s.TokenSecret = TokenSecret
	}
	token, err := readSecret(ctx, o.API, s.TokenSecret)
	if err != nil {
		return nil, fmt.Errorf("token of the primary: %w", err)
	}
	if len(token["token"]) == 0 {
		return nil, fmt.Errorf("token of the primary: Secret %s has no key token", s.TokenSecret)
	}
	primary := kubeapi.NewWithToken("https://"+s.ActiveVIP+":6443", string(token["token"]))
	ca, err := readSecret(ctx, primary, PrimaryCASecret)
	if err != nil {
		return nil, fmt.Errorf("primary at %s: %w", s.ActiveVIP, err)
	}
	return ca, nil
}
