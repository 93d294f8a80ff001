package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	temporal "go.temporal.io/sdk/client"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
	"github.com/acpflow/acpflow/test/harness"
)

// preflight is the workflow type of a check of a site's machines.
const preflight = "Preflight"

// cold measures a check without any connection open before.
func (f *fleet) cold(ctx context.Context, site string, sshd *sshtest.Server) (sample, error) {
	if err := f.cut(ctx); err != nil {
		return sample{}, err
	}
	m, err := newMeter(sshd.Pid(), f.worker.PID, f.devserver.PID)
	if err != nil {
		return sample{}, err
	}
	return f.run(ctx, m, site, f.nodes)
}

// kept measures the check that comes after another.
func (f *fleet) kept(ctx context.Context, site string, sshd *sshtest.Server) (sample, error) {
	if _, err := f.cold(ctx, site, sshd); err != nil {
		return sample{}, err
	}
	m, err := newMeter(sshd.Pid(), f.worker.PID, f.devserver.PID)
	if err != nil {
		return sample{}, err
	}
	return f.run(ctx, m, site, f.nodes)
}

// recordedRun checks n machines that this process plays: its CPU time is theirs.
func (f *fleet) recordedRun(ctx context.Context, n int) (sample, error) {
	if err := f.cut(ctx); err != nil {
		return sample{}, err
	}
	if err := resetPeak(f.worker.PID); err != nil {
		return sample{}, err
	}
	before, err := ownCPU(os.Getpid())
	if err != nil {
		return sample{}, err
	}
	m, err := newMeter(0, f.worker.PID, f.devserver.PID)
	if err != nil {
		return sample{}, err
	}
	s, err := f.run(ctx, m, recordedSite(n), n)
	if err != nil {
		return s, err
	}
	after, err := ownCPU(os.Getpid())
	s.Server, s.Foreign = after-before, 0 // not told apart here
	return s, err
}

// run measures one run from its start to its stored result, and looks then,
// outside of the measured time, that every fact of every machine is in history.
func (f *fleet) run(ctx context.Context, m *meter, site string, machines int) (sample, error) {
	f.runNumber++
	run, err := f.temporal.ExecuteWorkflow(ctx, temporal.StartWorkflowOptions{ID: fmt.Sprint("bench-", f.runNumber), TaskQueue: harness.TaskQueue},
		preflight, map[string]any{"site": site, "cluster": fleetCluster, "skipProbes": true})
	if err != nil {
		return sample{}, err
	}
	if err := run.Get(ctx, nil); err != nil {
		return sample{}, errors.Join(err, errors.New(f.worker.Log()))
	}
	s, err := m.done()
	if err != nil {
		return s, err
	}
	memory, err := peakMemoryOf(f.worker.PID)
	if err != nil {
		return s, err
	}
	outputs, events, err := f.history(ctx, run)
	s.Peaks = map[string]float64{peakEvents: float64(events), peakMemory: memory}
	return s, errors.Join(err, f.complete(outputs, machines))
}

// history returns the collector's outputs that a run recorded, and how many
// events it has.
func (f *fleet) history(ctx context.Context, run temporal.WorkflowRun) (outputs []byte, events int, err error) {
	names := map[int64]string{}
	it := f.temporal.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for it.HasNext() {
		event, err := it.Next()
		if err != nil {
			return nil, 0, err
		}
		events++
		if scheduled := event.GetActivityTaskScheduledEventAttributes(); scheduled != nil {
			names[event.GetEventId()] = scheduled.GetActivityType().GetName()
		}
		done := event.GetActivityTaskCompletedEventAttributes()
		if done == nil || names[done.GetScheduledEventId()] != "CheckNodes" {
			continue
		}
		out, err := recordOf(done.GetResult())
		if err != nil {
			return nil, 0, err
		}
		outputs = append(outputs, out...)
	}
	return outputs, events, nil
}

// recordOf joins the outputs in the result of one batch of machines.
func recordOf(result *commonpb.Payloads) ([]byte, error) {
	var out []byte
	for _, payload := range result.GetPayloads() {
		var batch struct {
			Record []byte `json:"record"`
		}
		if err := json.Unmarshal(payload.GetData(), &batch); err != nil {
			return nil, err
		}
		record, err := checks.UnpackRecord(batch.Record)
		if err != nil {
			return nil, err
		}
		for _, n := range record.Nodes {
			if n.Fault != "" {
				return nil, fmt.Errorf("%s: %s", n.Node, n.Fault)
			}
			out = append(out, n.Output...)
		}
	}
	return out, nil
}
