package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/acpflow/acpflow/internal/encryption"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/ssh"
)

// keyBackup is the file as it was before a merge began, beside it. It stays until
// the merge is finished, also over runs, so that every run plans from the same
// two files however far an earlier one came.
const keyBackup = encryption.Path + ".acpflow.bak"

// mergeNode is one control plane in a merge.
type mergeNode struct {
	node     Node
	current  secret.Value
	original secret.Value // its backup; empty when there is none
	stage    int          // the last of the side's files that current is; 0 = the original
}

// mergeSide is one cluster in a merge.
type mergeSide struct {
	scope    Scope
	nodes    []mergeNode
	original secret.Value
	files    []secret.Value // original, then one for every stage
	kinds    []encryption.Kind
}

// merging is a merge as it stands: what was planned, and how far each node is.
type merging struct {
	plan             encryption.Merge
	primary, standby mergeSide
}

// merging reads all key files of both sides and plans from the originals. Nodes
// of one side that differ for another reason than a merge are fault.Gate.
func (a *Encryption) merging(ctx context.Context, in PairInput) (*merging, error) {
	m := &merging{primary: mergeSide{scope: in.primary()}, standby: mergeSide{scope: in.standby()}}
	for _, side := range []*mergeSide{&m.primary, &m.standby} {
		if err := a.readSide(ctx, side); err != nil {
			return nil, err
		}
	}
	if err := m.resume(); err != nil {
		return nil, err
	}
	return m, nil
}

// resume plans from what was read.
func (m *merging) resume() error {
	if m.ending() {
		m.forget()
	}
	var configs []encryption.Config
	for _, side := range []*mergeSide{&m.primary, &m.standby} {
		if err := side.begin(); err != nil {
			return err
		}
		config, err := encryption.Parse(side.original, side.scope.Cluster+":"+encryption.Path)
		if err != nil {
			return err
		}
		configs = append(configs, config)
	}
	var err error
	if m.plan, err = encryption.Plan(configs[0], configs[1]); err != nil {
		return err
	}
	stages := append([]encryption.Stage{{Kind: encryption.PrimaryReadable, Config: m.plan.Merged}}, m.plan.Standby...)
	for i, s := range stages {
		file, err := s.Config.Marshal()
		if err != nil {
			return fault.New(fault.Internal, "write the encryption configuration", "", "", errors.New("the merged file can't be written as YAML"))
		}
		side := &m.standby
		if i == 0 {
			side = &m.primary
		}
		side.files, side.kinds = append(side.files, file), append(side.kinds, s.Kind)
	}
	return joined(m.primary.place(), m.standby.place())
}

// readSide reads every control plane of a side.
func (a *Encryption) readSide(ctx context.Context, side *mergeSide) error {
	nodes, err := side.scope.controlPlanes()
	if err != nil {
		return err
	}
	side.nodes = make([]mergeNode, len(nodes))
	return onEach(ctx, nodes, func(ctx context.Context, i int) error {
		var err error
		side.nodes[i], err = a.readNode(ctx, nodes[i])
		return err
	})
}

// ending reports whether a merge was cut off while it finished: every node has the
// same file, and some backups are history already. Before that every node of a
// merge has its backup.
func (m *merging) ending() bool {
	with, without := 0, 0
	for _, n := range slices.Concat(m.primary.nodes, m.standby.nodes) {
		if !equal(n.current, m.primary.nodes[0].current) {
			return false
		}
		if n.original.Empty() {
			without++
		} else {
			with++
		}
	}
	return with > 0 && without > 0
}

// forget takes the backups that are left for what they are, history: FinishMerge
// has only to give them their last name.
func (m *merging) forget() {
	for _, side := range []*mergeSide{&m.primary, &m.standby} {
		for i := range side.nodes {
			side.nodes[i].original = secret.Value{}
		}
	}
}

