package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/acpflow/acpflow/workflows"
)

// takeoverGoals are T1 and F1 to F3 on a real pair.
var takeoverGoals = []string{"T1", "F1", "F2", "F3"}

// What the goals demand.
const (
	overheadRatio = 1.05 // of the same activities in a plain loop
	overheadStep  = 0.05 // seconds of engine for each step
	pathRatio     = 1.1  // machine time beside the critical path
	serialRatio   = 2.0  // the documented procedure, one command after another, beside acpflow
	partsSum      = 0.01 // of the RTO, that its parts may differ from the total
)

// The entrants.
const (
	byAcpflow = "acpflow"
	byLoop    = "plain Go loop"
	bySerial  = "document, serial"
)

// takeovers measures switchovers of one pair, to and fro: by acpflow, by a plain
// loop over the same activities, and by the documented procedure as a script.
// After each, acpflow protects the pair again, which is not measured.
func takeovers(ctx context.Context, o options, rep *report) error {
	fmt.Println("\nswitchover of a pair on the lab: acpflow, the same activities in a plain Go loop, the documented procedure in a row")
	return onPair(ctx, func(w *takeoverWorld) error {
		samples, runs := map[string][]sample{}, []*takeoverRun{}
		for range max(1, min(2, o.runs)) {
			order := []string{byAcpflow, byLoop, bySerial}
			rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			r := &takeoverRun{}
			for _, by := range order {
				wall, err := w.takeOver(ctx, by, r)
				if err != nil {
					return fmt.Errorf("%s: %w", by, err)
				}
				fmt.Printf("    %-18s %6.1f s, to %s\n", by, wall, w.primary)
				samples[by] = append(samples[by], sample{Wall: wall})
				if err := w.protect(ctx); err != nil {
					return fmt.Errorf("after %s: %w", by, err)
				}
			}
			runs = append(runs, r)
		}
		rows := map[string]*row{}
		for _, by := range []string{byAcpflow, byLoop, bySerial} {
			rows[by] = summarize("switchover", by, samples[by])
			rep.Rows = append(rep.Rows, rows[by])
		}
		printRows([]entrant{{name: byAcpflow}, {name: byLoop}, {name: bySerial}}, rows)
		judgeTakeovers(rows, runs, rep)
		return nil
	})
}

// takeoverRun is what one round gave beside wall times.
type takeoverRun struct {
	progress *workflows.Progress // of acpflow
	calls    map[string]int      // its activities by name
	plain    *plainTakeover
}

func judgeTakeovers(rows map[string]*row, runs []*takeoverRun, rep *report) {
	var step, path, parts float64
	for _, r := range runs {
		rto := r.progress.Recovery.RTO
		seconds := r.progress.Ended.Sub(r.progress.Started).Seconds() - rto.WaitingSeconds
		loop := 0.0
		for _, group := range r.plain.groups() {
			longest := 0.0
			for _, s := range group {
				longest = max(longest, r.plain.seconds[s.id])
			}
			loop += longest
		}
		step = max(step, (seconds-loop)/float64(len(r.progress.Steps)))
		path = max(path, rto.MachineSeconds/r.plain.path())
		sum := rto.DetectionSeconds + rto.WaitingSeconds + rto.MachineSeconds
		parts = max(parts, max(sum-rto.TotalSeconds, rto.TotalSeconds-sum)/rto.TotalSeconds)
		fmt.Printf("    RTO %.1f s, of which %.1f s waiting for people; critical path %.1f s\n", rto.TotalSeconds, rto.WaitingSeconds, r.plain.path())
		if missing := r.plain.missing(r.calls); missing != "" {
			fmt.Println("    the plain loop differs:", missing)
		}
	}
	rep.judge(goal{ID: "T1", Text: "switchover beside the same activities in a plain loop", Bound: overheadRatio, Most: true}, rows[byAcpflow].Median/rows[byLoop].Median)
	rep.judge(goal{ID: "T1", Text: "engine's seconds for each step", Bound: overheadStep, Most: true}, step)
	rep.judge(goal{ID: "F1", Text: "machine time beside the critical path", Bound: pathRatio, Most: true}, path)
	rep.judge(goal{ID: "F2", Text: "the documented procedure in a row beside acpflow", Bound: serialRatio}, rows[bySerial].Median/rows[byAcpflow].Median)
	rep.judge(goal{ID: "F3", Text: "parts of the RTO beside its total", Bound: partsSum, Most: true}, parts)
}

// takeOver makes the standby the primary in one of the ways. What acpflow waits
// for a person is not counted.
func (w *takeoverWorld) takeOver(ctx context.Context, by string, r *takeoverRun) (float64, error) {
	from, to := w.primary, w.standby
	w.primary, w.standby = to, from
	if by == byAcpflow {
		p, id, err := w.runbook(ctx, workflows.SwitchoverName, to)
		if err != nil {
			return 0, err
		}
		r.progress = p
		r.calls, err = w.activitiesOf(ctx, id)
		return p.Ended.Sub(p.Started).Seconds() - p.Recovery.RTO.WaitingSeconds, err
	}
	plain := newPlainTakeover(w.site, from, to)
	if by == bySerial {
		wall, err := plain.serial(ctx)
		if err == nil {
			err = newPlainTakeover(w.site, from, to).remember(ctx)
		}
		return wall.Seconds(), err
	}
	r.plain = plain
	wall, err := plain.run(ctx)
	return wall.Seconds(), err
}

// engineOnly are activities of the engine's own: it loads the site, records the plan.
var engineOnly = map[string]bool{"LoadSite": true, "RecordPlan": true}

// activitiesOf counts the activities of a run by name.
func (w *takeoverWorld) activitiesOf(ctx context.Context, id string) (map[string]int, error) {
	out := map[string]int{}
	events := w.temporal.GetWorkflowHistory(ctx, id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return nil, err
		}
		if a := e.GetActivityTaskScheduledEventAttributes(); a != nil && !engineOnly[a.ActivityType.Name] {
			out[a.ActivityType.Name]++
		}
	}
	return out, nil
}
