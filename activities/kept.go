package activities

import (
	"context"
	"sync"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/ssh"
)

// keptFor is how long a check may use an API client that an earlier one opened:
// opening costs a command on the node and a TLS handshake, every minute and for
// every side. Credentials that a node changed are noticed by the first read.
const keptFor = 10 * time.Minute

// kept are API clients that live as long as the SSH connection under them.
type kept struct {
	mu      sync.Mutex
	clients map[*ssh.Client]keptClient
}

type keptClient struct {
	client *kube.Client
	until  time.Time
	proved time.Time // when it last told the cluster's identity
}

// get finds the client of a connection. What is out of date or has lost its
// connection is closed on the way.
func (k *kept) get(conn *ssh.Client, now time.Time) (client *kube.Client, proved time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for c, old := range k.clients {
		select {
		case <-c.Done():
		default:
			if now.Before(old.until) {
				continue
			}
		}
		old.client.Close()
		delete(k.clients, c)
	}
	found := k.clients[conn]
	return found.client, found.proved
}

func (k *kept) put(conn *ssh.Client, client *kube.Client, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.clients == nil {
		k.clients = map[*ssh.Client]keptClient{}
	}
	if old, ok := k.clients[conn]; ok { // another check was as fast
		old.client.Close()
	}
	k.clients[conn] = keptClient{client: client, until: now.Add(keptFor), proved: now}
}

// prove notes that a client told the cluster's identity just now.
func (k *kept) prove(conn *ssh.Client, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if found, ok := k.clients[conn]; ok {
		found.proved = now
		k.clients[conn] = found
	}
}

func (k *kept) drop(conn *ssh.Client) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if old, ok := k.clients[conn]; ok {
		old.client.Close()
		delete(k.clients, conn)
	}
}

// openKept is open for checks that come again: the client is kept, so the caller
// does not close it. Its first read proves it: one that fails is opened anew.
func (a *Cluster) openKept(ctx context.Context, scope Scope) (client *kube.Client, uid string, err error) {
	return a.keptWithin(ctx, scope, 0)
}

// lately is how long a proof of a client is good enough for the next step of a
// check, whose own request fails if it is not.
const lately = 20 * time.Second

// openLately is openKept for those who don't need the cluster's identity.
func (a *Cluster) openLately(ctx context.Context, scope Scope) (*kube.Client, error) {
	client, _, err := a.keptWithin(ctx, scope, lately)
	return client, err
}

func (a *Cluster) keptWithin(ctx context.Context, scope Scope, good time.Duration) (client *kube.Client, uid string, err error) {
	nodes, err := scope.controlPlanes()
	if err != nil {
		return nil, "", err
	}
	var errs []error
	for _, n := range nodes {
		client, uid, err := a.keptThrough(ctx, n, good)
		if err == nil {
			return client, uid, nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return nil, "", fault.New(fault.BadInput, "find a control plane", "cluster "+scope.Cluster, "", nil)
	}
	return nil, "", joined(errs...)
}

// keptThrough gives no identity when the last proof is good enough.
func (a *Cluster) keptThrough(ctx context.Context, node Node, good time.Duration) (*kube.Client, string, error) {
	conn, err := a.Hosts.connect(ctx, node)
	if err != nil {
		return nil, "", err
	}
	now := time.Now()
	if client, proved := a.Hosts.kept.get(conn, now); client != nil {
		if now.Sub(proved) < good {
			return client, "", nil
		}
		uid, err := client.UID(ctx)
		if err == nil {
			a.Hosts.kept.prove(conn, now)
			return client, uid, nil
		}
		a.Hosts.kept.drop(conn)
	}
	client, err := a.openThrough(ctx, node)
	if err != nil {
		return nil, "", err
	}
	uid, err := client.UID(ctx)
	if err != nil {
		client.Close()
		return nil, "", err
	}
	a.Hosts.kept.put(conn, client, time.Now())
	return client, uid, nil
}
