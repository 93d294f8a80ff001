package activities

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/site"
)

// Where kubeadm keeps what the API server uses to reach etcd.
const (
	etcdCA          = "/etc/kubernetes/pki/etcd/ca.crt"
	etcdCertificate = "/etc/kubernetes/pki/apiserver-etcd-client.crt"
	etcdKey         = "/etc/kubernetes/pki/apiserver-etcd-client.key"
)

// Consistency proves from the etcds themselves that the standby holds what the
// primary holds (DR-33, DR-41). It reads only.
type Consistency struct{ Hosts *Hosts }

// ProveInput names both sides by their cluster names and says how much to look at.
type ProveInput struct {
	Site    site.Site  `json:"site"`
	Primary string     `json:"primary"`
	Standby string     `json:"standby"`
	Since   *etcd.Mark `json:"since,omitempty"`  // of an earlier proof; nil = look at every key
	Only    []string   `json:"only,omitempty"`   // resources as kubectl names them, or prefixes of keys; empty = all
	Owners  bool       `json:"owners,omitempty"` // a full proof also finds owner references that lead nowhere (reads the whole standby once more)
}

// Prove compares the standby with the primary. Differences are a result, not an
// error; a key counts only when it stays behind for longer than the site's
// dr.sync.maxLag. Errors say that it could not be told.
func (a *Consistency) Prove(ctx context.Context, in ProveInput) (etcd.Proof, error) {
	proof, again, err := a.prove(ctx, in)
	if err != nil && again && ctx.Err() == nil {
		proof, _, err = a.prove(ctx, in)
	}
	return proof, err
}

// prove also reports whether it used a client of an earlier proof: when that
// fails, a new one may not.
func (a *Consistency) prove(ctx context.Context, in ProveInput) (proof etcd.Proof, old bool, err error) {
	var sides [2]borrowed
	defer func() {
		for _, c := range sides {
			if c.keptEtcd != nil {
				a.Hosts.etcds.release(c.keptEtcd, err != nil)
			}
		}
	}()
	var faults [2]error
	var group errgroup.Group // both sides are tried to the end: a person wants to hear of both
	for i, cluster := range []string{in.Primary, in.Standby} {
		group.Go(func() error {
			sides[i], faults[i] = a.borrow(ctx, Scope{in.Site, cluster}, in.Since == nil)
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	if err := errors.Join(faults[:]...); err != nil {
		return etcd.Proof{}, false, err
	}
	request := etcd.Request{Since: in.Since, Only: in.Only, Owners: in.Owners, Ignore: ignored(&in.Site), Patience: in.Site.DR.Sync.Lag(), Report: func(p etcd.Progress) {
		report(ctx, Progress{Text: p.Text, Done: p.Done, Total: p.Total, Unit: "keys"})
	}}
	proof, err = etcd.Prove(ctx, sides[0].client, sides[1].client, request)
	return proof, sides[0].old || sides[1].old, err
}

// Machines are the objects of kind machines.platform.tkestack.io of one side.
type Machines struct {
	Machines []etcd.Machine `json:"machines"`
}

// ReadMachines lists the Machines of a side (DR-41).
func (a *Consistency) ReadMachines(ctx context.Context, in Scope) (Machines, error) {
	client, err := a.open(ctx, in)
	if err != nil {
		return Machines{}, err
	}
	defer client.Close()
	all, err := client.Machines(ctx)
	return Machines{Machines: all}, err
}

// open connects to etcd on the first control plane that answers, through SSH to
// that node.
func (a *Consistency) open(ctx context.Context, scope Scope) (*etcd.Client, error) {
	return onFirst(&scope, func(n Node) (*etcd.Client, error) { return a.openThrough(ctx, n) })
}

func (a *Consistency) openThrough(ctx context.Context, node Node) (*etcd.Client, error) {
	conn, err := a.Hosts.connect(ctx, node)
	if err != nil {
		return nil, err
	}
	return openEtcd(ctx, conn, node)
}

// onFirst is what f gives of the first control plane with which it works.
func onFirst[T any](scope *Scope, f func(Node) (T, error)) (out T, err error) {
	nodes, err := scope.controlPlanes()
	if err != nil {
		return out, err
	}
	var errs []error
	for _, n := range nodes {
		out, err := f(n)
		if err == nil {
			return out, nil
		}
		errs = append(errs, err)
	}
	return out, errors.Join(errs...)
}

func openEtcd(ctx context.Context, conn *ssh.Client, node Node) (*etcd.Client, error) {
	out, err := conn.Run(ctx, ssh.Command{Op: "read the certificates for etcd", Sudo: true, Script: readCertificates})
	if err != nil && !fault.Is(err, fault.Command) {
		return nil, err
	}
	parts := strings.Split(out.Stdout, certificateEnd)
	if err != nil || len(parts) != 4 {
		return nil, fault.New(fault.Failed, "read the certificates for etcd", node.Name+":"+etcdKey, "is the control plane installed on that node?", errors.Join(err, short(parts)))
	}
	return etcd.Open(ctx, etcd.Options{
		Address: net.JoinHostPort(node.Address, "2379"), Dial: conn.DialContext,
		CA: []byte(parts[0]), Certificate: []byte(parts[1]), Key: secret.NewValue([]byte(parts[2])),
	})
}

const certificateEnd = "\n-- end of file --\n"

// readCertificates prints the three files one after the other.
const readCertificates = `for f in ` + etcdCA + ` ` + etcdCertificate + ` ` + etcdKey + `; do
	cat "$f" || exit 1
	printf '\n-- end of file --\n'
done
`

func short(parts []string) error {
	if len(parts) == 4 {
		return nil
	}
	return fmt.Errorf("%d of 3 files came", len(parts)-1)
}
