package kubelet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/acpflow/acpflow/test/lab/clusterdns"
	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

// ConfigFile describes the node to its agent; the installer writes it.
const ConfigFile = "/var/lib/kubelet/acp-lab.json"

// Config is the content of ConfigFile.
type Config struct {
	NodeName         string            `json:"nodeName"`
	Addresses        []string          `json:"addresses"` // IPv4 first
	Labels           map[string]string `json:"labels"`
	Taints           []Taint           `json:"taints"`
	MaxPods          int               `json:"maxPods"`
	KubeletVersion   string            `json:"kubeletVersion"`
	ContainerRuntime string            `json:"containerRuntime"`
	Kubeconfig       string            `json:"kubeconfig"`
	Programs         string            `json:"programs"`             // directory of kwok
	ClusterDNS       string            `json:"clusterDNS,omitempty"` // address that Pods ask for names; "" = what the node asks
}

// Taint is a node taint.
type Taint struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect string `json:"effect"`
}

// ReadConfig reads a node's description.
func ReadConfig(path string) (Config, error) {
	var c Config
	data, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// interval is how soon the agent sees a removed container or a new manifest.
const interval = 500 * time.Millisecond

// Agent keeps a node's static Pods running.
type Agent struct {
	Manifests string
	Store     Store
	attempts  map[string]int       // by Pod: how often its container was started
	notBefore map[string]time.Time // by Pod: back-off after a container that ended by itself
}

// Run keeps the node going until ctx ends. Containers are left running: a
// kubelet that stops does not stop them.
func Run(ctx context.Context, c Config) error {
	agent := &Agent{Manifests: ManifestDir, Store: Store{StoreDir}}
	if err := agent.Store.Sweep(ctx); err != nil {
		slog.Error("containers that nobody knows", "error", err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { agent.keepPods(ctx) })
	wg.Go(func() { keepRegistered(ctx, c, agent) })
	wg.Go(func() { keepKwok(ctx, c) })
	wg.Go(func() { keepPrograms(ctx, c) })
	wg.Go(func() { new(clusterdns.Proxy).Keep(ctx, func() (*kubeapi.Client, error) { return connect(c) }) })
	wg.Wait()
	return nil
}

func (a *Agent) keepPods(ctx context.Context) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	last := ""
	for {
		if err := a.Reconcile(ctx); err != nil && ctx.Err() == nil && err.Error() != last {
			last = err.Error()
			slog.Error("static Pods", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Reconcile makes the running containers match the manifests once.
func (a *Agent) Reconcile(ctx context.Context) error {
	if a.attempts == nil {
		a.attempts, a.notBefore = map[string]int{}, map[string]time.Time{}
	}
	pods, readErr := ReadPods(a.Manifests)
	containers, err := a.Store.List()
	if err != nil {
		return errors.Join(readErr, err)
	}
	want := map[string]Pod{}
	for _, p := range pods {
		want[p.Name] = p
	}
	errs := []error{readErr}
	running := map[string]bool{}
	for _, c := range containers {
		p, wanted := want[c.Pod]
		a.attempts[c.Pod] = max(a.attempts[c.Pod], c.Attempt+1)
		if wanted && c.Hash == p.Hash && c.Alive() && !running[c.Pod] {
			running[c.Pod] = true
			continue
		}
		if readErr != nil && !wanted {
			continue // its manifest may be the one that could not be read
		}
		if wanted && !c.Alive() {
			slog.Warn("container ended by itself", "name", c.Name, "id", c.ID)
			a.notBefore[c.Pod] = time.Now().Add(2 * time.Second)
		}
		errs = append(errs, a.Store.Remove(ctx, c))
	}
	for _, p := range pods {
		if !running[p.Name] && time.Now().After(a.notBefore[p.Name]) {
			errs = append(errs, a.start(ctx, p))
		}
	}
	return errors.Join(errs...)
}

func (a *Agent) start(ctx context.Context, p Pod) error {
	attempt := a.attempts[p.Name]
	a.attempts[p.Name]++
	c, err := a.Store.Start(ctx, p, attempt)
	if err != nil {
		a.notBefore[p.Name] = time.Now().Add(2 * time.Second)
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	slog.Info("container started", "name", c.Name, "id", c.ID, "pid", c.PID)
	return nil
}
