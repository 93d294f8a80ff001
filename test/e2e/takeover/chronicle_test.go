package takeover

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/test/harness/pairs"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

var podResource = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// sampleEvery is how often ports and the name are looked at. Between two steps
// of a takeover lies more than that.
const sampleEvery = 100 * time.Millisecond

// came is an object that appeared on a side or went from it.
type came struct {
	at          time.Time
	side        string
	what        string // "plugin", or the service that a Pod belongs to
	uid         string
	there, gone bool // gone: it was seen to go; there: it was there from the beginning
}

// look is one sample: the etcd ports first, then the name.
type look struct {
	at     time.Time
	open   []string // sides whose VIP takes connections on 2379
	leads  string   // address, "" = no answer
	serial uint32
}

// chronicle is what happened to the pair, seen from outside of acpflow.
type chronicle struct {
	mu      sync.Mutex
	came    []came
	looks   []look // one for each change
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// watch begins to write down what happens to both sides.
func watch(s *stage) *chronicle {
	s.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.Context()))
	c := &chronicle{cancel: cancel}
	for _, side := range []*labtest.Side{s.West, s.East} {
		c.follow(ctx, side, pairs.Modules, "", pairs.ModuleSelector)
		c.follow(ctx, side, podResource, syncplugin.Namespace, "")
		c.follow(ctx, side, podResource, "kube-system", "k8s-app=kube-dns")
	}
	c.sample(ctx, s)
	c.running.Go(func() {
		for ctx.Err() == nil {
			c.sample(ctx, s)
			time.Sleep(sampleEvery)
		}
	})
	return c
}

func (c *chronicle) stop() { c.cancel(); c.running.Wait() }

// follow writes down the objects of a kind. It survives an API server that is away.
func (c *chronicle) follow(ctx context.Context, side *labtest.Side, r schema.GroupVersionResource, namespace, selector string) {
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(side.Dynamic, 0, namespace,
		func(o *metav1.ListOptions) { o.LabelSelector = selector })
	informer := factory.ForResource(r).Informer()
	_ = informer.SetWatchErrorHandler(func(*cache.Reflector, error) {}) // a dead side is what the tests are about
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(o any, first bool) { c.add(side.Cluster.Name, o, first, false) },
		DeleteFunc: func(o any) {
			if unknown, lost := o.(cache.DeletedFinalStateUnknown); lost {
				o = unknown.Obj
			}
			c.add(side.Cluster.Name, o, false, true)
		},
	})
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
}

func (c *chronicle) add(side string, object any, there, gone bool) {
	o, err := meta.Accessor(object)
	if err != nil {
		return
	}
	labels := o.GetLabels()
	what := labels["service_name"]
	switch {
	case labels["cpaas.io/module-name"] == syncplugin.Name:
		what = "plugin"
	case labels["k8s-app"] == "kube-dns":
		what = "coredns"
	case what == "":
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.came = append(c.came, came{time.Now(), side, what, string(o.GetUID()), there, gone})
}

// sample writes down ports and name when one of them has changed.
func (c *chronicle) sample(ctx context.Context, s *stage) {
	now := look{at: time.Now()}
	for _, side := range []*labtest.Side{s.West, s.East} {
		if listens(ctx, side, 2379) {
			now.open = append(now.open, side.Cluster.Name)
		}
	}
	now.leads, now.serial = zone(s.Lab)
	if now.leads == "" {
		return // the server is away: nothing was changed by it either
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.looks); n > 0 && c.looks[n-1].leads == now.leads && c.looks[n-1].serial == now.serial && slices.Equal(c.looks[n-1].open, now.open) {
		return
	}
	c.looks = append(c.looks, now)
}

// listens reports whether a VIP takes connections on a port.
func listens(ctx context.Context, side *labtest.Side, port int) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(side.Cluster.Endpoint.VIP, fmt.Sprint(port)))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// zone asks the authoritative server for the platform's address and the zone's
// serial, which every update raises.
func zone(l *lab.Lab) (address string, serial uint32) {
	client := &dns.Client{Timeout: time.Second}
	server := l.Describe().DNS.Authoritative
	a, _, err := client.Exchange(new(dns.Msg).SetQuestion(lab.Domain+".", dns.TypeA), server)
	if err != nil {
		return "", 0
	}
	var addresses []string
	for _, rr := range a.Answer {
		if record, ok := rr.(*dns.A); ok {
			addresses = append(addresses, record.A.String())
		}
	}
	soa, _, err := client.Exchange(new(dns.Msg).SetQuestion(lab.Zone+".", dns.TypeSOA), server)
	if err != nil || len(soa.Answer) == 0 {
		return "", 0
	}
	if record, ok := soa.Answer[0].(*dns.SOA); ok {
		serial = record.Serial
	}
	return strings.Join(addresses, " "), serial
}

// authoritative is where the platform's name leads.
func authoritative(l *lab.Lab) string { address, _ := zone(l); return address }

// updates is how often the zone was changed since the chronicle began.
func (c *chronicle) updates() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int(c.looks[len(c.looks)-1].serial - c.looks[0].serial)
}

// moves is how often the name has come to lead elsewhere.
func (c *chronicle) moves() int {
	n := 0
	looks := c.samples()
	for i := 1; i < len(looks); i++ {
		if looks[i].leads != looks[i-1].leads {
			n++
		}
	}
	return n
}

// made counts the objects of a side that came since the chronicle began.
func (c *chronicle) made(side, what string) int {
	return c.count(func(e came) bool { return e.side == side && e.what == what && !e.there && !e.gone })
}

// went counts the objects that went, each once.
func (c *chronicle) went(side, what string) int {
	return c.count(func(e came) bool { return e.side == side && e.what == what && e.gone })
}

func (c *chronicle) count(is func(came) bool) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := map[string]bool{}
	for _, e := range c.came {
		if is(e) {
			seen[e.uid] = true
		}
	}
	return len(seen)
}

// events are what came and went so far.
func (c *chronicle) events() []came {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.came)
}

func (c *chronicle) samples() []look {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.looks)
}
