package activities

import (
	"context"
	"encoding/json"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/acpflow/acpflow/internal/fault"
)

// LeaseMemo is the memo key under which a site lease names its holder.
const LeaseMemo = "holder"

// LeaseHolder says which run may change a site.
type LeaseHolder struct {
	Site        string `json:"site"`
	Runbook     string `json:"runbook"`
	Cluster     string `json:"cluster"`
	Change      string `json:"change,omitempty"`
	RequestedBy string `json:"requestedBy,omitempty"`
	WorkflowID  string `json:"workflowId"`
	RunID       string `json:"runId"`
	Since       string `json:"since"` // RFC 3339
}

// Records reads and writes what Temporal itself keeps about runs.
type Records struct{ Temporal client.Client }

// RecordPlanInput carries the plan into history before anything is done.
type RecordPlanInput struct {
	Plan   json.RawMessage `json:"plan"`
	Digest string          `json:"digest"` // SHA-256 of the plan
}

// RecordPlan does nothing else: its input in history is the record.
func (r *Records) RecordPlan(_ context.Context, in RecordPlanInput) (Evidence, error) {
	return Evidence{Summary: "plan recorded", Facts: map[string]string{"planDigest": in.Digest}}, nil
}

// DescribeLeaseInput names the lease workflow.
type DescribeLeaseInput struct {
	WorkflowID string `json:"workflowId"`
}

// DescribeLease returns who holds a site; a lease that has just ended gives an
// empty holder.
func (r *Records) DescribeLease(ctx context.Context, in DescribeLeaseInput) (LeaseHolder, error) {
	var holder LeaseHolder
	desc, err := r.Temporal.DescribeWorkflowExecution(ctx, in.WorkflowID, "")
	if err != nil {
		return holder, fault.New(fault.Unreachable, "describe site lease", in.WorkflowID, "", err)
	}
	payload, ok := desc.GetWorkflowExecutionInfo().GetMemo().GetFields()[LeaseMemo]
	if !ok {
		return holder, nil
	}
	if err := converter.GetDefaultDataConverter().FromPayload(payload, &holder); err != nil {
		return holder, fault.New(fault.Protocol, "read holder of site lease", in.WorkflowID, "", err)
	}
	return holder, nil
}
