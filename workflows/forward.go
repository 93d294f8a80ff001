package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/site"
)

// openPort is a step that forwards a port of the cluster's VIP to its control
// planes (DR-30). Its undo closes the port, unless it was open before.
func openPort(id, title string, s *site.Site, c *site.Cluster, port int) Step {
	before := portBefore{site: s, cluster: c, port: port}
	step := Step{
		StepInfo: StepInfo{ID: id, Title: title, Source: []string{"LB-05", "DR-10", "DR-30"}, Effect: Write, Calls: portCalls(c, port, true)},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			if err := before.look(ctx); err != nil {
				return activities.Evidence{}, err
			}
			return before.do(ctx, true, "Open")
		},
		Undo: func(ctx workflow.Context) (activities.Evidence, error) {
			if before.known == nil || before.known.Configured {
				return activities.Evidence{Summary: fmt.Sprintf("port %d was open before, or is untouched", port)}, nil
			}
			return before.do(ctx, false, "Undo: close")
		},
	}
	if manualBalancer(c) {
		step.Ask = func(ctx workflow.Context) (string, error) {
			state, err := before.now(ctx)
			if err != nil || state.Reachable && state.Error == "" {
				return "", err
			}
			return asQuestion(activities.ManualOpen(c, port)), nil
		}
	}
	return step
}

// closePort is a step that removes the forwarding of a port from the cluster's
// VIP (DR-42). Its undo opens it again, unless it was closed before.
func closePort(id, title string, s *site.Site, c *site.Cluster, port int) Step {
	before := portBefore{site: s, cluster: c, port: port}
	step := Step{
		StepInfo: StepInfo{ID: id, Title: title, Source: []string{"DR-42"}, Effect: Write, Calls: portCalls(c, port, false)},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			if err := before.look(ctx); err != nil {
				return activities.Evidence{}, err
			}
			return before.do(ctx, false, "Close")
		},
		Undo: func(ctx workflow.Context) (activities.Evidence, error) {
			if before.known == nil || !before.known.Configured {
				return activities.Evidence{Summary: fmt.Sprintf("port %d was closed before, or is untouched", port)}, nil
			}
			return before.do(ctx, true, "Undo: open")
		},
	}
	if manualBalancer(c) {
		step.Ask = func(ctx workflow.Context) (string, error) {
			state, err := before.now(ctx)
			if err != nil || !state.Configured {
				return "", err
			}
			return asQuestion(activities.ManualClose(c, port)), nil
		}
	}
	return step
}

// portBefore remembers, in history, how a port was before the run touched it.
type portBefore struct {
	site    *site.Site
	cluster *site.Cluster
	port    int
	known   *activities.PortState
}

func (b *portBefore) input() activities.PortInput {
	return activities.PortInput{Scope: activities.Scope{Site: *b.site, Cluster: b.cluster.Name}, Port: b.port}
}

func (b *portBefore) now(ctx workflow.Context) (activities.PortState, error) {
	var a *activities.Forwarding
	var state activities.PortState
	summary := fmt.Sprintf("Look at port %d of %s", b.port, b.cluster.Endpoint.VIP)
	err := workflow.ExecuteActivity(quickRead(ctx, summary), a.LookAtPort, b.input()).Get(ctx, &state)
	return state, err
}

// look keeps the first sight: a retry after half a change must not take it for
// how things were.
func (b *portBefore) look(ctx workflow.Context) error {
	if b.known != nil {
		return nil
	}
	state, err := b.now(ctx)
	if err == nil {
		b.known = &state
	}
	return err
}

func (b *portBefore) do(ctx workflow.Context, open bool, verb string) (activities.Evidence, error) {
	var a *activities.Forwarding
	act := a.ClosePort
	if open {
		act = a.OpenPort
	}
	var evidence activities.Evidence
	summary := fmt.Sprintf("%s port %d of %s", verb, b.port, b.cluster.Endpoint.VIP)
	err := workflow.ExecuteActivity(balancing(ctx, summary), act, b.input()).Get(ctx, &evidence)
	return evidence, err
}

// manualBalancer reports whether a person must act. Where the VIP is a node's own
// address nobody can.
func manualBalancer(c *site.Cluster) bool {
	return !activities.Bare(c) && (c.Balancer == nil || c.Balancer.Driver == site.BalancerManual)
}

func asQuestion(what string) string {
	return strings.ToUpper(what[:1]) + what[1:] + ", then approve"
}

// portCalls are what a person would type.
func portCalls(c *site.Cluster, port int, open bool) []string {
	verb, so := "close", "until it is refused"
	if open {
		verb, so = "open", "until it presents the certificate of a control plane"
	}
	var out []string
	switch b := c.Balancer; {
	case b != nil && b.Driver == site.BalancerHAProxy && b.HAProxy != nil:
		for _, h := range b.HAProxy.Hosts {
			out = append(out, fmt.Sprintf("ssh %s@%s sudo -n: cp %[3]s %[3]s.acpflow-TIME; %[4]s port %[5]d in %[3]s; haproxy -c -f %[3]s; systemctl reload haproxy; ss -lnt",
				c.BalancerSSH().User, h.Address, b.HAProxy.Config, verb, port))
		}
	case b != nil && b.Driver == site.BalancerExec && b.Exec != nil:
		out = append(out, fmt.Sprintf("%s   # {\"action\":%q,\"port\":%d}", strings.Join(b.Exec.Command, " "), verb, port))
	case open:
		out = append(out, "a person: "+activities.ManualOpen(c, port))
	default:
		out = append(out, "a person: "+activities.ManualClose(c, port))
	}
	return append(out, fmt.Sprintf("connect to %s port %d   # %s", c.Endpoint.VIP, port, so))
}
