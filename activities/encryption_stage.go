package activities

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/encryption"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/ssh"
)

// StageInput names one control plane and the file that it shall have.
type StageInput struct {
	PairInput
	Cluster string          `json:"cluster"` // side of the node
	Node    string          `json:"node"`
	Kind    encryption.Kind `json:"kind,omitempty"` // stage; "" = the file from before the merge
}

// How long a restarted API server may need to be ready, and how long to wait for
// what it may never be able to read.
const (
	serverReady = 5 * time.Minute
	serverSync  = 40 * time.Second
)

// InstallKeys gives one control plane a stage's file, restarts its API server and
// waits until that is ready and began after the change (FAQ-03, FAQ-04). A node
// that is further already keeps its file. Nothing is touched unless every other
// API server of the side is ready.
func (a *Encryption) InstallKeys(ctx context.Context, in StageInput) (Evidence, error) {
	m, side, node, err := a.stageOf(ctx, in)
	if err != nil {
		return Evidence{}, err
	}
	stage := side.index(in.Kind)
	if stage == 0 {
		return Evidence{Summary: "not needed: " + string(in.Kind), Host: in.Node}, nil
	}
	for _, n := range side.nodes {
		if n.original.Empty() {
			return Evidence{}, fault.New(fault.Gate, "install the merged keys", n.node.Name, "back the files up first", errors.New("there is no "+keyBackup))
		}
		// a key must be readable on all nodes before one writes with it
		if n.stage < stage-1 {
			return Evidence{}, fault.New(fault.Gate, "install the merged keys", n.node.Name, "give every node the stage before first", fmt.Errorf("it is at stage %d, wanted is %d", n.stage, stage-1))
		}
	}
	if side == &m.standby && m.primary.lowest() < 1 {
		return Evidence{}, fault.New(fault.Gate, "install the merged keys", in.Primary, "give every node of the primary the merged file first", errors.New("the primary does not have it yet"))
	}
	return a.settleNode(ctx, side, node, side.files[max(stage, node.stage)], false)
}

// RestoreKeys puts back what one control plane had before the merge, with the
// same care. Once a node may have written with a key that the old files lack, every
// node keeps what it has: it is whole, and the next run goes on from there.
func (a *Encryption) RestoreKeys(ctx context.Context, in StageInput) (Evidence, error) {
	m, side, node, err := a.stageOf(ctx, in)
	if err != nil {
		return Evidence{}, err
	}
	if ok, why := m.returns(); !ok {
		return Evidence{Summary: in.Node + " keeps its file: " + why, Host: in.Node}, nil
	}
	return a.settleNode(ctx, side, node, side.original, true)
}

// stageOf finds the node of an input in the merge as it stands.
func (a *Encryption) stageOf(ctx context.Context, in StageInput) (*merging, *mergeSide, *mergeNode, error) {
	m, err := a.merging(ctx, in.PairInput)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, side := range []*mergeSide{&m.primary, &m.standby} {
		for i := range side.nodes {
			if side.scope.Cluster == in.Cluster && side.nodes[i].node.Name == in.Node {
				return m, side, &side.nodes[i], nil
			}
		}
	}
	return nil, nil, nil, fault.New(fault.BadInput, "find control plane "+in.Node, "cluster "+in.Cluster, "", nil)
}

// lowest is how far the whole side is.
func (s *mergeSide) lowest() int {
	out := len(s.files)
	for _, n := range s.nodes {
		out = min(out, n.stage)
	}
	return out
}

// settleNode makes a node's file the wanted one and its API server one that has
// read it. An old file need not read what the primary wrote: it did not before.
func (a *Encryption) settleNode(ctx context.Context, side *mergeSide, node *mergeNode, file secret.Value, old bool) (Evidence, error) {
	if err := a.othersReady(ctx, side, node.node.Name); err != nil {
		return Evidence{}, err
	}
	conn, err := a.Hosts.connect(ctx, node.node)
	if err != nil {
		return Evidence{}, err
	}
	script := changeScript(file, node.current, old)
	out, err := conn.Run(ctx, ssh.Command{Op: "change the encryption configuration", Script: script, Stdin: bytes.NewReader(file.Reveal()), Sudo: true})
	if err != nil {
		return Evidence{}, err
	}
	if err := a.awaitServer(ctx, node.node, old); err != nil {
		return Evidence{}, err
	}
	return Evidence{Summary: fmt.Sprintf("%s: file %.12s, %s, the API server is ready", node.node.Name, encryption.Hash(file), strings.Join(strings.Fields(out.Stdout), " ")),
		Host: node.node.Name, Command: digest(script), Facts: map[string]string{"sha256": encryption.Hash(file)}}, nil
}

