package kube

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/site"
)

// Node is what acpflow reads of a Kubernetes node.
type Node struct {
	Name      string   `json:"name"`
	UID       string   `json:"uid"`
	Addresses []string `json:"addresses,omitempty"` // InternalIP, IPv4 and IPv6
	Ready     bool     `json:"ready"`
	Reason    string   `json:"reason,omitempty"` // why not ready
	Version   string   `json:"version"`          // kubelet
	Arch      string   `json:"arch"`
	Control   bool     `json:"controlPlane"`
}

// NodesResult is the verdict on the nodes of a cluster.
type NodesResult struct {
	Total    int              `json:"total"`
	Ready    int              `json:"ready"`
	Findings []checks.Finding `json:"findings"`
}

// Nodes lists the nodes of the cluster.
func (c *Client) Nodes(ctx context.Context) ([]Node, error) {
	var out []Node
	opts := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := c.typed.CoreV1().Nodes().List(ctx, opts)
		if err != nil {
			return nil, c.fault("list nodes", err)
		}
		for _, n := range page.Items {
			out = append(out, readNode(n))
		}
		if opts.Continue = page.Continue; opts.Continue == "" {
			return out, nil
		}
	}
}

// Node reads one node; found is false when there is none of that name.
func (c *Client) Node(ctx context.Context, name string) (node Node, found bool, err error) {
	n, err := c.typed.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return node, false, c.unlessMissing("read node "+name, err)
	}
	return readNode(*n), true, nil
}

func readNode(n corev1.Node) Node {
	out := Node{
		Name:    n.Name,
		UID:     string(n.UID),
		Version: n.Status.NodeInfo.KubeletVersion,
		Arch:    n.Status.NodeInfo.Architecture,
		Reason:  "no condition Ready",
	}
	for _, key := range []string{"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"} {
		if _, ok := n.Labels[key]; ok {
			out.Control = true
		}
	}
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			out.Addresses = append(out.Addresses, a.Address)
		}
	}
	for _, cond := range n.Status.Conditions {
		if cond.Type == corev1.NodeReady {
			out.Ready = cond.Status == corev1.ConditionTrue
			out.Reason = strings.TrimSpace(cond.Reason + ": " + cond.Message)
		}
	}
	if out.Ready {
		out.Reason = ""
	}
	return out
}

// VerifyNodes demands that the cluster has exactly the nodes of the document,
// under the names the installer gives (PAR-15), all Ready (VER-05).
func (c *Client) VerifyNodes(ctx context.Context, want site.Cluster) (NodesResult, error) {
	nodes, err := c.Nodes(ctx)
	if err != nil {
		return NodesResult{}, err
	}
	return judgeNodes(nodes, want), nil
}

func judgeNodes(nodes []Node, want site.Cluster) NodesResult {
	out := NodesResult{Total: len(nodes)}
	byAddress := map[string]Node{}
	for _, n := range nodes {
		if n.Ready {
			out.Ready++
		}
		for _, a := range append(n.Addresses, n.Name) {
			byAddress[a] = n
		}
	}
	known := map[string]bool{}
	for _, w := range want.Nodes {
		got, found := byAddress[w.Address]
		known[got.Name] = found
		out.Findings = append(out.Findings, judgeNode(w, got, found, want.HostnameNode))
	}
	for _, n := range nodes {
		if !known[n.Name] {
			f := nodeFinding(n.Name)
			f.Outcome, f.Seen = checks.Fail, "a node that the site document does not name"
			f.Fix = "find out whether this is the right cluster, then add the node to the document or remove it"
			out.Findings = append(out.Findings, f)
		}
	}
	return out
}

func judgeNode(w site.Node, got Node, found, byHostname bool) checks.Finding {
	f := nodeFinding(w.Name)
	switch {
	case !found:
		f.Outcome, f.Seen = checks.Fail, fmt.Sprintf("no node with the address %s", w.Address)
		f.Fix = "look at kubelet on that machine (journalctl -u kubelet) and at the installer's log"
	case !got.Ready:
		f.Outcome, f.Seen = checks.Fail, fmt.Sprintf("%s is not Ready: %s", got.Name, got.Reason)
		f.Fix = "kubectl describe node " + got.Name
	case !byHostname && got.Name != w.Address:
		f.Outcome, f.Seen = checks.Fail, fmt.Sprintf("named %s", got.Name)
		f.Want = fmt.Sprintf("Ready, named by its address %s (hostnameAsNodeName is off)", w.Address)
	case (w.Role == site.ControlPlane) != got.Control:
		f.Outcome, f.Seen = checks.Fail, fmt.Sprintf("%s: control plane: %t", got.Name, got.Control)
		f.Want = "role " + string(w.Role)
	default:
		f.Outcome, f.Seen = checks.Pass, fmt.Sprintf("%s Ready, %s, %s", got.Name, got.Version, got.Arch)
	}
	return f
}

func nodeFinding(node string) checks.Finding {
	return checks.Finding{Rule: "VER-05", Title: "Nodes are Ready", Node: node, Want: "Ready", Source: "Verify"}
}
