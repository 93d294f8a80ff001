package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/balancer"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// EtcdPort is forwarded while the standby's synchronizer reads the primary's
// etcd (LB-05, DR-10), and only then (DR-42).
const EtcdPort = 2379

// Forwarding opens and closes ports of a cluster's VIP (DR-30, DR-42).
type Forwarding struct{ Hosts *Hosts }

// PortInput names a port of a cluster's VIP.
type PortInput struct {
	Scope
	Port int `json:"port"`
}

// PortState is a port of the VIP as it is set up and as it answers.
type PortState struct {
	Port       int      `json:"port"`
	Configured bool     `json:"configured"`         // the load balancer forwards it; with a manual driver: it listens
	Mode       string   `json:"mode,omitempty"`     // "tcp", or what the load balancer makes of it
	Backends   []string `json:"backends,omitempty"` // host:port
	Reachable  bool     `json:"reachable"`          // a server behind it answers
	PlainTCP   *bool    `json:"plainTcp,omitempty"` // it presents the certificate of a control plane; nil = could not be told, or no TLS
	Error      string   `json:"error,omitempty"`    // what is wrong, or why it could not be told
}

// How long a port may take after a change of the load balancer.
const (
	portSettles = 15 * time.Second
	handSettles = 3 * time.Second // the person has said that it is done
	portPoll    = 500 * time.Millisecond
)

// OpenPort forwards a port of the VIP to the same port of the control planes
// and returns when they answer there, their bytes unchanged. What is so already
// is left alone; what leads elsewhere is a fault.Gate. With a manual driver it
// only looks.
func (a *Forwarding) OpenPort(ctx context.Context, in PortInput) (Evidence, error) {
	cluster, err := in.cluster()
	if err != nil {
		return Evidence{}, err
	}
	want := forwardOf(cluster, in.Port)
	driver, err := a.driver(ctx, cluster)
	if err != nil {
		return Evidence{}, err
	}
	changed := false
	if driver != nil {
		report(ctx, Progress{Text: fmt.Sprintf("opening port %d of %s", in.Port, cluster.Endpoint.VIP)})
		if changed, err = driver.Open(ctx, want); err != nil {
			return Evidence{}, err
		}
	}
	look := a.looker(&in.Site, cluster)
	state, err := a.untilPort(ctx, look, in.Port, settles(driver), func(s PortState) bool {
		return s.Reachable && (s.PlainTCP == nil && !tlsPort(&in.Site, in.Port) || s.PlainTCP != nil && *s.PlainTCP)
	})
	if err != nil {
		fix := "see that the control planes listen on the port, then retry"
		if driver == nil && !Bare(cluster) {
			fix = ManualOpen(cluster, in.Port) + ", then retry"
		}
		return Evidence{}, portFault(fmt.Sprintf("open port %d", in.Port), cluster, fix, state, err)
	}
	return Evidence{
		Summary: fmt.Sprintf("port %d of %s leads to %s as plain TCP", in.Port, cluster.Endpoint.VIP, strings.Join(want.Backends, " ")),
		Host:    in.Cluster,
		Facts:   map[string]string{"changed": yesNo(changed), "driver": string(driverOf(cluster))},
	}, nil
}

// ClosePort removes what forwards a port of the VIP and returns when nothing
// listens there any more. Where no load balancer stands in front of the
// cluster there is nothing to close.
func (a *Forwarding) ClosePort(ctx context.Context, in PortInput) (Evidence, error) {
	cluster, err := in.cluster()
	if err != nil {
		return Evidence{}, err
	}
	if Bare(cluster) {
		return Evidence{Summary: fmt.Sprintf("not needed: %s is a node's own address, nothing forwards port %d", cluster.Endpoint.VIP, in.Port),
			Host: in.Cluster, Facts: map[string]string{"changed": yesNo(false)}}, nil
	}
	driver, err := a.driver(ctx, cluster)
	if err != nil {
		return Evidence{}, err
	}
	changed := false
	if driver != nil {
		report(ctx, Progress{Text: fmt.Sprintf("closing port %d of %s", in.Port, cluster.Endpoint.VIP)})
		if changed, err = driver.Close(ctx, in.Port); err != nil {
			return Evidence{}, err
		}
	}
	look := a.looker(&in.Site, cluster)
	for end := time.Now().Add(settles(driver)); ; {
		shut, why := look.closed(ctx, in.Port)
		if shut {
			return Evidence{Summary: fmt.Sprintf("port %d of %s is closed", in.Port, cluster.Endpoint.VIP), Host: in.Cluster,
				Facts: map[string]string{"changed": yesNo(changed), "driver": string(driverOf(cluster)), "seen": why}}, nil
		}
		if ctx.Err() != nil || time.Now().After(end) {
			fix := "see what else listens on the VIP's port, then retry"
			if driver == nil {
				fix = ManualClose(cluster, in.Port) + ", then retry"
			}
			return Evidence{}, portFault(fmt.Sprintf("close port %d", in.Port), cluster, fix, PortState{Error: why}, ctx.Err())
		}
		report(ctx, Progress{Text: fmt.Sprintf("port %d: %s", in.Port, why)})
		if err := pause(ctx, portPoll); err != nil {
			return Evidence{}, err
		}
	}
}

