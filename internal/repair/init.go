package repair

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/acpflow/acpflow/internal/job"
	"github.com/acpflow/acpflow/internal/ssh"
)

// initScript holds a lock of the node, so that an init.sh of an earlier,
// terminated run and ours never work side by side, and notes its end for adopt.
const initScript = `root=%s
exec 9>>"$root/var/lib/acpflow/init.lock" || exit 1
flock -n 9 || { echo "another init.sh runs on this node: wait for its end, or end it, then retry" >&2; exit 73; }
init=$(printf %%s %s | base64 -d) || exit 1
(exec 9>&-; eval "unset root init
$init") # what it leaves running must not hold the lock
r=$?
: >"$root/var/lib/acpflow/repair/"%s/ended
exit $r
`

// initJob names the job of a run, and the copy of /etc that goes with it.
func (n Node) initJob(run, script string) job.Spec {
	id := "init-" + run
	return job.Spec{ID: id, Dir: n.Root + job.DefaultDir, Sudo: true,
		Script: fmt.Sprintf(initScript, ssh.Quote(n.Root), base64.StdEncoding.EncodeToString([]byte(script)), ssh.Quote("snapshot-"+id))}
}

// Init runs a program's script as a job that outlives us, unless the ledger says
// that the fix id was done before, and puts every file below /etc that it changed
// into the ledger, so that Undo brings it back. last is the end of its output.
// When ctx ends the script goes on: call Init of the same run again, or EndInit.
// Errors: those of job.Run; fault.Conflict while another one runs on the node.
func (n Node) Init(ctx context.Context, run, id, script string, progress func(last string)) (last string, out Report, err error) {
	held, err := n.List(ctx)
	if err != nil {
		return "", out, err
	}
	for _, result := range held.Results {
		if result.Fix == id {
			return "run before", out, nil
		}
	}
	spec := n.initJob(run, script)
	// Booked as failed until it has succeeded: another try must run it.
	if _, err := n.perform(ctx, "copy /etc", fmt.Sprintf("snapshot %s %s %s\n", ssh.Quote(spec.ID), ssh.Quote(run), ssh.Quote(id+"-failed"))); err != nil {
		return "", out, err
	}
	result, err := job.Run(ctx, n.Client, spec, progress)
	if ctx.Err() != nil {
		return "", out, err // it may still run: EndInit or the next try books its changes
	}
	name := id
	if err != nil {
		name += "-failed"
	}
	out, noting := n.adopt(ctx, run, name)
	return result.Tail, out, errors.Join(err, noting)
}

// EndInit ends the script that Init of the run has started, if it runs, and puts
// what it has changed so far into the ledger. Without one it does nothing.
func (n Node) EndInit(ctx context.Context, run string) (Report, error) {
	if err := job.Cancel(ctx, n.Client, n.initJob(run, "")); err != nil {
		return Report{}, err
	}
	return n.adopt(ctx, run, "")
}

// adopt books what changed since the copy; id "" means the one it was made for.
func (n Node) adopt(ctx context.Context, run, id string) (Report, error) {
	return n.perform(ctx, "note what was changed", fmt.Sprintf("dir=$ledger/%s\n[ ! -d \"$dir\" ] || adopt \"$dir\" %s\n",
		ssh.Quote("snapshot-init-"+run), ssh.Quote(id)))
}