// begin finds what a side had at first.
func (s *mergeSide) begin() error {
	s.original = s.nodes[0].current
	for _, n := range s.nodes {
		if !n.original.Empty() {
			s.original = n.original
		}
	}
	var wrong []error
	for _, n := range s.nodes {
		first := n.original
		if first.Empty() {
			first = n.current // a merge changes nothing before every node has its backup
		}
		if !equal(first, s.original) {
			wrong = append(wrong, fmt.Errorf("%s has %.12s", n.node.Name, encryption.Hash(first)))
		}
	}
	s.files = []secret.Value{s.original}
	if len(wrong) == 0 {
		return nil
	}
	return fault.New(fault.Gate, "read the key files of "+s.scope.Cluster, encryption.Path,
		"make the files of this side alike first; never with an older one after a merge, because Secrets are written with a key that it lacks", fmt.Errorf("the side has %.12s, but %w", encryption.Hash(s.original), errors.Join(wrong...)))
}

// place finds how far each node is.
func (s *mergeSide) place() error {
	var wrong []error
	for i := range s.nodes {
		n := &s.nodes[i]
		n.stage = -1
		for k, f := range s.files {
			if equal(n.current, f) {
				n.stage = k
			}
		}
		if n.stage < 0 {
			wrong = append(wrong, fmt.Errorf("%s has %.12s", n.node.Name, encryption.Hash(n.current)))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return fault.New(fault.Gate, "see how far the merge is", encryption.Path,
		"somebody changed the file after a merge had begun: put back "+keyBackup+", or remove that if the file is right, on every node of the side", errors.Join(wrong...))
}

func equal(a, b secret.Value) bool { return string(a.Reveal()) == string(b.Reveal()) }

// index is the number of a stage among the side's files, 0 when it has none of that kind.
func (s *mergeSide) index(kind encryption.Kind) int { return slices.Index(s.kinds, kind) + 1 }

// returns reports whether the originals may be put back: not once any node may
// have written with a key that they lack.
func (m *merging) returns() (bool, string) {
	for i, s := range m.plan.Standby {
		if !s.Writes {
			continue
		}
		for _, n := range m.standby.nodes {
			if n.stage > i {
				return false, n.node.Name + " may have written with a key that the old file lacks"
			}
		}
		break
	}
	return true, ""
}

const readMerge = `set -u
f=` + encryption.Path + `; b=` + keyBackup + `
fail() { echo "$*" >&2; exit 1; }
for x in "$f" "$b"; do
  ! [ -L "$x" ] && { ! [ -e "$x" ] || [ -f "$x" ]; } || fail "$x is no plain file"
done
[ -f "$f" ] || fail "$f is not there"
t=-; ! [ -f "$b" ] || t=$(stat -c %s "$b")
echo "$(stat -c %s "$f") $t" && cat "$f" && { [ "$t" = - ] || cat "$b"; }
`

// readNode reads a node's file and its backup.
func (a *Encryption) readNode(ctx context.Context, node Node) (mergeNode, error) {
	out := mergeNode{node: node}
	conn, err := a.Hosts.connect(ctx, node)
	if err != nil {
		return out, err
	}
	answer, err := conn.Run(ctx, ssh.Command{Op: "read the encryption configuration", Script: readMerge, Sudo: true})
	if err != nil {
		return out, err
	}
	head, body, _ := strings.Cut(answer.Stdout, "\n")
	first, second, _ := strings.Cut(head, " ")
	size, err := strconv.Atoi(first)
	if err != nil || size > len(body) || second != "-" && second != strconv.Itoa(len(body)-size) {
		return out, fault.New(fault.Protocol, "read the encryption configuration", node.Name+":"+encryption.Path, "", errors.New("the answer is not understood"))
	}
	out.current = secret.NewValue([]byte(body[:size]))
	if second != "-" {
		out.original = secret.NewValue([]byte(body[size:]))
	}
	return out, nil
}
