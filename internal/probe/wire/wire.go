// Package wire is what probe agents and their caller say to one another:
// orders and answers as JSON lines over stdin and stdout, and the greeting by
// which a connection proves who is at its other end.
package wire

// Version is the first thing an agent says. Caller and agent are built
// together, so it guards against a mistake in packaging only.
const Version = "acpflow-probe 1"

// Hello is an agent's first line.
type Hello struct {
	Version string `json:"version"`
	PID     int    `json:"pid"`
}

// Order is one request to an agent; exactly one of the pointers is set.
type Order struct {
	ID      int      `json:"id"`
	Listen  *Listen  `json:"listen,omitempty"`
	Release *Release `json:"release,omitempty"`
	Reach   *Reach   `json:"reach,omitempty"`
	Measure *Measure `json:"measure,omitempty"`
	Send    *Send    `json:"send,omitempty"`
	Knock   *Knock   `json:"knock,omitempty"`
}

// Answer is the result of the order with its ID.
type Answer struct {
	ID    int      `json:"id"`
	Error string   `json:"error,omitempty"`
	Busy  []Fault  `json:"busy,omitempty"`  // Listen: ports that somebody else has
	Seen  []Seen   `json:"seen,omitempty"`  // Reach, Measure: in the order of the targets
	Sent  Sent     `json:"sent,omitzero"`   // Send
	Knock []Knocks `json:"knock,omitempty"` // Knock: in the order of the doors
}

// Listen makes the agent answer on ports.
type Listen struct {
	Node      string   `json:"node"`      // the agent's own name
	Token     []byte   `json:"token"`     // shared by the agents of one probe
	Addresses []string `json:"addresses"` // the node's, for UDP and IP protocols
	TCP       []int    `json:"tcp,omitempty"`
	UDP       []int    `json:"udp,omitempty"`
	IPIP      bool     `json:"ipip,omitempty"`
}

// Release makes the agent listen on TCP ports no longer.
type Release struct {
	TCP []int `json:"tcp"`
}

// Target is another node as an agent should try it.
type Target struct {
	Node    string `json:"node"`
	Address string `json:"address"`
	TCP     []int  `json:"tcp,omitempty"`
	UDP     []int  `json:"udp,omitempty"`
	IPIP    bool   `json:"ipip,omitempty"`
}

// Reach tries every port of the targets.
type Reach struct {
	Targets []Target `json:"targets"`
	Millis  int      `json:"millis"` // patience with one port
}

// Measure times round trips on the first TCP port of each target, one after the other.
type Measure struct {
	Targets []Target `json:"targets"`
	Rounds  int      `json:"rounds"`
}

// Seen is what an agent saw of a target.
type Seen struct {
	Faults  []Fault `json:"faults,omitempty"`
	Reached []int   `json:"reached,omitempty"` // TCP ports that answered
	Others  int     `json:"others,omitempty"`  // UDP ports and IP protocols that answered
	Ping    bool    `json:"ping,omitempty"`    // ICMP echo was answered
	RTT     float64 `json:"rttMs,omitempty"`   // median, milliseconds
}

// Fault is one port that is not as it should be.
type Fault struct {
	Network string `json:"network"` // tcp, udp or proto
	Port    int    `json:"port"`
	Cause   string `json:"cause"` // "timed out", "refused", "in use by etcd (pid 9)"
}

// Send measures how much goes through one TCP connection.
type Send struct {
	Target
	Millis int   `json:"millis"`
	Bytes  int64 `json:"bytes"`
}

// Sent is how much went, as the receiver saw it, after the start was over.
type Sent struct {
	Bytes  int64 `json:"bytes"`
	Micros int64 `json:"micros"`
}

// Rate is in Mbit/s; 0 when nothing went.
func (s Sent) Rate() float64 {
	if s.Micros <= 0 {
		return 0
	}
	return float64(s.Bytes) * 8 / float64(s.Micros)
}

// Knock greets whoever is behind addresses, several times each: a balancer
// gives each connection to another node.
type Knock struct {
	Doors  []Door `json:"doors"`
	Millis int    `json:"millis"` // patience with one connection
}

// Door is one address to be tried.
type Door struct {
	Address string `json:"address"`
	Port    int    `json:"port"`
	Times   int    `json:"times"`
	Opening []byte `json:"opening,omitempty"` // sent instead of the greeting
}

// Knocks is what came of the tries at one door.
type Knocks struct {
	Nodes map[string]int `json:"nodes,omitempty"` // times each node answered
	Ports map[string]int `json:"ports,omitempty"` // the port each node was reached on
	Cause map[string]int `json:"cause,omitempty"` // times each thing went wrong
	First []byte         `json:"first,omitempty"` // of what somebody else said
}
