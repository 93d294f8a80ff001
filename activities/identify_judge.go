package activities

import (
	"errors"
	"fmt"

	"github.com/acpflow/acpflow/internal/fault"
)

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
			if l.Carries != "" {
				out.Facts["etcd-sync on "+l.cluster.Name] = l.Carries
			}
			if l.Record != nil {
				out.Facts["record of "+l.cluster.Name] = l.Record.String()
			}
		}
		out.Sides[l.cluster.Name] = l.SideIdentity
	}
	return out
}
