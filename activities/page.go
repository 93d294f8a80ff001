package activities

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/dns"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/platform"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
)

// Page looks at the platform as a user would who opens it now (DR-42).
type Page struct {
	Hosts *Hosts
	// Patience is how long a page that is not right yet is looked at again, default 30 s.
	Patience time.Duration
}

const defaultPatience = 30 * time.Second

// PageInput says which cluster the page must come from.
type PageInput struct {
	Scope
	To  string `json:"to"`  // name of the cluster
	UID string `json:"uid"` // of its namespace kube-system
	// A drill opens the page where the platform's name does not lead yet. Canary is
	// the name that does, "" = none.
	Drill  bool   `json:"drill,omitempty"`
	Canary string `json:"canary,omitempty"`
	// Spared are servers that were silent before: nobody waits long for them.
	Spared []string `json:"spared,omitempty"`
}

// CheckPage follows the platform's name as the site's name servers give it now and
// opens the page there, over fresh connections: the name must lead to the
// cluster's addresses, each of them must serve the page with the site's
// certificate, and it must be the cluster of that UID that answers. Who answers is
// told, in this order, by the Kubernetes API that the platform offers behind its
// name (/kubernetes/global), asked with a token that only the cluster knows; by
// the UID, when the page shows it; else by the API at port 6443 of the same VIP,
// whose certificate only the cluster can present: then the evidence says so. A
// drill asks the cluster's addresses for the same page, and follows the canary's name
// instead. It is fault.Gate when something is wrong and stays so.
func (a *Page) CheckPage(ctx context.Context, in PageInput) (Evidence, error) {
	to, ok := in.Site.Cluster(in.To)
	if !ok || in.To == "" || in.UID == "" {
		return Evidence{}, fault.New(fault.BadInput, "open the platform", "site "+in.Site.Name, "name a cluster of the site and its UID", nil)
	}
	patience := a.Patience
	if patience <= 0 {
		patience = defaultPatience
	}
	look := pageLook{hosts: a.Hosts, in: in, to: to, facts: map[string]string{}}
	for end := time.Now().Add(patience); ; {
		summary, err := look.once(ctx)
		if err == nil {
			return Evidence{Summary: summary, Host: in.To, Facts: look.facts}, nil
		}
		if class := fault.ClassOf(err); time.Now().After(end) || ctx.Err() != nil || class.Permanent() && class != fault.Gate {
			return Evidence{}, err
		}
		report(ctx, Progress{Text: clip(message(err), 300)})
		if err := pause(ctx, lookupPause); err != nil {
			return Evidence{}, err
		}
	}
}

// pageLook is the way from the name to the cluster.
type pageLook struct {
	hosts *Hosts
	in    PageInput
	to    *site.Cluster
	facts map[string]string
}

func (l *pageLook) gate(op, place, fix string, cause error) error {
	return fault.New(fault.Gate, op, place, fix, cause)
}

func (l *pageLook) once(ctx context.Context) (string, error) {
	if !l.in.Drill || l.in.Canary != "" {
		if err := l.resolve(ctx); err != nil {
			return "", err
		}
	}
	target, err := l.target()
	if err != nil {
		return "", err
	}
	shown := true
	for _, address := range ClusterAddresses(&l.in.Site, l.to) {
		target.Connect = address
		page, err := platform.Fetch(ctx, l.hosts.dialSomehow(&l.in.Site), target, time.Now())
		if err != nil {
			return "", err
		}
		if wrong := blockers(page.Findings); len(wrong) > 0 {
			return "", l.gate("open the platform", page.URL+" at "+page.Connected, "check which machine answers behind this address, and its certificate", errors.New(strings.Join(wrong, "; ")))
		}
		shown = shown && slices.Contains(page.UUIDs, strings.ToLower(l.in.UID))
		l.facts["page at "+address] = fmt.Sprintf("HTTP %d %q, certificate %.16s", page.Status, page.Title, page.Fingerprint)
	}
	target.Connect = l.to.Endpoint.VIP
	proof, err := l.prove(ctx, target, shown)
	if err != nil {
		return "", err
	}
	l.facts["proof"] = proof
	leads := PlatformURL(&l.in.Site) + " leads to"
	if l.in.Drill {
		leads = strings.TrimPrefix(l.in.Canary+" leads, and "+PlatformURL(&l.in.Site)+" would lead, to", " leads, and ")
	}
	return fmt.Sprintf("%s %s (%s), which answers with the site's certificate and is %s: %s", leads, l.in.To, l.to.Endpoint.VIP, l.in.UID, proof), nil
}

