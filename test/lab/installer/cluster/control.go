package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/acpflow/acpflow/test/lab/installer/machine"
	"github.com/acpflow/acpflow/test/lab/installer/pki"
	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

// phaseLimit bounds the waits of one phase; the phase then fails and is tried
// again, as the real installer does.
const phaseLimit = 3 * time.Minute

// startEtcd starts all members at once: the first can't be ready alone.
func (i *Install) startEtcd(ctx context.Context) error {
	if err := i.fleet.Masters().Each(func(m *machine.Machine) error {
		pod, err := i.etcdPod(m)
		if err != nil {
			return err
		}
		return m.Put(ctx, []machine.File{pod})
	}); err != nil {
		return err
	}
	pair, err := i.authorities.Etcd.Issue(pki.Request{CommonName: "installer", Client: true})
	if err != nil {
		return err
	}
	return i.fleet.Masters().Each(func(m *machine.Machine) error {
		client, err := kubeapi.Kubeconfig{Server: "https://" + m.IP + ":2379", CA: i.authorities.Etcd.Cert, ClientCert: pair.Cert, Key: pair.Key}.New("")
		if err != nil {
			return err
		}
		return await(ctx, "wait for etcd", func(ctx context.Context) error {
			var health struct {
				Health string `json:"health"`
			}
			if err := client.Get(ctx, "/health", &health); err != nil {
				return err
			}
			if health.Health != "true" {
				return errNotReady
			}
			return nil
		})
	})
}

// startControlPlane starts the API servers together, then what needs them.
func (i *Install) startControlPlane(ctx context.Context) error {
	if err := i.fleet.Masters().Each(func(m *machine.Machine) error {
		pod, err := i.apiserverPod(m)
		if err != nil {
			return err
		}
		return m.Put(ctx, []machine.File{pod})
	}); err != nil {
		return err
	}
	if err := i.fleet.Masters().Each(func(m *machine.Machine) error {
		client, err := i.adminClient("https://" + m.IP + ":6443")
		if err != nil {
			return err
		}
		return await(ctx, "wait for kube-apiserver", func(ctx context.Context) error { return client.Healthy(ctx, "/readyz") })
	}); err != nil {
		return err
	}
	return i.fleet.Masters().Each(func(m *machine.Machine) error {
		manager, err := i.controllerManagerPod()
		scheduler, err2 := i.schedulerPod()
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		return m.Put(ctx, []machine.File{manager, scheduler})
	})
}

func (i *Install) adminClient(server string) (*kubeapi.Client, error) {
	k, err := i.adminConfig(server)
	if err != nil {
		return nil, err
	}
	return k.New("acp-installer")
}

// joinNodes waits until the cluster address answers and every machine is a
// Ready node under its right name.
func (i *Install) joinNodes(ctx context.Context) error {
	if err := i.connect(); err != nil {
		return err
	}
	if err := i.selfBuiltVIP(ctx); err != nil {
		return err
	}
	endpoint, err := i.adminClient(i.clusterServer())
	if err != nil {
		return err
	}
	if err := await(ctx, "wait for the cluster address "+i.clusterServer(), func(ctx context.Context) error {
		return endpoint.Healthy(ctx, "/readyz")
	}); err != nil {
		return err
	}
	return await(ctx, "wait for the nodes", i.nodesReady)
}

// connect opens the API of the first control plane, where the installer runs,
// and leaves a kubeconfig there (EXE-12).
func (i *Install) connect() error {
	admin, err := i.adminConfig(i.clusterServer())
	if err != nil {
		return err
	}
	data, err := admin.Marshal()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(i.DataDir, "alauda.kubeconfig"), data, 0o600); err != nil {
		return err
	}
	i.api, err = i.adminClient("https://" + i.fleet.Masters()[0].IP + ":6443")
	return err
}

func (i *Install) nodesReady(ctx context.Context) error {
	for _, m := range i.fleet {
		var node struct {
			Status struct {
				Conditions []struct {
					Type   string `json:"type"`
					Status string `json:"status"`
				} `json:"conditions"`
			} `json:"status"`
		}
		name := i.nodeName(m)
		if err := i.api.Get(ctx, "/api/v1/nodes/"+name, &node); err != nil {
			return err
		}
		ready := false
		for _, c := range node.Status.Conditions {
			ready = ready || c.Type == "Ready" && c.Status == "True"
		}
		if !ready {
			return fmt.Errorf("node %s: %w", name, errNotReady)
		}
	}
	return nil
}

// selfBuiltVIP gives the cluster address to the first control plane when no
// load balancer carries it. The lab does not move it between nodes.
func (i *Install) selfBuiltVIP(ctx context.Context) error {
	ha := i.Config.Cluster.Features.HA
	if ha.IsThirdParty {
		return nil
	}
	m := i.fleet.Masters()[0]
	_, err := m.Run(ctx, fmt.Sprintf(`dev=$(ip -o -4 address show | awk -v ip='%s' 'index($4, ip "/") == 1 {print $2}')
ip address replace '%s/32' dev "$dev"`, m.IP, ha.VIP), nil)
	return err
}
