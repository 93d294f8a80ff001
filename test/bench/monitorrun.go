package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporal "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdk "go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/workflows"
)

// monitorGoal is printed and has no bound: it tells what one worker can watch.
const monitorGoal = "M1000"

// warmUp is how long all monitors run before anything is measured.
const warmUp = 90 * time.Second

// watch is M1000: so many sites checked every minute by one worker.
func watch(ctx context.Context, o options, rep *report) (err error) {
	m, err := newMonitors(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	if err := m.proves(ctx); err != nil {
		return err
	}
	idle, err := m.idle(ctx)
	if err != nil {
		return err
	}
	if err := m.starts(ctx); err != nil {
		return err
	}
	if err := pause(ctx, warmUp); err != nil {
		return err
	}
	before, err := m.usage()
	if err != nil {
		return err
	}
	from := time.Now()
	if err := pause(ctx, time.Duration(m.minutes)*time.Minute); err != nil {
		return err
	}
	after, err := m.usage()
	if err != nil {
		return err
	}
	return m.tell(ctx, rep, from, time.Now(), after.since(before), idle)
}

// proves runs one check by hand: what is measured must be a check that finds
// all well, not one that fails early.
func (m *monitors) proves(ctx context.Context) error {
	request := workflows.Request{Site: monitorSite(0), OnFailure: workflows.OnFailureAbort}
	run, err := m.temporal.ExecuteWorkflow(ctx, temporal.StartWorkflowOptions{ID: "check/first", TaskQueue: workflows.TaskQueue}, workflows.CheckSyncName, request)
	if err != nil {
		return err
	}
	var p workflows.Progress
	if err := run.Get(ctx, &p); err != nil {
		return err
	}
	if p.Outcome == workflows.Succeeded {
		fmt.Printf("one check: %s, %d findings, in %.1f s\n", p.Sync.Summary, p.Sync.Tally.Total(), p.Ended.Sub(p.Started).Seconds())
		return nil
	}
	var wrong []string
	for _, f := range p.Sync.Findings {
		if f.Blocking() {
			wrong = append(wrong, fmt.Sprintf("%s %s %s: %s", f.Rule, f.Node, pair.Full(f).Title, f.Said()))
		}
	}
	return fmt.Errorf("a check does not find all well: %s\n%s", p.Sync.Summary, strings.Join(wrong, "\n"))
}

// schedule makes the monitors as `acpflow monitor start` does, spread over the
// minute. The first check of a site reads all there is, so no more are begun
// than the machine does at a time: who starts a thousand monitors waits, too.
func (m *monitors) schedule(ctx context.Context) error {
	for i := range m.sites {
		name := monitorSite(i)
		_, err := m.temporal.ScheduleClient().Create(ctx, temporal.ScheduleOptions{
			ID:   "monitor/" + name,
			Spec: temporal.ScheduleSpec{Intervals: []temporal.ScheduleIntervalSpec{{Every: time.Minute, Offset: time.Minute * time.Duration(i) / time.Duration(m.sites)}}},
			Action: &temporal.ScheduleWorkflowAction{ID: "check/" + name, Workflow: workflows.CheckSyncName, TaskQueue: workflows.TaskQueue,
				TypedSearchAttributes: workflows.StartAttributes(workflows.CheckSyncBook, name),
				Args:                  []any{workflows.Request{Site: name, OnFailure: workflows.OnFailureAbort}}},
			Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: time.Minute, TriggerImmediately: true,
		})
		if err != nil {
			return err
		}
		if i%atOnce < atOnce-1 {
			continue
		}
		if err := m.looked(ctx, i+1-atOnce, i); err != nil {
			return err
		}
	}
	return nil
}

// looked waits until some sites have been checked once.
func (m *monitors) looked(ctx context.Context, first, last int) error {
	var names []string
	for i := first; i <= last; i++ {
		names = append(names, "'"+monitorSite(i)+"'")
	}
	ended := fmt.Sprintf("AcpSite IN (%s) AND AcpRunbook = 'CheckSync' AND ExecutionStatus = 'Completed'", strings.Join(names, ", "))
	for {
		n, err := m.count(ctx, ended)
		if err != nil || int(n) >= len(names) {
			return err
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// atOnce is how many first checks are under way while more monitors are started.
const atOnce = 8

// tell prints what happened, whether it was as wished or not.
func (m *monitors) tell(ctx context.Context, rep *report, from, to time.Time, used, idle usage) error {
	wall := to.Sub(from).Seconds()
	window := fmt.Sprintf("AcpRunbook = 'CheckSync' AND CloseTime >= '%s' AND CloseTime < '%s'", from.UTC().Format(time.RFC3339Nano), to.UTC().Format(time.RFC3339Nano))
	ended, err := m.count(ctx, window)
	if err != nil {
		return err
	}
	good, err := m.count(ctx, window+" AND AcpOutcome = 'succeeded'")
	if err != nil {
		return err
	}
	running, err := m.count(ctx, "AcpRunbook = 'CheckSync' AND ExecutionStatus = 'Running'")
	if err != nil {
		return err
	}
	waits, late, lasts, events, err := m.sample(ctx, window)
	if err != nil {
		return err
	}
	steps, wrong, err := m.results(ctx, window)
	if err != nil {
		return err
	}
	peak, err := peakMemoryOf(m.worker.PID)
	if err != nil {
		return err
	}
	perMinute := float64(ended) / wall * 60
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "  checks ended per minute\t%.0f of %d wished; %d of %d found all well; %d under way at the end\n", perMinute, m.sites, good, ended, running)
	for _, who := range []struct {
		name       string
		used, idle float64
	}{
		{"the worker", used.worker, idle.worker}, {"Temporal", used.server, idle.server},
		{"the simulated API servers and etcds", used.sides, idle.sides}, {"the simulated SSH servers", used.bench, idle.bench},
		{"all of them", used.worker + used.server + used.sides + used.bench, idle.worker + idle.server + idle.sides + idle.bench},
	} {
		each := 1000 / float64(max(ended, 1))
		fmt.Fprintf(w, "  CPU of %s\t%.0f %% of a CPU, of it %.0f %% without any check; %.0f ms a check, of it %.0f ms for checking\n",
			who.name, 100*who.used/wall, 100*who.idle, who.used*each, (who.used-who.idle*wall)*each)
	}
	others := used.machine - (used.worker + used.server + used.sides + used.bench)
	fmt.Fprintf(w, "  CPU of others\t%.0f %% of a CPU\n", 100*others/wall)
	fmt.Fprintf(w, "  memory of the worker\t%.0f MB at most\n", peak)
	fmt.Fprintf(w, "  schedule to start of a task\tp50 %.0f ms, p95 %.0f ms, most %.0f ms (%d tasks)\n", quantile(waits, 0.5), quantile(waits, 0.95), quantile(waits, 1), len(waits))
	fmt.Fprintf(w, "  a check begins after its time\tp50 %.0f ms, p95 %.0f ms, most %.0f ms\n", quantile(late, 0.5), quantile(late, 0.95), quantile(late, 1))
	fmt.Fprintf(w, "  a check takes\tp50 %.1f s, p95 %.1f s, most %.1f s; %d events of history\n", quantile(lasts, 0.5)/1000, quantile(lasts, 0.95)/1000, quantile(lasts, 1)/1000, events)
	for _, id := range slices.Sorted(maps.Keys(steps)) {
		fmt.Fprintf(w, "    %s\tp50 %.1f s, p95 %.1f s\n", id, quantile(steps[id], 0.5), quantile(steps[id], 0.95))
	}
	_ = w.Flush() // to the terminal
	for _, text := range slices.Sorted(maps.Keys(wrong)) {
		fmt.Printf("  not well in %d checks of the sample: %s\n", wrong[text], text)
	}
	rep.Rows = append(rep.Rows, &row{Contest: monitorGoal, Name: fmt.Sprintf("%d sites", m.sites), Client: used.worker, Server: used.server, Foreign: others / wall,
		Peaks: map[string]float64{"checks per minute": perMinute, "worker MB": peak,
			"schedule to start p50 ms": quantile(waits, 0.5), "schedule to start p95 ms": quantile(waits, 0.95), "schedule to start max ms": quantile(waits, 1)}})
	return nil
}

func (m *monitors) count(ctx context.Context, query string) (int64, error) {
	answer, err := m.temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query})
	if err != nil {
		return 0, err
	}
	return answer.GetCount(), nil
}

// sample reads histories of some checks: how long tasks waited for the worker,
// how long after its time a check began, and how long it took, in milliseconds,
// sorted.
func (m *monitors) sample(ctx context.Context, query string) (waits, late, lasts []float64, events int, err error) {
	answer, err := m.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{PageSize: 300, Query: query})
	if err != nil {
		return nil, nil, nil, 0, err
	}
	for i, e := range answer.GetExecutions() {
		lasts = append(lasts, float64(e.GetCloseTime().AsTime().Sub(e.GetStartTime().AsTime()).Milliseconds()))
		var due time.Time
		if field := e.GetSearchAttributes().GetIndexedFields()["TemporalScheduledStartTime"]; field != nil {
			if err := converter.GetDefaultDataConverter().FromPayload(field, &due); err != nil {
				return nil, nil, nil, 0, err
			}
			late = append(late, float64(e.GetStartTime().AsTime().Sub(due).Milliseconds()))
		}
		if i%3 != 0 { // a third of the histories tells enough
			continue
		}
		scheduled := map[int64]time.Time{}
		history := m.temporal.GetWorkflowHistory(ctx, e.GetExecution().GetWorkflowId(), e.GetExecution().GetRunId(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		n := 0
		for history.HasNext() {
			event, err := history.Next()
			if err != nil {
				return nil, nil, nil, 0, err
			}
			n++
			waits = append(waits, waited(event, scheduled)...)
		}
		events = max(events, n)
	}
	slices.Sort(waits)
	slices.Sort(late)
	slices.Sort(lasts)
	return waits, late, lasts, events, nil
}

// results reads what some checks found: how long their steps took, in seconds,
// and what was not well.
func (m *monitors) results(ctx context.Context, query string) (map[string][]float64, map[string]int, error) {
	answer, err := m.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{PageSize: 200, Query: query})
	if err != nil {
		return nil, nil, err
	}
	steps, wrong := map[string][]float64{}, map[string]int{}
	for _, e := range answer.GetExecutions() {
		var p workflows.Progress
		if err := m.temporal.GetWorkflow(ctx, e.GetExecution().GetWorkflowId(), e.GetExecution().GetRunId()).Get(ctx, &p); err != nil {
			var failed *sdk.ApplicationError
			if errors.As(err, &failed) {
				wrong["no verdict: "+failed.Message()]++
				continue
			}
			wrong["no verdict"]++
			continue
		}
		for _, s := range p.Steps {
			if s.Started != nil && s.Ended != nil {
				steps[s.ID] = append(steps[s.ID], s.Ended.Sub(*s.Started).Seconds())
			}
		}
		for _, f := range p.Sync.Findings {
			if f.Blocking() {
				wrong[fmt.Sprintf("%s %s: %.150s", f.Rule, f.Node, f.Said())]++
			}
		}
		if !p.Sync.Lately {
			wrong["(everything was read, not only what changes)"]++
		}
	}
	for _, all := range steps {
		slices.Sort(all)
	}
	return steps, wrong, nil
}

// waited is how long a task of the workflow or an activity waited for a worker.
func waited(event *historypb.HistoryEvent, scheduled map[int64]time.Time) []float64 {
	var began int64
	switch {
	case event.GetActivityTaskScheduledEventAttributes() != nil, event.GetWorkflowTaskScheduledEventAttributes() != nil:
		scheduled[event.GetEventId()] = event.GetEventTime().AsTime()
		return nil
	case event.GetActivityTaskStartedEventAttributes() != nil:
		began = event.GetActivityTaskStartedEventAttributes().GetScheduledEventId()
	case event.GetWorkflowTaskStartedEventAttributes() != nil:
		began = event.GetWorkflowTaskStartedEventAttributes().GetScheduledEventId()
	default:
		return nil
	}
	return []float64{float64(event.GetEventTime().AsTime().Sub(scheduled[began]).Microseconds()) / 1000}
}

func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
