package synchronizer

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
	"github.com/acpflow/acpflow/test/lab/podnet"
)

const (
	podPort     = "9180" // where a node answers for the Pods on it
	servicePort = "80"
	addressTag  = "etcdsync" // tag of the Service's address
)

// serve answers for the Pods of this node: GET /pods/UID/check.
func (n *node) serve(ctx context.Context) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /pods/{uid}/check", func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		running := n.workers[r.PathValue("uid")]
		n.mu.Unlock()
		if running == nil {
			http.Error(w, "no such Pod here", http.StatusNotFound)
			return
		}
		text, err := running.check(r.Context())
		if err != nil {
			http.Error(w, "error: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, text)
	})
	serveUntil(ctx, net.JoinHostPort(n.options.Address, podPort), mux)
}

// serveUntil listens until ctx ends, again and again while it fails.
func serveUntil(ctx context.Context, address string, h http.Handler) {
	for ctx.Err() == nil {
		listener, err := (&net.ListenConfig{Control: podnet.SharePort}).Listen(ctx, "tcp", address)
		if err == nil {
			server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
			stop := context.AfterFunc(ctx, func() { _ = server.Close() })
			err = server.Serve(listener)
			stop()
		}
		if ctx.Err() == nil {
			slog.Warn("etcd synchronizer: listen", "address", address, "error", err)
			_ = sleep(ctx, time.Second)
		}
	}
}

// keepMonitor gives the node the address of the Service while there is one,
// and answers there. There is no kube-proxy in the lab.
func keepMonitor(ctx context.Context, o *Options) {
	serving := ""
	stop := func() {}
	for ctx.Err() == nil {
		ip, err := monitorIP(ctx, o.API)
		if err == nil && ip != serving && podnet.SetAddress(ctx, addressTag, ip) {
			stop()
			serving, stop = ip, answerAt(ctx, ip, o)
		}
		_ = sleep(ctx, time.Second)
	}
	stop()
	podnet.SetAddress(context.WithoutCancel(ctx), addressTag, "")
}

func answerAt(ctx context.Context, ip string, o *Options) (stop func()) {
	if ip == "" {
		return func() {}
	}
	ctx, stop = context.WithCancel(ctx)
	go serveUntil(ctx, net.JoinHostPort(ip, servicePort), forward(o))
	return stop
}

func monitorIP(ctx context.Context, api *kubeapi.Client) (string, error) {
	var service struct {
		Spec struct {
			ClusterIP string `json:"clusterIP"`
		} `json:"spec"`
	}
	err := api.Get(ctx, "/api/v1/namespaces/"+Namespace+"/services/"+Monitor, &service)
	if kubeapi.IsCode(err, http.StatusNotFound) {
		return "", nil
	}
	return service.Spec.ClusterIP, err
}

// forward passes a question on to the Pod that mirrors.
func forward(o *Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /check", func(w http.ResponseWriter, r *http.Request) {
		p, err := mirroring(r.Context(), o.API)
		if err != nil {
			http.Error(w, "error: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet,
			"http://"+net.JoinHostPort(p.Status.PodIP, podPort)+"/pods/"+p.Metadata.UID+"/check", http.NoBody)
		if err != nil {
			http.Error(w, "error: "+err.Error(), http.StatusInternalServerError)
			return
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			http.Error(w, "error: "+err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	})
	return mux
}

// mirroring is the Pod that mirrors: the holder of the Lease, or the only one.
func mirroring(ctx context.Context, api *kubeapi.Client) (pod, error) {
	pods, err := listPods(ctx, api, Plugin, "")
	if err != nil {
		return pod{}, err
	}
	var l lease
	if err := api.Get(ctx, leasesPath+"/"+Lease, &l); err != nil && !kubeapi.IsCode(err, http.StatusNotFound) {
		return pod{}, err
	}
	for _, p := range pods {
		way, err := WayOf(p.Metadata.Annotations[VersionAnnotation])
		if err == nil && p.runs() && (!way.Lease || p.Metadata.Name == l.Spec.Holder) {
			return p, nil
		}
	}
	return pod{}, fmt.Errorf("of %d Pods, none mirrors", len(pods))
}
