package checks

import "time"

// Mesh is what the nodes of a cluster saw of one another, one entry per ordered
// pair, measured with short-lived listeners on the ports the platform needs.
type Mesh struct {
	Measured time.Time `json:"measured"`
	Pairs    []Pair    `json:"pairs"`
}

// Pair is what one node saw of another. Error means that nothing was measured.
type Pair struct {
	From    string   `json:"from"`
	To      string   `json:"to"`
	Error   string   `json:"error,omitempty"`
	Blocked []string `json:"blocked,omitempty"` // "tcp/2379 timed out", "udp/6081 no answer", "proto/4 no answer"
	Unknown []string `json:"unknown,omitempty"` // "tcp/6443 in use by etcd (pid 9)": neither reached nor blocked
	Reached int      `json:"reached"`           // ports that answered
	RTT     float64  `json:"rttMs,omitempty"`   // median, milliseconds; 0 = not measured
	Rate    float64  `json:"mbits,omitempty"`   // Mbit/s over one connection; 0 = not measured
}

// BalancerView is how the cluster address forwards, port by port.
type BalancerView struct {
	Measured time.Time      `json:"measured"`
	Address  string         `json:"address"` // the VIP
	Ports    []BalancerPort `json:"ports"`
}

// BalancerPort is one forwarding rule as seen through the cluster address.
type BalancerPort struct {
	Port    int      `json:"port"`
	Reached []string `json:"reached,omitempty"` // control planes that answered through it
	Layer   string   `json:"layer,omitempty"`   // tcp; http or tls when the balancer itself spoke; "" = unknown
	Error   string   `json:"error,omitempty"`   // why nothing, or not everything, was reached
}
