package activities

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/internal/ssh"
)

// keptEtcds are etcd clients that live as long as the SSH connection under them,
// and not longer than keptFor: opening one costs a command on the node and a TLS
// handshake. A client that is in use is closed by its last user.
type keptEtcds struct {
	mu      sync.Mutex
	clients map[*ssh.Client]*keptEtcd
}

type keptEtcd struct {
	client  *etcd.Client
	close   func()
	until   time.Time
	users   int
	dropped bool
}

// get finds the client of a connection for one more user. What is out of date or
// has lost its connection is dropped on the way.
func (k *keptEtcds) get(conn *ssh.Client, now time.Time) *keptEtcd {
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
		k.remove(c, old)
	}
	found := k.clients[conn]
	if found != nil {
		found.users++
	}
	return found
}

// put keeps a client, which its opener uses.
func (k *keptEtcds) put(conn *ssh.Client, client *etcd.Client, closer func(), now time.Time) *keptEtcd {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.clients == nil {
		k.clients = map[*ssh.Client]*keptEtcd{}
	}
	if old, ok := k.clients[conn]; ok { // another proof was as fast
		k.remove(conn, old)
	}
	mine := &keptEtcd{client: client, close: closer, until: now.Add(keptFor), users: 1}
	k.clients[conn] = mine
	return mine
}

// release ends a use. A client that failed is not used again, whatever it was:
// the next use opens one with the credentials that the node has then.
func (k *keptEtcds) release(used *keptEtcd, failed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	used.users--
	if failed {
		maps.DeleteFunc(k.clients, func(_ *ssh.Client, e *keptEtcd) bool { return e == used })
		used.dropped = true
	}
	if used.dropped && used.users == 0 {
		used.close()
	}
}

func (k *keptEtcds) remove(conn *ssh.Client, e *keptEtcd) {
	delete(k.clients, conn)
	e.dropped = true
	if e.users == 0 {
		e.close()
	}
}

// borrowed is a client to release, and whether an earlier proof opened it.
type borrowed struct {
	*keptEtcd
	old bool
}

// borrow is open for proofs that come again. One that is to show everything opens
// a client with the credentials that the node has now: they may have ended since.
func (a *Consistency) borrow(ctx context.Context, scope Scope, anew bool) (borrowed, error) {
	return onFirst(&scope, func(n Node) (borrowed, error) {
		conn, err := a.Hosts.connect(ctx, n)
		if err != nil {
			return borrowed{}, err
		}
		if !anew {
			if found := a.Hosts.etcds.get(conn, time.Now()); found != nil {
				return borrowed{found, true}, nil
			}
		}
		client, err := openEtcd(ctx, conn, n)
		if err != nil {
			return borrowed{}, err
		}
		return borrowed{a.Hosts.etcds.put(conn, client, client.Close, time.Now()), false}, nil
	})
}
