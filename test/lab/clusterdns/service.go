package clusterdns

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
	"github.com/acpflow/acpflow/test/lab/podnet"
)

const (
	addressTag  = "kubedns"
	servicePath = "/api/v1/namespaces/" + Namespace + "/services/" + Service
	patience    = 4 * time.Second // below what a resolver waits for a server
)

// Proxy is the Service's address on one node, as kube-proxy would make it: each
// question goes to any one of the ready Pods, and with none the port is closed.
type Proxy struct {
	mu      sync.Mutex
	pods    []podnet.Pod
	address string
	servers []*dns.Server
}

// Keep makes the Service answer on this node until ctx ends. The API is asked
// anew each time: its credentials may have been replaced.
func (p *Proxy) Keep(ctx context.Context, connect func() (*kubeapi.Client, error)) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for last := ""; ; {
		if err := p.reconcile(ctx, connect); err != nil && ctx.Err() == nil && err.Error() != last {
			last = err.Error()
			slog.Warn("cluster DNS", "error", err)
		}
		select {
		case <-ctx.Done():
			p.listen(context.WithoutCancel(ctx), "")
			return
		case <-tick.C:
		}
	}
}

func (p *Proxy) reconcile(ctx context.Context, connect func() (*kubeapi.Client, error)) error {
	api, err := connect()
	if err != nil {
		return err
	}
	var service struct {
		Spec struct {
			ClusterIP string `json:"clusterIP"`
		} `json:"spec"`
	}
	if err := api.Get(ctx, servicePath, &service); err != nil && !kubeapi.IsCode(err, http.StatusNotFound) {
		return err
	}
	all, err := podnet.Pods(ctx, api, Program, "")
	if err != nil {
		return err
	}
	var ready []podnet.Pod
	for _, pod := range all {
		if pod.Ready {
			ready = append(ready, pod)
		}
	}
	p.mu.Lock()
	p.pods = ready
	p.mu.Unlock()
	if len(ready) == 0 {
		service.Spec.ClusterIP = ""
	}
	p.listen(ctx, service.Spec.ClusterIP)
	return nil
}

// listen serves at one address, "" at none.
func (p *Proxy) listen(ctx context.Context, address string) {
	if address == p.address {
		return
	}
	for _, s := range p.servers {
		_ = s.Shutdown()
	}
	p.servers, p.address = nil, ""
	if !podnet.SetAddress(ctx, addressTag, address) || address == "" {
		return
	}
	for _, network := range []string{"udp", "tcp"} {
		started := make(chan struct{})
		s := &dns.Server{Addr: net.JoinHostPort(address, "53"), Net: network, Handler: p, NotifyStartedFunc: func() { close(started) }}
		failed := make(chan error, 1)
		go func() { failed <- s.ListenAndServe() }()
		select {
		case <-started:
			p.servers = append(p.servers, s)
		case err := <-failed:
			slog.Warn("cluster DNS: listen", "address", s.Addr, "network", network, "error", err)
			return // and again: p.address is not set
		}
	}
	p.address = address
}

// ServeDNS passes a question on. An answer that does not come is not made up.
func (p *Proxy) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	p.mu.Lock()
	pods := p.pods
	p.mu.Unlock()
	if len(pods) == 0 {
		return
	}
	client := &dns.Client{Net: w.LocalAddr().Network(), Timeout: patience}
	answer, _, err := client.Exchange(question, pods[rand.IntN(len(pods))].Address())
	if err == nil {
		_ = w.WriteMsg(answer)
	}
}
