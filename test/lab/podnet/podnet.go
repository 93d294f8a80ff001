// Package podnet is what the lab has instead of a Pod network: Pods whose
// programs are real answer on their node's address, each on a port of its own,
// and Services have their address on every node.
package podnet

import (
	"context"
	"fmt"
	"hash/crc32"
	"net"
	"net/url"
	"strconv"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

// ProgramLabel of a Pod names the real program that the Pod runs.
const ProgramLabel = "acp-lab/program"

// Pod is a Pod that runs a real program.
type Pod struct {
	Namespace, Name, UID, Program, Node, HostIP string
	Ready                                       bool // running, ready and not about to go
}

// Address is where the Pod's program answers: host:port.
func (p Pod) Address() string { return net.JoinHostPort(p.HostIP, strconv.Itoa(Port(p.UID))) }

// Port of a Pod on its node, from 20000 below the ports of outgoing connections.
func Port(uid string) int { return 20000 + int(crc32.ChecksumIEEE([]byte(uid))%10000) }

// Pods lists the Pods with real programs; program and node may be "" for all.
func Pods(ctx context.Context, api *kubeapi.Client, program, node string) ([]Pod, error) {
	query := url.Values{"labelSelector": {ProgramLabel}}
	if program != "" {
		query.Set("labelSelector", ProgramLabel+"="+program)
	}
	if node != "" {
		query.Set("fieldSelector", "spec.nodeName="+node)
	}
	var list struct {
		Items []struct {
			Metadata struct {
				Namespace         string            `json:"namespace"`
				Name              string            `json:"name"`
				UID               string            `json:"uid"`
				Labels            map[string]string `json:"labels"`
				DeletionTimestamp *string           `json:"deletionTimestamp"`
			} `json:"metadata"`
			Spec struct {
				NodeName string `json:"nodeName"`
			} `json:"spec"`
			Status struct {
				Phase      string `json:"phase"`
				HostIP     string `json:"hostIP"`
				Conditions []struct {
					Type   string `json:"type"`
					Status string `json:"status"`
				} `json:"conditions"`
			} `json:"status"`
		} `json:"items"`
	}
	if err := api.Get(ctx, "/api/v1/pods?"+query.Encode(), &list); err != nil {
		return nil, fmt.Errorf("list Pods: %w", err)
	}
	var out []Pod
	for _, i := range list.Items {
		p := Pod{Namespace: i.Metadata.Namespace, Name: i.Metadata.Name, UID: i.Metadata.UID,
			Program: i.Metadata.Labels[ProgramLabel], Node: i.Spec.NodeName, HostIP: i.Status.HostIP}
		for _, c := range i.Status.Conditions {
			p.Ready = p.Ready || c.Type == "Ready" && c.Status == "True"
		}
		p.Ready = p.Ready && i.Status.Phase == "Running" && i.Metadata.DeletionTimestamp == nil && p.HostIP != ""
		out = append(out, p)
	}
	return out, nil
}
