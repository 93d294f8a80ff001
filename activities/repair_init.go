package activities

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/acpflow/acpflow/internal/corepkg"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/repair"
)

// initScript is the vendor's preprocessing inside the Core Package (PRE-02).
const initScript = "res/init.sh"

// maxInitScript is the most it may hold, in bytes.
const maxInitScript = 1 << 20

// RunInitScript takes init.sh out of the verified Core Package and runs it as
// root on every node, once per node and version of the script (PRE-02). What it
// changes below /etc goes into the ledger, so that UndoRepairs brings it back.
// It judges nothing: checks follow (PRE-03).
func (r *Repairs) RunInitScript(ctx context.Context, in RepairInput) (Evidence, error) {
	cluster, err := in.cluster()
	if err != nil {
		return Evidence{}, err
	}
	pkg := in.Site.Package
	script, err := corepkg.Entry(ctx, pkg.Path, initScript, pkg.Checksum, maxInitScript, func(done, total int64) {
		report(ctx, Progress{Text: "reading the package", Done: done, Total: total, Unit: "bytes"})
	})
	if err != nil {
		return Evidence{}, err
	}
	nodes := NodesOf(cluster)
	faults, lasts, changed, left := make([]error, len(nodes)), make([]string, len(nodes)), make([]int, len(nodes)), make([][]string, len(nodes))
	r.onAll(nodes, func(i int, node Node) {
		lasts[i], changed[i], left[i], faults[i] = r.runInit(ctx, in.Run, node, string(script))
	})
	evidence := Evidence{
		Summary: fmt.Sprintf("%s of %s run on %d nodes", initScript, path.Base(pkg.Path), len(nodes)),
		Command: digest(string(script)), Facts: map[string]string{},
	}
	var errs []error
	for i, n := range nodes {
		if faults[i] != nil {
			errs = append(errs, fmt.Errorf("%s: %w", n.Name, faults[i]))
			continue
		}
		evidence.Facts[n.Name] = strconv.Itoa(changed[i]) + " files below /etc changed; " + never(left[i]) + clip(lasts[i], 200)
	}
	if len(errs) > 0 {
		return evidence, fault.New(fault.ClassOf(errs[0]), "run "+initScript, "", "see its output on the node, mend what it names, then retry or skip", errors.Join(errs...))
	}
	return evidence, ctx.Err()
}

// never names what an undo does not bring back.
func never(left []string) string {
	if len(left) == 0 {
		return ""
	}
	return clip("changed, and never taken back: "+strings.Join(left, ", "), 500) + "; "
}

// runInit runs the script on one node as a job that outlives us.
func (r *Repairs) runInit(ctx context.Context, run string, node Node, script string) (last string, changed int, left []string, err error) {
	conn, err := r.Hosts.connect(ctx, node)
	if err != nil {
		return "", 0, nil, err
	}
	n := repair.Node{Client: conn}
	last, out, err := n.Init(ctx, run, "init-"+digest(script)[:16], script, func(last string) {
		report(ctx, Progress{Text: initScript + " on " + node.Name + ": " + last})
	})
	for _, result := range out.Results {
		if result.Status == repair.Done {
			changed++
		} else {
			left = append(left, result.What)
		}
	}
	return tail(last), changed, left, err
}
