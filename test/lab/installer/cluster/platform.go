package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"

	"github.com/acpflow/acpflow/test/lab/clusterdns"
	"github.com/acpflow/acpflow/test/lab/installer/config"
	"github.com/acpflow/acpflow/test/lab/installer/machine"
	"github.com/acpflow/acpflow/test/lab/installer/pki"
	"github.com/acpflow/acpflow/test/lab/kubeapi"
	"github.com/acpflow/acpflow/test/lab/platform"
)

// values are what the platform's objects are made from.
func (i *Install) values() platform.Values {
	c := i.Config
	v := platform.Values{
		ClusterAddress: c.Cluster.Features.HA.VIP, PlatformAddress: c.Console.GlobalHost, OtherAddresses: c.Console.Host,
		KubernetesVersion: c.Cluster.Version, Network: c.Cluster.Annotations[config.NetworkType],
		ServiceIPs: i.serviceIPs(), ClusterDNS: clusterdns.Address(c.Cluster.ServiceCIDR), Architectures: i.Architectures, Products: c.Product,
		Registry: c.Registry.Domain, RegistryUser: c.Registry.Username, RegistryPassword: string(c.Registry.Password),
		Elasticsearch: len(c.ElasticSearch.Nodes) > 0, VictoriaMetrics: len(c.VictoriaMetrics.Nodes) > 0, Prometheus: len(c.Prometheus.Nodes) > 0,
		EtcdCACert: i.authorities.Etcd.Cert, EtcdCAKey: i.authorities.Etcd.Key,
	}
	password := sha256.Sum256(append([]byte("elasticsearch"), i.authorities.TokenKey...))
	v.ElasticPassword = hex.EncodeToString(password[:])
	if c.Registry.ExternalAddress != "" {
		v.Registry = c.Registry.ExternalAddress
	}
	for _, m := range i.fleet {
		v.Machines = append(v.Machines, platform.Machine{Name: i.nodeName(m), IP: m.IP, Port: m.Port, Username: m.Username, Master: m.Role == config.Master})
	}
	return v
}

// apply is a phase that creates objects and waits until the Pods they lead to
// are ready.
func (i *Install) apply(objects func(platform.Values) []kubeapi.Object) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := i.applyAll(ctx, objects(i.values())); err != nil {
			return err
		}
		return await(ctx, "wait for the Deployments", func(ctx context.Context) error {
			return platform.DeploymentsReady(ctx, i.api)
		})
	}
}

func (i *Install) applyAll(ctx context.Context, objects []kubeapi.Object) error {
	for _, o := range objects {
		// A kind that was defined a moment ago is not served yet, and a
		// namespace's service account comes a little later.
		if err := await(ctx, "create "+platform.Describe(o), func(ctx context.Context) error {
			err := i.api.Apply(ctx, o)
			if kubeapi.IsCode(err, http.StatusUnprocessableEntity) || kubeapi.IsCode(err, http.StatusBadRequest) {
				return fmt.Errorf("the API refuses it: %w", err)
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

func (i *Install) installPlatform(ctx context.Context) error {
	if err := i.applyAll(ctx, platform.Definitions()); err != nil {
		return err
	}
	return i.apply(platform.Core)(ctx)
}

// publish starts the console and the registry on every control plane, asks
// for them through the platform's address and says that all is well.
func (i *Install) publish(ctx context.Context) error {
	cert, err := i.consoleCertificate()
	if err != nil {
		return err
	}
	c := i.Config
	console := platform.ConsoleConfig{
		HTTPSPort: c.Console.HTTPSPort, HTTPPort: c.Console.HTTPPort,
		PlatformAddress: c.Console.GlobalHost, ClusterAddress: c.Cluster.Features.HA.VIP,
		Registry: c.Registry.ExternalAddress == "", RegistryUser: c.Registry.Username, RegistryPassword: string(c.Registry.Password),
		Kubeconfig: platform.ConsoleKubeconfig,
	}
	if err := i.fleet.Masters().Each(func(m *machine.Machine) error {
		var f files
		own := console
		own.NodeName, own.NodeAddress = i.nodeName(m), m.IP
		f.addPair(platform.ConsoleDir+"/tls", cert)
		f.addJSON(platform.ConsoleFile, 0o600, own)
		k, err := i.kubeconfig("platform-console", "system:masters", localAPI)
		f.addKubeconfig(platform.ConsoleKubeconfig, k, err)
		pod, err := i.staticPod("cpaas-system", "platform-console", []string{NodeProgram, "console"})
		if err != nil {
			return err
		}
		return install(ctx, m, append(f.list, pod), "chmod 0700 "+platform.ConsoleDir)
	}); err != nil {
		return err
	}
	for _, m := range i.fleet.Masters() {
		if err := await(ctx, "wait for the console of "+m.IP, func(ctx context.Context) error {
			return platform.ConsoleAnswers(ctx, m.IP, c.Console.GlobalHost, c.Console.HTTPSPort, cert.Cert)
		}); err != nil {
			return err
		}
	}
	return i.applyAll(ctx, platform.Finished(i.values()))
}

// consoleCertificate is the user's own, or one of the platform's authority.
func (i *Install) consoleCertificate() (pki.Pair, error) {
	c := i.Config.Console
	if t := c.Cert.ThirdParty; t != nil {
		return pki.Pair{Cert: t.Certificate, Key: t.PrivateKey}, nil
	}
	hosts := append([]string{c.GlobalHost, i.Config.Cluster.Features.HA.VIP}, c.Host...)
	return i.authorities.Platform.Issue(pki.Request{CommonName: c.GlobalHost, Hosts: hosts, Server: true})
}
