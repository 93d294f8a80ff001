package checks

import "time"

// Mesh is what the nodes of a cluster saw of one another, one entry per ordered
// pair, measured with short-lived listeners on the ports the platform needs.
type Mesh struct {
	Measured time.Time `json:"measured"`
	Sampled  bool      `json:"sampled,omitempty"` // so many nodes that the rate was measured on a ring of pairs alone
	IPIP     bool      `json:"ipip,omitempty"`    // IP protocol 4 was tried
	Pairs    []Pair    `json:"pairs"`

	Silent map[string]string   `json:"silent,omitempty"` // nodes without an agent, and why; their pairs have an Error
	Taken  map[string][]string `json:"taken,omitempty"`  // by node: "tcp/6443 in use by etcd (pid 9)", which nobody tried
}

// Pair is what one node saw of another. Error means that nothing was measured.
type Pair struct {
	From    string   `json:"from"`
	To      string   `json:"to"`
	Error   string   `json:"error,omitempty"`
	Blocked []string `json:"blocked,omitempty"` // "tcp/2379 timed out", "udp/6081 no answer", "proto/4 no answer"
	Unknown []string `json:"unknown,omitempty"` // "transfer: bulk data gets lost": neither reached nor blocked
	Reached int      `json:"reached"`           // ports that answered
	NoPing  bool     `json:"noPing,omitempty"`  // ICMP echo was not answered, although a port was
	RTT     float64  `json:"rttMs,omitempty"`   // median, milliseconds; 0 = not measured
	Rate    float64  `json:"mbits,omitempty"`   // Mbit/s over one connection; 0 = not measured
}

// BalancerView is how the cluster address forwards, port by port.
type BalancerView struct {
	Measured time.Time      `json:"measured"`
	Address  string         `json:"address"`        // the VIP
	From     string         `json:"from,omitempty"` // where it was tried from: "the worker", "the jump host", a node
	Ports    []BalancerPort `json:"ports"`
	Cut      []string       `json:"cut,omitempty"` // nodes that reach no control plane at VIP:6443: "w-1: timed out" (NET-02)
	Near     int            `json:"near"`          // nodes that do
}

// BalancerPort is one forwarding rule as seen through the cluster address.
type BalancerPort struct {
	Port    int      `json:"port"`
	Address string   `json:"address,omitempty"` // the external IP; "" = the VIP
	Reached []string `json:"reached,omitempty"` // control planes that answered through it
	Unknown []string `json:"unknown,omitempty"` // control planes that may or may not be behind it: Error says why
	Layer   string   `json:"layer,omitempty"`   // tcp; http or tls when the balancer itself spoke; "" = unknown
	Checked string   `json:"checked,omitempty"` // yes or no: a control plane that stops listening gets no more connections; "" = not tried (LB-06)
	Error   string   `json:"error,omitempty"`   // why nothing, or not everything, was reached
}
