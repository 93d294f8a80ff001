package activities

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/repair"
	"github.com/acpflow/acpflow/internal/ssh"
)

// UndoRepairs takes repairs back on all nodes, the last one first: those of one
// run, whose init.sh it ends first, or all that the nodes' ledgers hold. What somebody else has changed since
// stays, and makes it fail with fault.Conflict after the rest is done.
func (r *Repairs) UndoRepairs(ctx context.Context, in RepairInput) (Evidence, error) {
	if in.Run == "" { // a run takes back only what it has done itself, before the platform is there
		if err := r.refusePlatform(ctx, in.Scope); err != nil {
			return Evidence{}, err
		}
	}
	return r.undo(ctx, in.Scope, "take repairs back", repair.Filter{Run: in.Run})
}

// RestoreTemporary takes back what was to hold only until the nodes are Ready
// (CHK-09), whichever run did it.
func (r *Repairs) RestoreTemporary(ctx context.Context, in RepairInput) (Evidence, error) {
	return r.undo(ctx, in.Scope, "restore temporary settings", repair.Filter{Temporary: true})
}

func (r *Repairs) undo(ctx context.Context, scope Scope, what string, filter repair.Filter) (Evidence, error) {
	report, err := r.eachNode(ctx, scope, func(ctx context.Context, n repair.Node) (repair.Report, error) {
		var ended repair.Report
		if filter.Run != "" {
			var err error
			if ended, err = n.EndInit(ctx, filter.Run); err != nil {
				return ended, err
			}
		}
		out, err := n.Undo(ctx, filter)
		out.Results = append(ended.Results, out.Results...)
		return out, err
	})
	if err != nil {
		return Evidence{}, err
	}
	undone := report.count(repair.Undone)
	evidence := Evidence{
		Summary: fmt.Sprintf("%s: %d changes on %d nodes", what, undone, len(report.Nodes)),
		Facts:   map[string]string{"undone": strconv.Itoa(undone)},
	}
	if stays := report.left(); len(stays) > 0 {
		evidence.Summary += "; " + clip(never(stays), 1000) + "look at it"
	}
	if due := report.Due(); len(due) > 0 {
		evidence.Summary += "; a reboot is due on " + strings.Join(due, ", ")
	}
	return evidence, report.Trouble(what)
}

// ListRepairs tells what of the nodes' ledgers can be taken back.
func (r *Repairs) ListRepairs(ctx context.Context, in RepairInput) (RepairReport, error) {
	return r.eachNode(ctx, in.Scope, func(ctx context.Context, n repair.Node) (repair.Report, error) { return n.List(ctx) })
}

// eachNode does the same on all nodes of the cluster.
func (r *Repairs) eachNode(ctx context.Context, scope Scope, do func(context.Context, repair.Node) (repair.Report, error)) (RepairReport, error) {
	cluster, err := scope.cluster()
	if err != nil {
		return RepairReport{}, err
	}
	nodes := NodesOf(cluster)
	out := RepairReport{Nodes: make([]NodeRepair, len(nodes))}
	r.onAll(nodes, func(i int, node Node) {
		var report repair.Report
		conn, err := r.Hosts.connect(ctx, node)
		if err == nil {
			report, err = do(ctx, repair.Node{Client: conn})
		}
		out.Nodes[i] = reportOf(node)(report, err)
	})
	return out, ctx.Err()
}

func (r RepairReport) count(status repair.Status) int {
	n := 0
	for _, node := range r.Nodes {
		for _, result := range node.Results {
			if result.Status == status {
				n++
			}
		}
	}
	return n
}

// left names what has changed and stays so.
func (r RepairReport) left() []string {
	var out []string
	for _, node := range r.Nodes {
		for _, result := range node.Results {
			if result.Status == repair.Left {
				out = append(out, node.Node+" "+result.What)
			}
		}
	}
	return out
}

// Done counts the changes that were made.
func (r RepairReport) Done() int { return r.count(repair.Done) }

// Due names the nodes on which something counts only after a reboot.
func (r RepairReport) Due() []string {
	var out []string
	for _, n := range r.Nodes {
		if n.Due {
			out = append(out, n.Node)
		}
	}
	return out
}

// Trouble is the error that names all nodes and changes that went wrong.
func (r RepairReport) Trouble(what string) error {
	var errs []error
	class := fault.Conflict
	for _, n := range r.Nodes {
		if n.Fault != nil {
			class = n.Fault.Class
			errs = append(errs, fmt.Errorf("%s: %s", n.Node, n.Fault.Message))
		}
		for _, result := range n.Results {
			if result.Status == repair.Refused || result.Status == repair.Failed {
				errs = append(errs, fmt.Errorf("%s: %s: %s %s: %s", n.Node, result.Fix, result.What, result.Status, result.Message))
			}
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return fault.New(class, what, "", "look at what is named, then retry", errors.Join(errs...))
}

// RebootInput names a node and the boot that shall end.
type RebootInput struct {
	Node Node   `json:"node"`
	Boot string `json:"boot"` // id, from the report of the repair
}

// rebootScript lets the session end before the node goes down.
const rebootScript = `[ "$(cat /proc/sys/kernel/random/boot_id)" = %s ] || exit 0
setsid bash -c 'sleep 1; systemctl reboot || reboot' </dev/null >/dev/null 2>&1 &
`

// rebootPoll is how often a rebooting node is tried.
const rebootPoll = 2 * time.Second

// RebootNode reboots the node once and waits until it answers over SSH again. A
// node that has booted since is left alone, so it may be repeated.
func (r *Repairs) RebootNode(ctx context.Context, in RebootInput) (Evidence, error) {
	if err := refuseOwnMachine(in, bootFile); err != nil {
		return Evidence{}, err
	}
	conn, err := r.Hosts.connect(ctx, in.Node)
	if err != nil {
		return Evidence{}, err
	}
	script := fmt.Sprintf(rebootScript, shellQuote(in.Boot))
	if _, err := conn.Run(ctx, ssh.Command{Op: "reboot", Script: script, Sudo: true}); err != nil {
		return Evidence{}, err
	}
	began := time.Now()
	for {
		boot, err := bootOf(ctx, in.Node)
		if err == nil && boot != in.Boot {
			return Evidence{Summary: "rebooted, and reached again over SSH", Host: in.Node.Name,
				Facts: map[string]string{"seconds": seconds(time.Since(began)), "boot": boot}}, nil
		}
		text := "still going down"
		if err != nil {
			text = message(err)
		}
		report(ctx, Progress{Text: "waiting for " + in.Node.Name + ": " + text})
		if err := pause(ctx, rebootPoll); err != nil {
			return Evidence{}, err
		}
	}
}

// bootOf asks a node over a new connection which boot it runs.
func bootOf(ctx context.Context, node Node) (string, error) {
	conn, err := fresh(ctx, node)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }() // what it was for is done
	out, err := conn.Run(ctx, ssh.Command{Op: "read the boot id", Script: "cat /proc/sys/kernel/random/boot_id", Sudo: true})
	return strings.TrimSpace(out.Stdout), err
}