// LookAtPort tells how one port stands, for the question whether a person must
// act and for what an undo puts back, and changes nothing. When the load
// balancer's configuration cannot be read that is fault.Unreachable: a port that
// is taken for unconfigured would be closed in the end.
func (a *Forwarding) LookAtPort(ctx context.Context, in PortInput) (PortState, error) {
	cluster, err := in.cluster()
	if err != nil {
		return PortState{}, err
	}
	conf := a.configured(ctx, cluster)
	switch {
	case ctx.Err() != nil:
		return PortState{}, context.Cause(ctx)
	case conf.err != nil: // whatever answers at the port: users wait for a look at a dead side
		return PortState{}, fault.New(fault.Unreachable, fmt.Sprintf("look whether port %d of %s is forwarded", in.Port, cluster.Endpoint.VIP), "cluster "+cluster.Name,
			"see why the load balancer's configuration cannot be read, then retry", conf.err)
	}
	return a.readPorts(ctx, &in.Site, cluster, []int{in.Port}, conf)[0], nil
}

// ReadForwards tells how every port that a disaster recovery pair needs stands
// at the cluster's VIP (DR-10). What one port's fault is stands in its Error.
func (a *Forwarding) ReadForwards(ctx context.Context, in ClusterInput) ([]PortState, error) {
	cluster, err := in.cluster()
	if err != nil {
		return nil, err
	}
	ports := checks.ForwardedPorts(in.Site)
	slices.Sort(ports)
	conf := a.configured(ctx, cluster)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return a.readPorts(ctx, &in.Site, cluster, ports, conf), nil
}

// configuration is what a load balancer says of itself.
type configuration struct {
	readable bool // a driver reads it; not where a person has to
	known    []balancer.Forward
	err      error // why it could not be read
}

func (a *Forwarding) configured(ctx context.Context, c *site.Cluster) configuration {
	driver, err := a.driver(ctx, c)
	conf := configuration{readable: driver != nil, err: err}
	if err == nil && driver != nil {
		conf.known, conf.err = driver.Forwards(ctx)
	}
	return conf
}

// readPorts holds what answers at the ports against the configuration. Where that
// could not be read, Configured says nothing.
func (a *Forwarding) readPorts(ctx context.Context, s *site.Site, c *site.Cluster, ports []int, conf configuration) []PortState {
	look, known := a.looker(s, c), conf.known
	out := make([]PortState, len(ports))
	for i, port := range ports {
		report(ctx, Progress{Text: fmt.Sprintf("looking at port %d of %s", port, c.Endpoint.VIP)})
		out[i] = look.state(ctx, port)
		if !conf.readable && conf.err == nil {
			continue
		}
		at := slices.IndexFunc(known, func(f balancer.Forward) bool { return f.Port == port })
		out[i].Configured = at >= 0
		if at >= 0 {
			out[i].Mode, out[i].Backends = known[at].Mode, known[at].Backends
		}
		if conf.err != nil {
			out[i].Error = strings.TrimPrefix(out[i].Error+"; the load balancer's configuration could not be read: "+clip(message(conf.err), 500), "; ")
		} else if at >= 0 && !known[at].Same(forwardOf(c, port)) {
			out[i].Error = strings.TrimPrefix(out[i].Error+fmt.Sprintf("; it is in mode %s and leads to %s", known[at].Mode, strings.Join(known[at].Backends, " ")), "; ")
		}
	}
	return out
}

// untilPort looks until the port is as wanted.
func (a *Forwarding) untilPort(ctx context.Context, look *portLooker, port int, limit time.Duration, good func(PortState) bool) (PortState, error) {
	for end := time.Now().Add(limit); ; {
		state := look.state(ctx, port)
		if good(state) {
			return state, nil
		}
		plain := state.PlainTCP == nil || *state.PlainTCP
		if time.Now().After(end) || ctx.Err() != nil || !plain {
			return state, errors.Join(ctx.Err(), errors.New(state.Error))
		}
		report(ctx, Progress{Text: fmt.Sprintf("port %d: %s", port, state.Error)})
		if err := pause(ctx, portPoll); err != nil {
			return state, err
		}
	}
}

func settles(driver balancer.Driver) time.Duration {
	if driver == nil {
		return handSettles
	}
	return portSettles
}

func portFault(op string, c *site.Cluster, fix string, state PortState, err error) error {
	if err != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return fmt.Errorf("%s of %s: interrupted: %w", op, c.Endpoint.VIP, err)
	}
	return fault.New(fault.Gate, op+" of "+c.Endpoint.VIP, "cluster "+c.Name, fix, errors.New(state.Error))
}
