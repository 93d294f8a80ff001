package activities

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
)

// IdentifyInput names the sides of a pair by their roles.
type IdentifyInput struct {
	PairInput
	Alone bool `json:"alone,omitempty"` // the primary may be away
}

// Identity is who the sides are.
type Identity struct {
	Evidence
	Sides map[string]SideIdentity `json:"sides"` // by the cluster's name in the site document
}

// SideIdentity is who one side is. Unless it is reachable, nothing but Why is known.
type SideIdentity struct {
	UID          string      `json:"uid,omitempty"`     // of its namespace kube-system
	Reachable    bool        `json:"reachable"`         // its API answers through a control plane and through its VIP
	Why          string      `json:"why,omitempty"`     // it is not
	Synchronizer bool        `json:"synchronizer"`      // anything of the plugin etcd-sync is there that could copy
	Carries      string      `json:"carries,omitempty"` // what that is, and what was left behind of one that was removed
	Record       *PairRecord `json:"record,omitempty"`
}

// IdentifySides finds out who the two sides are, before anything is done to
// them: the UID of each, read through a control plane over SSH and again through
// its VIP. It is fault.Gate when both are one cluster, when a VIP leads to
// another cluster than the nodes of its side (VIPs swapped in the document), when
// the record of a side knows another UID for one of the names, and when a side
// can't be reached; with Alone the primary may be away.
func (a *Sides) IdentifySides(ctx context.Context, in IdentifyInput) (Identity, error) {
	scopes := []Scope{in.primary(), in.standby()}
	looks := make([]identityLook, len(scopes))
	var group errgroup.Group
	for i, scope := range scopes {
		if _, err := scope.cluster(); err != nil {
			return Identity{}, err
		}
		group.Go(func() error {
			start, tries := time.Now(), readTries // a blip should not stop a takeover
			if in.mayBeAway(scope.Cluster) {
				tries = 1
			}
			for try := 1; ; try++ {
				looks[i] = a.identify(ctx, scope, tries == 1)
				if looks[i].err == nil || try == tries || time.Since(start) > longBlip || fault.ClassOf(looks[i].err).Permanent() || pause(ctx, readPause) != nil {
					return ctx.Err()
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return Identity{}, err
	}
	for i := range looks {
		if err := a.whoseVIP(ctx, &in.Site, &looks[i], &looks[1-i]); err != nil {
			return Identity{}, err
		}
	}
	if err := in.judge(looks); err != nil {
		return Identity{}, err
	}
	return in.identity(looks), nil
}

const (
	longBlip    = 8 * time.Second  // silence that is no blip any more
	vipPatience = 10 * time.Second // with a request through a VIP
)

// identityLook is one look at who a side is.
type identityLook struct {
	SideIdentity
	cluster *site.Cluster
	admin   secret.Value // its kubeconfig, once that was read
	vip     error        // why its VIP did not answer as it
	err     error        // why it is not reachable
}

func (a *Sides) identify(ctx context.Context, scope Scope, mayBeAway bool) identityLook {
	cluster, err := scope.cluster()
	if err != nil {
		return identityLook{err: err}
	}
	look := identityLook{cluster: cluster}
	if mayBeAway {
		look.err = allSilent(ctx, scope)
	}
	if look.err == nil {
		look.err = a.readIdentity(ctx, scope, &look)
	}
	if look.Reachable = look.err == nil; !look.Reachable {
		look.Why = clip(message(look.err), 500)
	}
	return look
}

// allSilent spares a failover the time-outs of logins to machines that are all
// away: no control plane takes a connection of the worker. Behind a jump host that
// can't be told so.
func allSilent(ctx context.Context, scope Scope) error {
	nodes, err := scope.controlPlanes()
	if err != nil {
		return err
	}
	heard := make([]outcome, len(nodes))
	var group sync.WaitGroup
	for i, n := range nodes {
		group.Go(func() { heard[i] = dialOutcome(ctx, reachTarget{host: n.Address, port: portOr22(n.SSH.Port)}) })
	}
	group.Wait()
	for i, n := range nodes {
		if heard[i].word != silent || n.SSH.Jump != nil {
			return nil
		}
	}
	return fault.New(fault.Unreachable, "log in to the control planes", "cluster "+scope.Cluster, "", fmt.Errorf("none of %d takes a connection", len(nodes)))
}

func (a *Sides) readIdentity(ctx context.Context, scope Scope, look *identityLook) error {
	client, uid, err := (&Cluster{Hosts: a.Hosts}).openKept(ctx, scope)
	if err != nil {
		return err
	}
	look.UID = uid
	if look.admin, err = a.adminOf(ctx, scope); err != nil {
		return err
	}
	view, err := readSync(ctx, client, scope)
	if err != nil {
		return err
	}
	look.Synchronizer, look.Carries = len(view.Left()) > 0, view.Carries()
	record, err := recordOf(ctx, client)
	if err != nil {
		return err
	}
	if record.Primary != "" {
		look.Record = &record
	}
	through, err := a.uidThroughVIP(ctx, &scope.Site, look.cluster, look.admin, vipPatience)
	if err == nil && through != uid {
		err = fault.New(fault.Gate, "identify "+scope.Cluster, "VIP "+look.cluster.Endpoint.VIP, "correct the VIP in the site document or at the load balancer",
			fmt.Errorf("the cluster behind it has the UID %s, the control planes of %s have %s", through, scope.Cluster, uid))
	}
	look.vip = err
	return err
}

// adminOf reads the admin kubeconfig at the first control plane that has it.
func (a *Sides) adminOf(ctx context.Context, scope Scope) (secret.Value, error) {
	nodes, err := scope.controlPlanes()
	if err != nil {
		return secret.Value{}, err
	}
	var errs []error
	for _, n := range nodes {
		conn, err := a.Hosts.connect(ctx, n)
		if err == nil {
			var conf secret.Value
			if conf, err = adminKubeconfig(ctx, conn, n.Name); err == nil {
				return conf, nil
			}
		}
		errs = append(errs, err)
	}
	return secret.Value{}, joined(errs...)
}

// uidThroughVIP asks who answers at port 6443 of a VIP, with the credentials of
// the cluster that should: any other can't present a certificate of its authority.
func (a *Sides) uidThroughVIP(ctx context.Context, s *site.Site, c *site.Cluster, admin secret.Value, patience time.Duration) (string, error) {
	client, err := kube.New(admin, kube.Options{Dial: a.Hosts.dialSomehow(s), Address: net.JoinHostPort(c.Endpoint.VIP, "6443"), Timeout: patience})
	if err != nil {
		return "", err
	}
	defer client.Close()
	return client.UID(ctx)
}

// whoseVIP tells apart a VIP where nobody answers and one where the other side does.
func (a *Sides) whoseVIP(ctx context.Context, s *site.Site, look, other *identityLook) error {
	strange := fault.Is(look.vip, fault.HostKey) || look.UID == ""
	if !strange || other.UID == "" {
		return nil
	}
	uid, err := a.uidThroughVIP(ctx, s, look.cluster, other.admin, vipPatience/2) // mostly nobody answers
	if err != nil || uid != other.UID {
		return ctx.Err()
	}
	return fault.New(fault.Gate, "identify "+look.cluster.Name, "VIP "+look.cluster.Endpoint.VIP, "correct the VIPs in the site document: they seem to be swapped",
		fmt.Errorf("it leads to the cluster %s (UID %s)", other.cluster.Name, uid))
}
