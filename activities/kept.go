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
}

// get finds the client of a connection. What is out of date or has lost its
// connection is closed on the way.
func (k *kept) get(conn *ssh.Client, now time.Time) *kube.Client {
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
	return k.clients[conn].client
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
	k.clients[conn] = keptClient{client: client, until: now.Add(keptFor)}
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
	nodes, err := scope.controlPlanes()
	if err != nil {
		return nil, "", err
	}
	var errs []error
	for _, n := range nodes {
		client, uid, err := a.keptThrough(ctx, n)
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

func (a *Cluster) keptThrough(ctx context.Context, node Node) (*kube.Client, string, error) {
	conn, err := a.Hosts.connect(ctx, node)
	if err != nil {
		return nil, "", err
	}
	if client := a.Hosts.kept.get(conn, time.Now()); client != nil {
		uid, err := client.UID(ctx)
		if err == nil {
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
