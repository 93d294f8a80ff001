// Package pair judges the two `global` clusters of a disaster recovery pair
// against one another: facts of both sides and of what lies between them →
// findings, by pure rules (DR-01…DR-41). What could not be read is never well.
package pair

import (
	"errors"
	"time"

	"github.com/acpflow/acpflow/site"
)

// Known is a fact, or why it is not known. The zero value was not read.
type Known[T any] struct {
	Read  bool   `json:"read,omitempty"`
	Value *T     `json:"value,omitempty"` // nil also stands for an empty list
	Why   string `json:"why,omitempty"`   // why it is not known; redacted
}

// Of is a known fact.
func Of[T any](value T) Known[T] { return Known[T]{Read: true, Value: &value} }

// Unknown is a fact that could not be read, with the reason.
func Unknown[T any](why string) Known[T] { return Known[T]{Why: why} }

// Get returns the fact, or an error that says why it is not known.
func (k Known[T]) Get() (T, error) {
	var none T
	switch {
	case k.Why != "":
		return none, errors.New(k.Why)
	case !k.Read:
		return none, errors.New("it was not read")
	case k.Value == nil:
		return none, nil
	}
	return *k.Value, nil
}

// Facts are all that is judged together.
type Facts struct {
	Site     site.Site       `json:"site"`
	Judged   time.Time       `json:"judged"` // for waivers and for the age of what is known
	Sides    []Side          `json:"sides"`  // both clusters, in the order of the document
	Address  Known[Address]  `json:"address"`
	Contract Known[Contract] `json:"contract"`
	Vendor   Known[Vendor]   `json:"vendor"`
	Proof    Known[Proof]    `json:"proof"`
	Canary   Known[Canary]   `json:"canary"` // not judged where the site configures none
}

// Side is one cluster of the pair as it was seen.
type Side struct {
	Cluster      string               `json:"cluster"`
	Taken        time.Time            `json:"taken,omitzero"`
	Fault        *Fault               `json:"fault,omitempty"` // the side can't be reached at all; nothing else is known
	UID          Known[string]        `json:"uid"`             // of namespace kube-system
	Kubernetes   Known[string]        `json:"kubernetes"`      // version of the API server
	Platform     Known[Module]        `json:"platform"`
	Plugin       Known[Plugin]        `json:"plugin"`
	Keys         Known[[]KeyFile]     `json:"keys"` // one for every control plane
	Tokens       Known[Tokens]        `json:"tokens"`
	Certificates Known[[]Certificate] `json:"certificates"`
	Clocks       Known[[]Clock]       `json:"clocks"` // one for every node that was asked
	Forwards     Known[[]Forward]     `json:"forwards"`
	Inventory    Known[[]Kind]        `json:"inventory"` // of the excluded namespaces that users fill
	Secrets      Known[Secrets]       `json:"secrets"`
	Machines     Known[Machines]      `json:"machines"`
	Ledger       Known[Ledger]        `json:"ledger"`     // that the side keeps: the standby's counts
	Components   Known[[]string]      `json:"components"` // optional components that a failover restarts, sorted
}

// Fault is why a side can't be reached.
type Fault struct {
	Class   string `json:"class"`   // a fault.Class
	Message string `json:"message"` // redacted
}

// Module is the platform's own state (ClusterModule global).
type Module struct {
	Version string `json:"version"`
	Phase   string `json:"phase"`
}

// Plugin is the etcd synchronizer as a side carries it.
type Plugin struct {
	Present bool   `json:"present"`
	Version string `json:"version,omitempty"`
	Phase   string `json:"phase,omitempty"`
	Message string `json:"message,omitempty"` // why it does not run
	Ready   int    `json:"ready,omitempty"`   // its ready Pods
	Pods    int    `json:"pods,omitempty"`
	Leads   bool   `json:"leads,omitempty"`  // this version has a leader
	Leader  string `json:"leader,omitempty"` // Pod; "" where one is missing
}

// KeyFile is the encryption configuration of one control plane: never a key.
type KeyFile struct {
	Node   string   `json:"node"`
	Fault  string   `json:"fault,omitempty"` // why it could not be read
	Absent bool     `json:"absent,omitempty"`
	Owner  string   `json:"owner,omitempty"` // "root:root"
	Mode   string   `json:"mode,omitempty"`  // "0600"
	SHA256 string   `json:"sha256,omitempty"`
	Keys   []string `json:"keys,omitempty"` // "provider/name/hash of the key", in order
}

// Tokens tell whether service account tokens of one side hold on the other.
type Tokens struct {
	Issuer string `json:"issuer"`
	JWKS   string `json:"jwks"` // SHA-256 of the public keys
}

// Certificate is one that must not end unnoticed.
type Certificate struct {
	Name     string    `json:"name"` // PlatformCertificate, "apiserver m1", "etcd m1", "remote-etcd-client"
	Fault    string    `json:"fault,omitempty"`
	SHA256   string    `json:"sha256,omitempty"`
	NotAfter time.Time `json:"notAfter,omitzero"`
}

// PlatformCertificate names the certificate that the platform shows at the VIP.
const PlatformCertificate = "platform"

// Clock is a node's clock against the worker's.
type Clock struct {
	Node  string        `json:"node"`
	Fault string        `json:"fault,omitempty"`
	Least time.Duration `json:"least,omitempty"` // nanoseconds; the true offset lies between
	Most  time.Duration `json:"most,omitempty"`
}

// Forward is a port of the VIP as its load balancer has it and as it answers.
type Forward struct {
	Port       int    `json:"port"`
	Configured bool   `json:"configured"`      // the load balancer passes it on
	Mode       string `json:"mode,omitempty"`  // "tcp" is plain; "" is not known
	Reachable  bool   `json:"reachable"`       // a server behind it answers
	Plain      *bool  `json:"plain,omitempty"` // the bytes pass unchanged; nil = could not be told
	Error      string `json:"error,omitempty"`
}

// Kind is what a namespace holds of one kind.
type Kind struct {
	Namespace string   `json:"namespace"`
	Kind      string   `json:"kind"`
	Count     int      `json:"count"`
	Hash      string   `json:"hash"`            // of all names, sorted
	Names     []string `json:"names,omitempty"` // sorted; the first MaxNames
}

// MaxNames bounds the names that one Kind carries.
const MaxNames = 100

// Secrets tells whether the API server can decrypt what was synchronised.
type Secrets struct {
	Read   int      `json:"read"`             // Secrets
	Failed []string `json:"failed,omitempty"` // "namespace: what the API server said"
}

// Machines are the platform's Machine objects; a failover needs all Running.
type Machines struct {
	Total int       `json:"total"`
	Bad   []Machine `json:"bad,omitempty"` // not Running, or being deleted
}

// Machine is one that needs attention.
type Machine struct {
	Name     string `json:"name"`
	Phase    string `json:"phase"`
	Deleting bool   `json:"deleting,omitempty"`
}
