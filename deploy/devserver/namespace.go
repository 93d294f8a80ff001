package main

import (
	"context"
	"fmt"
	"maps"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"
)

// searchAttributes are the columns by which people find runs.
func searchAttributes() map[string]enumspb.IndexedValueType {
	attributes := map[string]enumspb.IndexedValueType{}
	for _, name := range []string{
		"AcpSite", "AcpCluster", "AcpRunbook", "AcpChange", "AcpRequestedBy", "AcpStep", "AcpOutcome",
	} {
		attributes[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	return attributes
}

func retention(s settings) *durationpb.Duration { return durationpb.New(s.Retention) }

// ensureNamespace brings a namespace of an older file up to date and, on the
// way, proves that the frontend answers.
func ensureNamespace(ctx context.Context, s settings, address string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	c, err := client.DialContext(ctx, client.Options{HostPort: address, Namespace: s.Namespace})
	if err != nil {
		return fmt.Errorf("reach the Temporal frontend: %w", err)
	}
	defer c.Close()
	if err := ensureRetention(ctx, c, s); err != nil {
		return fmt.Errorf("namespace %s: set the retention: %w", s.Namespace, err)
	}
	if err := ensureSearchAttributes(ctx, c, s); err != nil {
		return fmt.Errorf("namespace %s: add the search attributes: %w", s.Namespace, err)
	}
	return nil
}

func ensureRetention(ctx context.Context, c client.Client, s settings) error {
	found, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: s.Namespace})
	if err != nil {
		return err
	}
	if found.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration() == s.Retention {
		return nil
	}
	_, err = c.WorkflowService().UpdateNamespace(ctx, &workflowservice.UpdateNamespaceRequest{
		Namespace: s.Namespace,
		Config:    &namespacepb.NamespaceConfig{WorkflowExecutionRetentionTtl: retention(s)},
	})
	return err
}

func ensureSearchAttributes(ctx context.Context, c client.Client, s settings) error {
	found, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: s.Namespace})
	if err != nil {
		return err
	}
	missing := searchAttributes()
	maps.DeleteFunc(missing, func(name string, _ enumspb.IndexedValueType) bool {
		_, exists := found.GetCustomAttributes()[name]
		return exists
	})
	if len(missing) == 0 {
		return nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: s.Namespace, SearchAttributes: missing,
	})
	return err
}
