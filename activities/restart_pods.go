package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
)

// comeback is how far a group that was restarted is.
type comeback struct {
	waits string   // what there is to wait for; "" = it is back
	never bool     // and that can't come by itself
	ready int      // Pods that came later, or were not to be restarted
	out   []string // Pods that nothing is expected of, and why
}

// Restarts are the Pods that a restart deletes: those that lived when they were
// listed. What had ended before, or was going already, has no successor to wait for.
func (g ServiceGroup) Restarts() []kube.Pod {
	return slices.DeleteFunc(slices.Clone(g.Pods), func(p kube.Pod) bool { return !p.Alive() })
}

// expected is how many Pods must be ready, beside those that stay behind.
func (g ServiceGroup) expected() int {
	if g.Again {
		return g.Want
	}
	return len(g.Restarts())
}

// Retry is the group for another try, from what the first one saw and what is
// there now. Of the first Pods those that are still there are restarted; the
// others came after them, and are waited for and never deleted. As many must be
// ready as the first try was to restart. Where that was none and nothing is there
// any more, the service is not installed.
func (g ServiceGroup) Retry(now []kube.Pod) ServiceGroup {
	out := g
	out.Pods, out.Going, out.Want = nil, nil, len(g.Restarts())
	out.Again = out.Want > 0 || len(now) > 0
	for _, p := range now {
		at := slices.IndexFunc(g.Pods, func(first kube.Pod) bool { return first.UID == p.UID })
		if at < 0 {
			continue
		}
		out.Pods = append(out.Pods, p)
		if g.Pods[at].Alive() && p.Deleting {
			out.Going = append(out.Going, p.UID)
		}
	}
	return out
}

// counted reports that a successor of one of the group's Pods is among those that
// are expected.
func (g ServiceGroup) counted(p kube.Pod) bool { return p.Alive() || slices.Contains(g.Going, p.UID) }

// judge tells how far the group is by the Pods that are there now. lost are the
// nodes, of Pods that are going, that are away, and how.
func (g ServiceGroup) judge(now []kube.Pod, lost map[string]string) comeback {
	out, stuck, expected := comeback{}, 0, g.expected()
	var why string
	for _, p := range now {
		at := slices.IndexFunc(g.Pods, func(old kube.Pod) bool { return old.UID == p.UID })
		away := p.Deleting && lost[p.Node] != ""
		switch {
		case at >= 0 && (p.Ended() || away):
			text, behind := "has ended: "+p.Why, false
			if away {
				text, behind = fmt.Sprintf("is deleted and counts as gone: its node %s %s", p.Node, lost[p.Node]), p.StaysBehind()
			}
			if behind && g.counted(g.Pods[at]) { // it would have had a successor
				expected--
				text += ", and nothing comes in its place before that"
			}
			stuck++
			out.out = append(out.out, "Pod "+p.Name+" "+text)
		case at >= 0 && (g.Pods[at].Alive() || p.Deleting):
			out.waits = "Pod " + p.Name + " has not gone yet"
			return out
		case p.Ready:
			out.ready++
		case p.Alive():
			why = fmt.Sprintf(", Pod %s: %s", p.Name, p.Why)
		}
	}
	if least := max(1, expected); out.ready < least {
		out.waits = fmt.Sprintf("%d of %d Pods are ready%s", out.ready, least, why)
		out.never = expected <= 0 && stuck > 0 && stuck == len(g.Pods) && stuck == len(now)
	}
	return out
}

// restart deletes the Pods of a group that lived when they were listed, by their UIDs.
func (g ServiceGroup) restart(ctx context.Context, c *kube.Client) error {
	for _, p := range g.Restarts() {
		if _, err := c.DeletePod(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// look sees how far the group is.
func (g ServiceGroup) look(ctx context.Context, c *kube.Client, namespace string) (comeback, error) {
	now, err := c.Pods(ctx, namespace, g.Selector)
	if err != nil {
		return comeback{}, err
	}
	lost, unknown, err := lostNodes(ctx, c, g.Pods, now)
	if err != nil {
		return comeback{}, err
	}
	back := g.judge(now, lost)
	if back.waits != "" && unknown != "" {
		back.waits += "; " + unknown
	}
	return back, nil
}

// lostNodes tells which nodes under old Pods that are going are not there or not
// Ready. Where that must not be read, they count as fine, and unknown says so: then
// such a Pod is waited for.
func lostNodes(ctx context.Context, c *kube.Client, before, now []kube.Pod) (lost map[string]string, unknown string, err error) {
	lost = map[string]string{}
	for _, p := range now {
		old := slices.ContainsFunc(before, func(old kube.Pod) bool { return old.UID == p.UID })
		if _, known := lost[p.Node]; known || !old || !p.Deleting || p.Node == "" {
			continue
		}
		node, found, err := c.Node(ctx, p.Node)
		switch {
		case fault.Is(err, fault.Auth):
			return lost, "whether node " + p.Node + " is away can't be read: " + message(err), nil
		case err != nil:
			return nil, "", err
		case !found:
			lost[p.Node] = "is not there any more"
		case !node.Ready:
			lost[p.Node] = "is not Ready (" + node.Reason + ")"
		default:
			lost[p.Node] = ""
		}
	}
	return lost, "", nil
}

// restarting is one restart of some groups of one cluster.
type restarting struct {
	what, place, fix string // for messages
	groups           []ServiceGroup
	namespace        func(ServiceGroup) string // of its Pods; "" = all
	settle           time.Duration
}

// do deletes what is to be restarted and waits until it is back.
func (r restarting) do(ctx context.Context, c *kube.Client) ([]string, error) {
	for _, g := range r.groups {
		if err := g.restart(ctx, c); err != nil {
			return nil, err
		}
	}
	for end := time.Now().Add(r.settle); ; {
		var waits, never, parts []string
		for _, g := range r.groups {
			if len(g.Pods) == 0 && !g.Again {
				parts = append(parts, g.Name+" is not installed")
				continue
			}
			back, err := g.look(ctx, c, r.namespace(g))
			if err != nil {
				return nil, err
			}
			parts = append(parts, g.told(back))
			if back.waits != "" {
				waits = append(waits, g.Name+": "+strings.Join(append([]string{back.waits}, back.out...), "; "))
			}
			if back.never {
				never = append(never, g.Name+" has no Pod that could come back")
			}
		}
		text := strings.Join(append(never, waits...), "; ")
		switch {
		case len(waits) == 0:
			return parts, nil
		case len(never) > 0 || time.Now().After(end):
			return nil, fault.New(fault.Stalled, r.what, r.place, r.fix, errors.New(text))
		}
		report(ctx, Progress{Text: text})
		if err := pause(ctx, settlePoll); err != nil {
			return nil, err
		}
	}
}

// told says of a group that is back what was done to it.
func (g ServiceGroup) told(back comeback) string {
	n := len(g.Restarts())
	text := fmt.Sprintf("%s: %d Pods restarted", g.Name, n)
	if g.Again {
		text = fmt.Sprintf("%s: %d Pods are ready again, %d more restarted by this try", g.Name, back.ready, n)
	}
	if len(back.out) > 0 {
		text += " (" + strings.Join(back.out, "; ") + ")"
	}
	return text
}
