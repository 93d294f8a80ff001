package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// nodesPerActivity bounds one activity's fan-out: at 50 nodes a batch takes
// seconds and its result stays far below the payload limit.
const nodesPerActivity = 50

// batchesAtOnce bounds the connections that one worker holds open for a check.
const batchesAtOnce = 4

// rollCalls is how often unreachable nodes are tried before a person is asked.
const rollCalls = 3

// maxGateText bounds what a gate shows of many nodes' troubles, in bytes; the
// findings themselves are in the step's evidence.
const maxGateText = 16 << 10

// batchCall starts an activity on some nodes of a cluster.
type batchCall func(ctx workflow.Context, nodes []activities.Node) workflow.Future

// everyNode runs a batch activity over all nodes and tries those that could not
// be reached again. The reports are in the document's order, each node's last.
func everyNode(ctx workflow.Context, c *site.Cluster, verb string, start batchCall) ([]activities.NodeReport, error) {
	todo := activities.NodesOf(c)
	last := map[string]activities.NodeReport{}
	for call := 1; ; call++ {
		if err := oneCall(ctx, todo, verb, start, last); err != nil {
			return nil, err
		}
		todo = retryable(todo, last)
		if len(todo) == 0 || call == rollCalls {
			return inOrder(c, last), nil
		}
		if err := workflow.Sleep(ctx, 3*time.Second); err != nil {
			return nil, err
		}
	}
}

// oneCall runs the batches, some side by side, and files their reports.
func oneCall(ctx workflow.Context, todo []activities.Node, verb string, start batchCall, last map[string]activities.NodeReport) error {
	var running []workflow.Future
	file := func() error {
		var result activities.NodeReports
		err := running[0].Get(ctx, &result)
		for _, report := range result.Nodes {
			last[report.Node] = report
		}
		running = running[1:]
		return err
	}
	for batch := range slices.Chunk(todo, nodesPerActivity) {
		if len(running) == batchesAtOnce {
			if err := file(); err != nil {
				return err
			}
		}
		running = append(running, start(nodeRead(ctx, verb+" "+several(names(batch))), batch))
	}
	for len(running) > 0 {
		if err := file(); err != nil {
			return err
		}
	}
	return nil
}

// retryable picks the nodes whose fault may pass by itself.
func retryable(nodes []activities.Node, last map[string]activities.NodeReport) []activities.Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n activities.Node) bool {
		f := last[n.Name].Fault
		return f == nil || f.Class.Permanent()
	})
}

func inOrder(c *site.Cluster, last map[string]activities.NodeReport) []activities.NodeReport {
	out := make([]activities.NodeReport, len(c.Nodes))
	for i, n := range c.Nodes {
		out[i] = last[n.Name]
	}
	return out
}

// nodeFaults is the error that names every node that failed: one dead node
// hides nothing about the others.
func nodeFaults(reports []activities.NodeReport) error {
	var errs []error
	var class fault.Class
	for _, r := range reports {
		if r.Fault == nil {
			continue
		}
		if class == "" {
			class = r.Fault.Class
		}
		errs = append(errs, fmt.Errorf("%s: %s", r.Node, r.Fault.Message))
	}
	if len(errs) == 0 {
		return nil
	}
	return temporal.NewNonRetryableApplicationError(clip(errors.Join(errs...).Error(), maxGateText), string(class), nil)
}

func names(nodes []activities.Node) []string {
	out := make([]string, len(nodes))
	for i, n := range nodes {
		out[i] = n.Name
	}
	return out
}

// several lists the first few of many.
func several(list []string) string {
	const most = 5
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
