package activities

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/site"
)

// adminConf is where kubeadm leaves the admin kubeconfig.
const adminConf = "/etc/kubernetes/admin.conf"

// Cluster looks at, and in named places changes, a `global` cluster through
// its API, reached through SSH to a control plane.
type Cluster struct{ Hosts *Hosts }

// ClusterInput names the cluster and how long it may take to settle.
type ClusterInput struct {
	Scope
	Settle time.Duration `json:"settle,omitempty"` // nanoseconds; 0 = judge once
}

// settlePoll is how often an unsettled cluster is judged again.
const settlePoll = 2 * time.Second

// open connects to the API of the cluster through the first control plane that
// answers; the installer node is asked first.
func (a *Cluster) open(ctx context.Context, scope Scope) (*kube.Client, error) {
	cluster, err := scope.cluster()
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, n := range cluster.Nodes {
		if n.Role != site.ControlPlane {
			continue
		}
		client, err := a.openThrough(ctx, NodeOf(cluster, n))
		if err == nil {
			return client, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func (a *Cluster) openThrough(ctx context.Context, node Node) (*kube.Client, error) {
	conn, err := a.Hosts.connect(ctx, node)
	if err != nil {
		return nil, err
	}
	conf, err := adminKubeconfig(ctx, conn, node.Name)
	if err != nil {
		return nil, err
	}
	return kube.New(conf, kube.Options{
		Dial:    conn.DialContext,
		Address: net.JoinHostPort(node.Address, "6443"),
		Timeout: 20 * time.Second,
	})
}

func adminKubeconfig(ctx context.Context, conn *ssh.Client, node string) (secret.Value, error) {
	out, err := conn.Run(ctx, ssh.Command{Script: "cat " + adminConf, Sudo: true})
	if err != nil && fault.Is(err, fault.Command) {
		err = fault.New(fault.Failed, "read the admin kubeconfig", node+":"+adminConf, "is the control plane installed on that node?", err)
	}
	return secret.NewValue([]byte(out.Stdout)), err
}

// verdict is one look at the cluster: a summary and its findings.
type verdict func(context.Context, *kube.Client, *site.Cluster) (string, []checks.Finding, error)

// settle judges until nothing blocks or the time to settle is over.
func (a *Cluster) settle(ctx context.Context, in ClusterInput, what string, look verdict) (Evidence, error) {
	cluster, err := in.cluster()
	if err != nil {
		return Evidence{}, err
	}
	for end := time.Now().Add(in.Settle); ; {
		summary, findings, err := a.look(ctx, in.Scope, cluster, look)
		blocking := blockers(findings)
		if err == nil && len(blocking) == 0 {
			return Evidence{Summary: summary, Host: in.Cluster, Findings: findings}, nil
		}
		if err == nil {
			err = fault.New(fault.Gate, what, "cluster "+in.Cluster, "mend what is named, then retry", errors.New(strings.Join(blocking, "; ")))
		}
		if time.Now().After(end) || (fault.ClassOf(err).Permanent() && !fault.Is(err, fault.Gate) && !fault.Is(err, fault.Failed)) {
			return Evidence{}, err
		}
		report(ctx, Progress{Text: what + ": " + clip(message(err), 200)})
		if err := pause(ctx, settlePoll); err != nil {
			return Evidence{}, err
		}
	}
}

func (a *Cluster) look(ctx context.Context, scope Scope, cluster *site.Cluster, look verdict) (string, []checks.Finding, error) {
	client, err := a.open(ctx, scope)
	if err != nil {
		return "", nil, err
	}
	defer client.Close()
	return look(ctx, client, cluster)
}

func blockers(findings []checks.Finding) []string {
	var out []string
	for _, f := range findings {
		if f.Blocking() {
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s%s", f.Rule, f.Node, f.Seen, f.Reason)))
		}
	}
	return out
}

// CheckNodesReady demands that exactly the site's nodes are there and Ready (VER-05).
func (a *Cluster) CheckNodesReady(ctx context.Context, in ClusterInput) (Evidence, error) {
	return a.settle(ctx, in, "nodes", func(ctx context.Context, c *kube.Client, want *site.Cluster) (string, []checks.Finding, error) {
		r, err := c.VerifyNodes(ctx, *want)
		return fmt.Sprintf("%d of %d nodes Ready", r.Ready, r.Total), r.Findings, err
	})
}

// CheckClusterModule demands that ClusterModule global is healthy (VER-05).
func (a *Cluster) CheckClusterModule(ctx context.Context, in ClusterInput) (Evidence, error) {
	return a.settle(ctx, in, "ClusterModule global", func(ctx context.Context, c *kube.Client, _ *site.Cluster) (string, []checks.Finding, error) {
		r, err := c.VerifyClusterModule(ctx)
		return "ClusterModule global is " + r.Phase, r.Findings, err
	})
}

// CheckAppReleases demands that no AppRelease has failed (VER-02).
func (a *Cluster) CheckAppReleases(ctx context.Context, in ClusterInput) (Evidence, error) {
	return a.settle(ctx, in, "AppReleases", func(ctx context.Context, c *kube.Client, _ *site.Cluster) (string, []checks.Finding, error) {
		r, err := c.VerifyAppReleases(ctx)
		return fmt.Sprintf("%d of %d AppReleases healthy", r.Healthy, r.Total), r.Findings, err
	})
}

// CheckPods judges every Pod on its object (VER-03).
func (a *Cluster) CheckPods(ctx context.Context, in ClusterInput) (Evidence, error) {
	return a.settle(ctx, in, "Pods", func(ctx context.Context, c *kube.Client, _ *site.Cluster) (string, []checks.Finding, error) {
		r, err := c.VerifyPods(ctx)
		return fmt.Sprintf("%d Pods: %d ready, %d completed", r.Total, r.Ready, r.Completed), r.Findings, err
	})
}
