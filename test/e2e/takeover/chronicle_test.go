package takeover

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

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
	taken   int    // samples so far, changed or not
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// watch begins to write down what happens to both sides.
func watch(s *stage) *chronicle {
	s.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.Context()))
	c := &chronicle{cancel: cancel}
	for _, side := range []*labtest.Side{s.West, s.East} {
		for _, k := range followed {
			c.follow(ctx, side, k)
		}
	}
	labtest.Await(s, time.Minute, "a first look at the name", func() error {
		if c.sample(ctx, s); len(c.samples()) == 0 {
			return errors.New("the name server does not answer")
		}
		return nil
	})
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
func (c *chronicle) follow(ctx context.Context, side *labtest.Side, k kind) {
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(side.Dynamic, 0, k.namespace,
		func(o *metav1.ListOptions) { o.LabelSelector = k.selector })
	informer := factory.ForResource(k.resource).Informer()
	_ = informer.SetWatchErrorHandler(func(*cache.Reflector, error) {}) // a dead side is what the tests are about
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(o any, first bool) { c.add(side.Cluster.Name, o, first, false) },
		UpdateFunc: func(old, o any) { // of the same name: the other one came while the API server was away
			if a, b := old.(metav1.Object), o.(metav1.Object); a.GetUID() != b.GetUID() {
				c.add(side.Cluster.Name, old, false, true)
				c.add(side.Cluster.Name, o, false, false)
			}
		},
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
	what := whatIs(o)
	if what == "" {
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
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.looks)
	switch {
	case now.leads != "":
		c.taken++
	case n == 0:
		return
	default: // the server is away, or busy: it has changed nothing, and the ports count all the same
		now.leads, now.serial = c.looks[n-1].leads, c.looks[n-1].serial
	}
	if n > 0 && c.looks[n-1].leads == now.leads && c.looks[n-1].serial == now.serial && slices.Equal(c.looks[n-1].open, now.open) {
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

// takes waits a while for a VIP that should take connections: a balancer that has
// just been reloaded on a busy machine, or a packet that was lost.
func (s *stage) takes(side *labtest.Side, port int) bool {
	for range 20 {
		if listens(s.Context(), side, port) {
			return true
		}
		time.Sleep(500 * time.Millisecond)
	}
	return false
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

// authoritative is where the platform's name leads, once the server answers: on a
// busy machine it may take longer than a sample waits for it.
func authoritative(t testing.TB, l *lab.Lab) string {
	t.Helper()
	var address string
	labtest.Await(t, time.Minute, "an answer of the name server", func() error {
		if address, _ = zone(l); address == "" {
			return errors.New("none")
		}
		return nil
	})
	return address
}

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

// alive are the objects of a side, by UID, that came and have not gone.
func (c *chronicle) alive(side string) map[string]bool {
	out := map[string]bool{}
	for _, e := range c.events() {
		if e.side == side {
			out[e.uid] = !e.gone
		}
	}
	maps.DeleteFunc(out, func(_ string, there bool) bool { return !there })
	return out
}

// looked is how many samples are complete.
func (c *chronicle) looked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.taken
}

func (c *chronicle) samples() []look {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.looks)
}