// serverAge tells "fresh" when every kube-apiserver of the node began after the
// file got its name, "stale" when one is older, "none" when there is none. The
// margin is for clocks that count whole seconds.
const serverAge = `
age() {
  local changed boot hz p name line began out=none
  changed=$(stat -c %Z "$f"); hz=$(getconf CLK_TCK)
  boot=$(while read -r k v _; do [ "$k" != btime ] || echo "$v"; done </proc/stat)
  for p in /proc/[0-9]*; do
    { read -r name <"$p/comm"; } 2>/dev/null && [ "$name" = kube-apiserver ] || continue
    { line=$(<"$p/stat"); } 2>/dev/null || continue
    set -- ${line##*) }
    [ "$1" != Z ] || continue
    began=$((boot + ${20} / hz))
    if [ "$began" -lt $((changed + 2)) ]; then echo stale; return; fi
    out=fresh
  done
  echo "$out"
}
`

// changeScript is changeKeys for a node that has the seen file, or the wanted one.
func changeScript(want, seen secret.Value, old bool) string {
	return holdKeys + fmt.Sprintf("want=%s; seen=%s; old=%t\n", encryption.Hash(want), encryption.Hash(seen), old) + changeKeys
}

// changeKeys puts the file in place and, where the API server is older than it,
// restarts it the document's way (FAQ-03): remove its container, restart kubelet.
// A worker that died in between leaves a file without a server; then kubelet alone
// is restarted. An old file is put back also where no server runs: the new file may
// be why.
const changeKeys = serverAge + `
PATH=$PATH:/usr/local/bin
have=$(hash "$f")
[ "$have" = "$want" ] || [ "$have" = "$seen" ] || fail "somebody changed $f at this moment"
if [ "$have" = "$want" ]; then rm -f "$tmp"
else
  $old || [ "$(age)" != none ] || fail "no kube-apiserver runs on $(hostname)"
  put "$want" || fail "the file could not be put in place"
  echo "file changed,"
fi
state=$(age)
if [ "$state" = fresh ]; then echo "the API server has read it"; exit 0; fi
while [ "$(date +%s)" -lt $(($(stat -c %Z "$f") + 4)) ]; do sleep 0.3; done
ids=$(crictl ps --name kube-apiserver --no-trunc --quiet) || fail "crictl can't list the containers"
[ -z "$ids" ] || crictl rm --force $ids >/dev/null || fail "crictl can't remove the API server's container"
systemctl restart kubelet.service || fail "kubelet does not restart"
echo "the API server is restarted"
`

// awaitServer waits until a node's API server is one that has read the file, and
// ready. With an old file it is enough, after a while, that it serves.
func (a *Encryption) awaitServer(ctx context.Context, node Node, old bool) error {
	var last error
	question := (*kube.Client).Ready
	for start := time.Now(); ; {
		if old && time.Since(start) > serverSync {
			question = (*kube.Client).Serving
		}
		last = a.freshAnd(ctx, node, question)
		if last == nil || ctx.Err() != nil {
			return last
		}
		if time.Since(start) > serverReady {
			return fault.New(fault.Stalled, "wait for the API server", node.Name, "look at its log (crictl logs) and at kubelet's, mend it, then retry", last)
		}
		report(ctx, Progress{Text: node.Name + ": waiting for the API server: " + clip(message(last), 200)})
		if err := pause(ctx, settlePoll); err != nil {
			return err
		}
	}
}

func (a *Encryption) freshAnd(ctx context.Context, node Node, question func(*kube.Client, context.Context) error) error {
	conn, err := a.Hosts.connect(ctx, node)
	if err != nil {
		return err
	}
	out, err := conn.Run(ctx, ssh.Command{Op: "look at the API server", Script: "f=" + encryption.Path + serverAge + "age\n", Sudo: true})
	if err != nil {
		return err
	}
	if state := strings.TrimSpace(out.Stdout); state != "fresh" {
		return fmt.Errorf("the API server is %s", state)
	}
	return a.ask(ctx, node, question)
}
