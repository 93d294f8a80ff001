package activities

import (
	"context"
	"errors"
	"fmt"
	"net"
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
	UID          string      `json:"uid,omitempty"` // of its namespace kube-system
	Reachable    bool        `json:"reachable"`     // its API answers through a control plane and through its VIP
	Why          string      `json:"why,omitempty"` // it is not
	Synchronizer bool        `json:"synchronizer"`  // anything of the plugin etcd-sync is there
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
				looks[i] = a.identify(ctx, scope)
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

// longBlip is when silence is no blip any more.
const longBlip = 8 * time.Second

// identityLook is one look at who a side is.
type identityLook struct {
	SideIdentity
	cluster *site.Cluster
	admin   secret.Value // its kubeconfig, once that was read
	vip     error        // why its VIP did not answer as it
	err     error        // why it is not reachable
}

func (a *Sides) identify(ctx context.Context, scope Scope) identityLook {
	cluster, err := scope.cluster()
	if err != nil {
		return identityLook{err: err}
	}
	look := identityLook{cluster: cluster}
	look.err = a.readIdentity(ctx, scope, &look)
	if look.Reachable = look.err == nil; !look.Reachable {
		look.Why = clip(message(look.err), 500)
	}
	return look
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
	look.Synchronizer = len(view.Left()) > 0
	record, err := recordOf(ctx, client)
	if err != nil {
		return err
	}
	if record.Primary != "" {
		look.Record = &record
	}
	through, err := a.uidThroughVIP(ctx, &scope.Site, look.cluster, look.admin)
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
func (a *Sides) uidThroughVIP(ctx context.Context, s *site.Site, c *site.Cluster, admin secret.Value) (string, error) {
	client, err := kube.New(admin, kube.Options{Dial: a.Hosts.dialSomehow(s), Address: net.JoinHostPort(c.Endpoint.VIP, "6443"), Timeout: 10 * time.Second})
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
	uid, err := a.uidThroughVIP(ctx, s, look.cluster, other.admin)
	if err != nil || uid != other.UID {
		return ctx.Err()
	}
	return fault.New(fault.Gate, "identify "+look.cluster.Name, "VIP "+look.cluster.Endpoint.VIP, "correct the VIPs in the site document: they seem to be swapped",
		fmt.Errorf("it leads to the cluster %s (UID %s)", other.cluster.Name, uid))
}

func (in IdentifyInput) mayBeAway(cluster string) bool { return in.Alone && cluster == in.Primary }

// judge refuses what must not go on.
func (in IdentifyInput) judge(looks []identityLook) error {
	refuse := func(place, fix string, cause error) error {
		return fault.New(fault.Gate, "identify both sides", place, fix, cause)
	}
	for i := range looks {
		l := &looks[i]
		away := in.mayBeAway(l.cluster.Name) && !fault.ClassOf(l.err).Permanent()
		if l.err == nil || away {
			continue
		}
		fix := "make its control planes and port 6443 of its VIP answer; a primary that is lost is what failover is for"
		if l.cluster.Name == in.Standby {
			fix = "make its control planes and port 6443 of its VIP answer: a side that can't be reached can't become the primary"
		}
		return refuse("cluster "+l.cluster.Name, fix, l.err)
	}
	a, b := &looks[0], &looks[1]
	if a.UID != "" && a.UID == b.UID {
		return refuse("site "+in.Site.Name, "correct the nodes of one of them in the site document", fmt.Errorf("%s and %s are the same cluster (UID %s)", a.cluster.Name, b.cluster.Name, a.UID))
	}
	for i := range looks {
		if err := looks[i].Record.fits(looks); err != nil {
			return refuse("cluster "+looks[i].cluster.Name, "correct the site document if it has the sides mixed up; when a cluster was installed anew, delete configmap "+RecordConfigMap+" on the other", err)
		}
	}
	return nil
}

// fits compares what a side remembers with who is there.
func (r *PairRecord) fits(looks []identityLook) error {
	if r == nil {
		return nil
	}
	var errs []error
	for i := range looks {
		l := &looks[i]
		if known := r.uidOf(l.cluster.Name); known != "" && l.UID != "" && known != l.UID {
			errs = append(errs, fmt.Errorf("its record (configmap %s) knows %s by the UID %s, but the cluster at these nodes has %s", RecordConfigMap, l.cluster.Name, known, l.UID))
		}
	}
	return errors.Join(errs...)
}

func (in IdentifyInput) identity(looks []identityLook) Identity {
	out := Identity{Sides: map[string]SideIdentity{}, Evidence: Evidence{Host: in.Standby, Facts: map[string]string{}}}
	for i := range looks {
		l := &looks[i]
		if i > 0 {
			out.Summary += "; "
		}
		if !l.Reachable { // half of what was read of it would be taken for all
			l.SideIdentity = SideIdentity{Why: l.Why}
			out.Summary += l.cluster.Name + " can't be reached"
			out.Facts[l.cluster.Name] = "unreachable: " + clip(l.Why, 300)
		} else {
			out.Summary += fmt.Sprintf("%s is %s, by its nodes and by its VIP %s", l.cluster.Name, l.UID, l.cluster.Endpoint.VIP)
			out.Facts[l.cluster.Name] = l.UID
			if l.Synchronizer {
				out.Summary += " (carries the synchronizer)"
			}
			if l.Record != nil {
				out.Facts["record of "+l.cluster.Name] = l.Record.String()
			}
		}
		out.Sides[l.cluster.Name] = l.SideIdentity
	}
	return out
}
