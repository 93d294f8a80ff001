package activities

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/acpflow/acpflow/internal/dns"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/program"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
)

// dnsDriver makes the site's driver; its secrets are resolved here.
func dnsDriver(d *site.DNS, dial dns.DialFunc) (dns.Driver, error) {
	switch {
	case d.Driver == site.DNSRFC2136 && d.RFC2136 != nil:
		r := d.RFC2136
		key, err := secret.Resolve(string(r.Secret))
		if err != nil {
			return nil, err
		}
		server := r.Server
		if server == "" && len(d.Authoritative) > 0 {
			server = d.Authoritative[0]
		}
		return dns.RFC2136{Server: server, Zone: d.Zone, KeyName: r.KeyName, Algorithm: r.Algorithm, Secret: key, Dial: dial}, nil
	case d.Driver == site.DNSExternal && d.ExternalDNS != nil:
		return dns.Webhook{URL: d.ExternalDNS.URL, Dial: dial}, nil
	case d.Driver == site.DNSExec && d.Exec != nil:
		p, err := programOf(d.Exec)
		return dns.Exec{Program: p}, err
	}
	return nil, fault.New(fault.BadInput, "choose the DNS driver", string(d.Driver), "set dr.dns.driver and its settings", errors.New("no such driver, or it has no settings"))
}

// programOf resolves what a site's program gets.
func programOf(e *site.Exec) (program.Program, error) {
	p := program.Program{Command: e.Command, Limit: e.Limit(), Environment: map[string]secret.Value{}}
	for _, v := range e.Environment {
		value, err := secret.Resolve(string(v.Value))
		if err != nil {
			return p, err
		}
		p.Environment[v.Name] = value
	}
	return p, nil
}

// dialSomehow connects from the worker and, where that gets no connection,
// through the installer node of any cluster of the site.
func (h *Hosts) dialSomehow(s *site.Site) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		direct, err := (&net.Dialer{Timeout: directDial}).DialContext(ctx, network, address)
		if err == nil || h == nil || ctx.Err() != nil {
			return direct, err
		}
		for i := range s.Clusters {
			conn, sshErr := h.connect(ctx, NodeOf(&s.Clusters[i], s.Clusters[i].InstallerNode()))
			if sshErr != nil {
				continue
			}
			if through, sshErr := conn.DialContext(ctx, network, address); sshErr == nil {
				return through, nil
			}
		}
		return nil, err
	}
}

// asker asks a name server from the worker and, when it is silent, over TCP
// through a node. Which way worked is remembered, also that none did: a server of
// a dead data centre would cost every round the time-outs of its nodes, too.
func (h *Hosts) asker(s *site.Site, name string) func(ctx context.Context, server string) (dns.Answer, error) {
	const node, neither = "node", "neither"
	var ways sync.Map
	return func(ctx context.Context, server string) (dns.Answer, error) {
		way, _ := ways.Load(server)
		if way == node {
			if answer, err := h.askThroughNode(ctx, s, server, name); err == nil {
				return answer, nil
			}
			ways.Delete(server)
		}
		answer, err := dns.Ask(ctx, server, name)
		if err == nil || h == nil || way == neither || !fault.Is(err, fault.Unreachable) || ctx.Err() != nil {
			return answer, err
		}
		answer, nodeErr := h.askThroughNode(ctx, s, server, name)
		if nodeErr != nil {
			ways.Store(server, neither)
			return answer, err
		}
		ways.Store(server, node)
		return answer, nil
	}
}

// askThroughNode asks from the installer node of every cluster, all at the same time,
// because one of them may be as dead as the server, and takes the first answer.
func (h *Hosts) askThroughNode(ctx context.Context, s *site.Site, server, name string) (dns.Answer, error) {
	if len(s.Clusters) == 0 {
		return dns.Answer{}, fault.New(fault.BadInput, "look up "+name, server, "", errors.New("the site has no node to ask from"))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type reply struct {
		answer dns.Answer
		err    error
	}
	replies := make(chan reply, len(s.Clusters))
	for i := range s.Clusters {
		go func() {
			var r reply
			conn, err := h.connect(ctx, NodeOf(&s.Clusters[i], s.Clusters[i].InstallerNode()))
			if r.err = err; err == nil {
				r.answer, r.err = dns.Ask(ctx, server, name, conn.DialContext)
			}
			replies <- r
		}()
	}
	var last reply
	for range s.Clusters {
		if last = <-replies; last.err == nil {
			break
		}
	}
	return last.answer, last.err
}
