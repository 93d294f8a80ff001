package synchronizer

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

// Options are what one control plane tells its synchronizer.
type Options struct {
	API                *kubeapi.Client // of this control plane
	NodeName           string          // whose Pods this process is
	Address            string          // of the node: where the Pods answer
	PKI                string          // /etc/kubernetes/pki
	ConsoleCertificate string          // PEM file
	PlatformAddress    string
	ClusterAddress     string
	HTTPSPort          int
	RegistryUser       string
	RegistryPassword   string
	LogDir             string // /var/log/pods
	Faults             string // file with orders
}

// node runs the containers of the plugin's Pods on this node.
type node struct {
	options *Options

	mu      sync.Mutex
	workers map[string]*running // by Pod UID
	ended   map[string]bool     // bootstrap Pods that were run
}

type running struct {
	*worker
	stop context.CancelFunc
	done chan struct{}
}

// Run is the plugin on this control plane, until ctx ends: the containers of
// the Pods that are scheduled here, and the address of its Service.
func Run(ctx context.Context, o Options) {
	n := &node{options: &o, workers: map[string]*running{}, ended: map[string]bool{}}
	var wg sync.WaitGroup
	wg.Go(func() { n.serve(ctx) })
	wg.Go(func() { keepMonitor(ctx, &o) })
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for last := ""; ctx.Err() == nil; {
		if err := n.reconcile(ctx); err != nil && ctx.Err() == nil && err.Error() != last {
			last = err.Error()
			slog.Warn("etcd synchronizer", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	wg.Wait()
}

// reconcile starts a worker for every new Pod and ends those whose Pod went.
func (n *node) reconcile(ctx context.Context) error {
	pods, err := listPods(ctx, n.options.API, Plugin, n.options.NodeName)
	if err != nil {
		return err
	}
	here := map[string]bool{}
	for _, p := range pods {
		if !p.runs() {
			continue
		}
		here[p.Metadata.UID] = true
		if err := n.start(ctx, p); err != nil {
			return err
		}
	}
	n.mu.Lock()
	var gone []*running
	for uid, r := range n.workers {
		if !here[uid] {
			gone = append(gone, r)
			delete(n.workers, uid)
		}
	}
	n.mu.Unlock()
	for _, r := range gone {
		r.stop()
		<-r.done
	}
	return n.bootstrapPods(ctx)
}

func (n *node) start(ctx context.Context, p pod) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.workers[p.Metadata.UID] != nil {
		return nil
	}
	w, err := newWorker(n.options, p)
	if err != nil {
		return err
	}
	life, stop := context.WithCancel(ctx)
	r := &running{worker: w, stop: stop, done: make(chan struct{})}
	n.workers[p.Metadata.UID] = r
	go func() {
		defer close(r.done)
		w.run(life)
	}()
	return nil
}

// bootstrapPods runs the Pods of the bootstrap Job to their end.
func (n *node) bootstrapPods(ctx context.Context) error {
	pods, err := listPods(ctx, n.options.API, BootstrapJob, n.options.NodeName)
	if err != nil {
		return err
	}
	for _, p := range pods {
		if !p.runs() || n.ended[p.Metadata.UID] {
			continue
		}
		n.ended[p.Metadata.UID] = true
		go func() {
			log := newPodLog(n.options.LogDir, p)
			if err := log.publish(ctx, n.options.API, p); err != nil {
				slog.Warn("etcd synchronizer: log", "error", err)
			}
			err := bootstrap(ctx, n.options, p)
			if err != nil {
				log.say("error: %v", err)
			} else {
				log.say("%s, %s and %s are ready", RemoteCA, RemoteIssuer, RemoteClient)
			}
			if err := p.end(ctx, n.options.API, err); err != nil {
				slog.Warn("etcd synchronizer: end of the bootstrap Pod", "error", err)
			}
		}()
	}
	return nil
}