// resolve asks every name server of the site: users may ask any of them.
func (l *pageLook) resolve(ctx context.Context) error {
	s := &l.in.Site
	if s.DR.DNS == nil {
		return fault.New(fault.BadInput, "look up "+s.Platform.Address, "site "+s.Name, "set dr.dns; with driver: manual a person changes the name and acpflow verifies it", nil)
	}
	names := &DNS{Hosts: l.hosts}
	watch, err := names.watch(s, l.to)
	if l.in.Drill {
		watch, err = names.watchName(NameInput{Scope: l.in.Scope, Name: l.in.Canary}, l.to)
	}
	if err != nil {
		return err
	}
	watch.Spared = l.in.Spared
	right := 0
	var wrong, mute []string
	for _, seen := range watch.Look(ctx) {
		switch {
		case seen.Err != nil:
			mute = append(mute, seen.String())
		case seen.Answer.RCode != "NOERROR" || !watch.Want.SameAddresses(seen.Answer.A, seen.Answer.AAAA):
			wrong = append(wrong, seen.String())
		default:
			right++
			l.facts[dns.Server(seen.Server)] = seen.Answer.String()
		}
	}
	switch {
	case len(wrong) > 0:
		return l.gate("look up "+watch.Name, "", "wait until its answer is right, or mend the name server, then retry", fmt.Errorf("it must lead to %s (%s), but %s", l.in.To, watch.Want, strings.Join(wrong, "; ")))
	case right == 0:
		return fault.New(fault.Unreachable, "look up "+watch.Name, "", "make a name server of the site answer", errors.New(strings.Join(mute, "; ")))
	case len(mute) > 0:
		l.facts["silent name servers"] = clip(strings.Join(mute, "; "), 500)
	}
	return nil
}

func (l *pageLook) target() (platform.Target, error) {
	out := platform.Target{Address: l.in.Site.Platform.Address, Port: l.in.Site.Platform.HTTPSPort}
	own := l.in.Site.Platform.Certificate
	if own == nil {
		return out, fault.New(fault.BadInput, "open the platform", "site "+l.in.Site.Name, "set platform.certificate", errors.New("a pair has one own certificate (DR-15)"))
	}
	chain, err := secret.Resolve(string(own.Certificate))
	out.Certificate = chain.Reveal()
	return out, err
}

// prove tells whose page it is.
func (l *pageLook) prove(ctx context.Context, target platform.Target, shown bool) (string, error) {
	scope := Scope{Site: l.in.Site, Cluster: l.in.To}
	client, uid, err := (&Cluster{Hosts: l.hosts}).openKept(ctx, scope)
	if err != nil {
		return "", err
	}
	place := "https://" + net.JoinHostPort(target.Address, fmt.Sprint(target.Port)) + " at " + target.Connect
	another := func(cause error) error {
		return l.gate("find out whose page it is", place, "check the balancer's rule for the HTTPS port: it leads to another cluster", cause)
	}
	if uid != l.in.UID {
		return "", l.gate("find out whose page it is", "cluster "+l.in.To, "find out which cluster the nodes in the site document belong to", fmt.Errorf("its control planes have the UID %s, not %s", uid, l.in.UID))
	}
	gateway, err := l.gateway(ctx, client, target)
	switch {
	case err != nil:
		return "", err
	case gateway.Refused, gateway.Offered && gateway.UID != l.in.UID:
		return "", another(errors.New(gateway.Seen))
	case gateway.Offered:
		return "the API behind the name says so", nil
	case shown:
		return "the page says so", nil
	}
	l.facts["gateway"] = gateway.Seen
	sides := &Sides{Hosts: l.hosts}
	admin, err := sides.adminOf(ctx, scope)
	if err != nil {
		return "", err
	}
	through, err := sides.uidThroughVIP(ctx, &l.in.Site, l.to, admin, vipPatience)
	if fault.Is(err, fault.HostKey) || err == nil && through != l.in.UID {
		return "", another(fmt.Errorf("port 6443 of the same address is another cluster's: %w", errors.Join(err, errors.New(through))))
	}
	return "the page shows no cluster id, but the API at port 6443 of the same address is the cluster's", err
}

// gateway asks the API behind the name, with a token that the cluster is known to
// accept. Without one nothing is asked.
func (l *pageLook) gateway(ctx context.Context, client *kube.Client, target platform.Target) (platform.Gateway, error) {
	token, err := client.SecretValue(ctx, adminToken)
	if fault.Is(err, fault.Gate) {
		return platform.Gateway{Seen: "there is no " + adminToken.String() + " to ask it with"}, nil
	}
	if err != nil {
		return platform.Gateway{}, err
	}
	if _, err := client.CheckToken(ctx, token); err != nil {
		if fault.Is(err, fault.Auth) {
			return platform.Gateway{Seen: "the cluster itself does not accept " + adminToken.String()}, nil
		}
		return platform.Gateway{}, err
	}
	return platform.AskGateway(ctx, l.hosts.dialSomehow(&l.in.Site), target, token)
}
