package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/site"
)

// historyTimeout bounds the reading of one run's history.
const historyTimeout = time.Minute

// checked is what a run's history tells about a check of nodes.
type checked struct {
	snapshot site.Snapshot
	cluster  string // resolved: never empty
	record   checks.Record

	loaded bool             // the site was read
	named  string           // the cluster as the run was asked for
	types  map[int64]string // activity type by the event that scheduled it
}

// recordOf collects what a run read of its nodes, from history alone: no worker
// is needed. An empty run id means the latest run. It fails when the run read
// no node.
func recordOf(ctx context.Context, c client.Client, id, runID string) (checked, error) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	out, err := readHistory(c.GetWorkflowHistory(ctx, id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT))
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return checked{}, failf(exitBadInput, "there is no run %q. Fix: acpflow list shows the runs", id)
	}
	if err != nil {
		return checked{}, failf(exitCouldNot, "history of run %s: %w", id, err)
	}
	switch {
	case !out.loaded:
		return checked{}, failf(exitCouldNot, "run %s has read no site document. Fix: acpflow status %s tells why", id, id)
	case len(out.record.Nodes) == 0:
		return checked{}, failf(exitCouldNot, "run %s has read no node. Fix: acpflow status %s tells how far it came", id, id)
	}
	return out, nil
}

// readHistory goes through the events once; what was read later counts.
func readHistory(events client.HistoryEventIterator) (checked, error) {
	out := checked{types: map[int64]string{}}
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return checked{}, err
		}
		switch event.GetEventType() {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			err = out.scheduled(event)
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
			err = out.completed(event)
		}
		if err != nil {
			return checked{}, err
		}
	}
	if !out.loaded {
		return out, nil
	}
	c, ok := out.snapshot.Site.Cluster(out.named)
	if !ok {
		return checked{}, fmt.Errorf("site %s has no cluster %q", out.snapshot.Name, out.named)
	}
	out.cluster = c.Name
	return out, nil
}

func (h *checked) scheduled(event *historypb.HistoryEvent) error {
	a := event.GetActivityTaskScheduledEventAttributes()
	name := a.GetActivityType().GetName()
	h.types[event.GetEventId()] = name
	if name != "LoadSite" {
		return nil
	}
	var in activities.LoadSiteInput
	err := converter.GetDefaultDataConverter().FromPayloads(a.GetInput(), &in)
	h.named = in.Cluster
	return decoding(event, name, err)
}

// completed takes the results of the activities that read something: nodes come
// in records, packed; what lies between them comes as it was seen.
func (h *checked) completed(event *historypb.HistoryEvent) error {
	a := event.GetActivityTaskCompletedEventAttributes()
	name := h.types[a.GetScheduledEventId()]
	decode := func(to any) error {
		return decoding(event, name, converter.GetDefaultDataConverter().FromPayloads(a.GetResult(), to))
	}
	switch name {
	case "LoadSite":
		h.loaded = true
		h.snapshot = site.Snapshot{}
		return decode(&h.snapshot)
	case "CheckNodes", "CompareNodes", "PlanRepairs":
		var result struct {
			Record []byte `json:"record"`
		}
		if err := decode(&result); err != nil || len(result.Record) == 0 {
			return err
		}
		record, err := checks.UnpackRecord(result.Record)
		if err != nil {
			return decoding(event, name, err)
		}
		h.record.Merge(record)
	case "ProbeNodes":
		h.record.Mesh = new(checks.Mesh)
		return decode(h.record.Mesh)
	case "ProbeBalancer":
		h.record.Balancer = new(checks.BalancerView)
		return decode(h.record.Balancer)
	case "ViewPackage":
		h.record.Package = new(checks.PackageView)
		return decode(h.record.Package)
	case "InspectPackage":
		var result activities.InspectResult
		err := decode(&result)
		h.record.Package = &result.View
		return err
	}
	return nil
}

func decoding(event *historypb.HistoryEvent, activity string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("event %d, %s: %w. Fix: read it with the version of acpflow that the worker has", event.GetEventId(), activity, err)
}
