package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/internal/syncplugin"
)

// How soon both sides are compared again while they are not alike yet, and how long
// keys must stay missed before the copying Pod is recreated once more: a copy
// that is on its way needs no repair.
const (
	compareEvery = 5 * time.Second
	missedFor    = time.Minute
)

// consistent demands that the plugin's own check and a proof from both etcds
// find nothing (DR-33). Missed keys are mended as the document says, as often as
// the site allows; surplus keys never are.
func (s *syncing) consistent() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "sync.11-consistent", Title: "Both sides hold the same data", Source: []string{"DR-33", "DR-41"}, Effect: Write,
			Calls: []string{
				fmt.Sprintf("curl -g http://CLUSTER-IP/check   # of Service %s, from a control plane of %s", syncplugin.Service, s.standby.Name),
				"compare every key and value of both etcds, and every owner reference of " + s.standby.Name + "   # reads only",
				fmt.Sprintf("DELETE /api/v1/namespaces/%s/pods/POD   # only when keys stay missed, at most %d times", syncplugin.Namespace, s.site.DR.Sync.MaxRepairs()),
			},
		},
		Do: s.untilConsistent,
	}
}

// likeness is what one comparison found.
type likeness struct {
	check activities.CheckView
	proof *etcd.Proof // nil = not asked for, the check was not clean
}

func (l likeness) clean() bool { return l.check.Clean() && l.proof != nil && l.proof.Clean() }

// missed reports whether the only difference is what a new copy mends.
func (l likeness) missed() bool {
	if !l.check.Understood {
		return false
	}
	if l.proof == nil {
		return l.check.Missed > 0
	}
	return l.proof.Missed+l.proof.Different+l.proof.Orphans > 0
}

func (l likeness) String() string {
	text := "the synchronizer's check: " + l.check.String()
	for _, list := range []struct {
		name string
		keys []string
	}{{"missed", l.check.MissedKeys}, {"surplus", l.check.SurplusKeys}} {
		if len(list.keys) > 0 {
			text += fmt.Sprintf(" (%s: %s)", list.name, several(list.keys))
		}
	}
	if p := l.proof; p != nil && !p.Clean() {
		text += fmt.Sprintf("; both etcds: %d missed, %d surplus, %d different, %d owners that are not there", p.Missed, p.Surplus, p.Different, p.Orphans)
		for _, r := range p.Resources {
			for _, k := range r.Samples {
				text += fmt.Sprintf("; %s %s", k.Kind, k.Key)
			}
		}
		for _, d := range p.Dangling {
			text += fmt.Sprintf("; %s is owned by %s %s, which is not there", d.Key, d.OwnerKind, d.OwnerName)
		}
	}
	return text
}

func (s *syncing) untilConsistent(ctx workflow.Context) (activities.Evidence, error) {
	started := workflow.Now(ctx)
	repairs, missedSince := 0, time.Time{}
	for {
		now, err := s.compare(ctx)
		if err != nil {
			return activities.Evidence{}, err
		}
		if now.clean() {
			return s.alike(now, repairs), nil
		}
		at, limit := workflow.Now(ctx), s.site.Policy.Stall()
		switch {
		case !now.missed():
			missedSince = time.Time{}
		case missedSince.IsZero():
			missedSince = at
		}
		if at.Sub(started) >= limit {
			return activities.Evidence{}, s.unlike(now, repairs)
		}
		if !missedSince.IsZero() && at.Sub(missedSince) >= missedFor && repairs < s.site.DR.Sync.MaxRepairs() {
			repairs++
			if err := s.repair(ctx); err != nil {
				return activities.Evidence{}, err
			}
			missedSince = time.Time{}
		}
		if err := workflow.NewTimerWithOptions(ctx, s.pace.next(compareEvery, workflow.Now(ctx).Sub(started), limit), workflow.TimerOptions{Summary: "Both sides are not alike yet"}).Get(ctx, nil); err != nil {
			return activities.Evidence{}, err
		}
	}
}

// compare asks the plugin and, when that finds nothing, both etcds.
func (s *syncing) compare(ctx workflow.Context) (likeness, error) {
	var out likeness
	var a *activities.Sync
	if err := workflow.ExecuteActivity(quickCheck(ctx, "Ask the synchronizer's check"), a.FetchCheck, s.scope(s.standby)).Get(ctx, &out.check); err != nil {
		return out, err
	}
	if !out.check.Clean() {
		return out, nil
	}
	var c *activities.Consistency
	in := activities.ProveInput{Site: *s.site, Primary: s.primary.Name, Standby: s.standby.Name, Owners: true}
	out.proof = &etcd.Proof{}
	err := workflow.ExecuteActivity(proving(ctx, "Compare both etcds"), c.Prove, in).Get(ctx, out.proof)
	return out, err
}

func (s *syncing) repair(ctx workflow.Context) error {
	if err := s.waitFirstSync(ctx); err != nil {
		return err
	}
	_, err := s.doRecreate(ctx)
	return err
}

func (s *syncing) alike(l likeness, repairs int) activities.Evidence {
	p := l.proof
	return activities.Evidence{
		Summary: fmt.Sprintf("%d keys are the same on both sides; the synchronizer's check: %s", p.Compared, l.check), Host: s.standby.Name,
		Facts: map[string]string{
			"compared": fmt.Sprint(p.Compared), "digest": p.Digest, "repairs": fmt.Sprint(repairs), "check": l.check.URL,
			"revision." + s.primary.Name: fmt.Sprint(p.Primary.Revision), "revision." + s.standby.Name: fmt.Sprint(p.Standby.Revision),
		},
	}
}

func (s *syncing) unlike(l likeness, repairs int) error {
	fix := []string{"look at the log of the synchronizer's Pods, then retry"}
	if !l.check.Understood {
		fix = []string{"look at " + l.check.URL + " from a control plane of " + s.standby.Name + "; acpflow takes for good only what it understands"}
	}
	if l.check.Surplus > 0 || l.proof != nil && l.proof.Surplus > 0 {
		fix = append(fix, "agree with operations on keys that only "+s.standby.Name+" has; acpflow deletes none")
	}
	return gateFault("compare both sides", strings.Join(fix, "; "), "after %s and %d repairs they are not alike: %s", s.site.Policy.Stall(), repairs, clip(l.String(), 4000))
}
