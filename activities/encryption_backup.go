package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/internal/encryption"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
)

// MergeInput names a pair and the run that merges its keys.
type MergeInput struct {
	PairInput
	Run string `json:"run"`
}

// onSides runs a script that holds the lock on every control plane of both sides
// and returns what each said.
func (a *Encryption) onSides(ctx context.Context, m *merging, op, script string) (string, error) {
	var nodes []Node
	for _, n := range slices.Concat(m.primary.nodes, m.standby.nodes) {
		nodes = append(nodes, n.node)
	}
	said := make([]string, len(nodes))
	err := onEach(ctx, nodes, func(ctx context.Context, i int) error {
		conn, err := a.Hosts.connect(ctx, nodes[i])
		if err != nil {
			return err
		}
		out, err := conn.Run(ctx, ssh.Command{Op: op, Script: holdKeys + "b=" + keyBackup + "\n" + script, Sudo: true})
		said[i] = nodes[i].Name + ": " + strings.TrimSpace(out.Stdout)
		return err
	})
	return joinLines(said), err
}

// BackUpKeys keeps every control plane's file beside it, root:root 0600, before
// anything is changed (FAQ-05). What an unfinished merge has kept stays: that is
// what was there at first.
func (a *Encryption) BackUpKeys(ctx context.Context, in MergeInput) (Evidence, error) {
	m, err := a.merging(ctx, in.PairInput)
	if err != nil {
		return Evidence{}, err
	}
	said, err := a.onSides(ctx, m, "back the encryption configuration up", `
if [ -e "$b" ]; then echo "kept before"; exit 0; fi
install -o root -g root -m 600 "$f" "$b.new" && sync "$b.new" && mv -fT "$b.new" "$b" && sync "${f%/*}" && echo kept
`)
	if err != nil {
		return Evidence{}, err
	}
	return Evidence{Summary: fmt.Sprintf("%d files are kept as %s", len(m.primary.nodes)+len(m.standby.nodes), keyBackup), Tail: said}, nil
}

// DropBackups is the undo of BackUpKeys: it removes a backup whose file is as it
// was, and keeps every other.
func (a *Encryption) DropBackups(ctx context.Context, in MergeInput) (Evidence, error) {
	m, err := a.merging(ctx, in.PairInput)
	if err != nil {
		return Evidence{}, err
	}
	for _, n := range slices.Concat(m.primary.nodes, m.standby.nodes) {
		if n.stage > 0 {
			return Evidence{Summary: "the backups are kept: " + n.node.Name + " has a merged file"}, nil
		}
	}
	said, err := a.onSides(ctx, m, "remove the backup", `
rm -f "$b.new"
if ! [ -e "$b" ]; then echo "there is none"; exit 0; fi
if ! cmp -s "$f" "$b"; then echo "the file is changed, kept"; exit 0; fi
rm -f "$b" && echo removed
`)
	return Evidence{Summary: "backups of unchanged files are gone", Tail: said}, err
}

// FinishMerge ends a merge: every node of both sides has the merged file, so the
// backups become history, named after the run. They hold keys and stay root:root
// 0600.
func (a *Encryption) FinishMerge(ctx context.Context, in MergeInput) (Evidence, error) {
	evidence, err := a.CompareKeys(ctx, in.PairInput)
	if err != nil {
		return Evidence{}, err
	}
	nodes, err := in.bothSides()
	if err != nil {
		return Evidence{}, err
	}
	kept := encryption.Path + "." + in.Run + ".bak"
	err = onEach(ctx, nodes, func(ctx context.Context, i int) error {
		conn, err := a.Hosts.connect(ctx, nodes[i])
		if err != nil {
			return err
		}
		script := holdKeys + "b=" + keyBackup + "; k=" + ssh.Quote(kept) + "\n" + `if [ -e "$b" ]; then mv -nT "$b" "$k" && ! [ -e "$b" ] || fail "$k is there already"; fi` + "\n"
		_, err = conn.Run(ctx, ssh.Command{Op: "keep the backup", Script: script, Sudo: true})
		return err
	})
	evidence.Facts["backups"] = kept
	return evidence, err
}

// bothSides are the control planes of the primary, then of the standby.
func (in PairInput) bothSides() ([]Node, error) {
	primary, standby := in.primary(), in.standby()
	first, err := primary.controlPlanes()
	if err != nil {
		return nil, err
	}
	second, err := standby.controlPlanes()
	return append(first, second...), err
}

// ProveSecrets demands that every API server of both sides lists the Secrets of
// all namespaces, and that etcd holds none which the file of both sides lacks
// the key for.
func (a *Encryption) ProveSecrets(ctx context.Context, in PairInput) (Evidence, error) {
	nodes, err := in.bothSides()
	if err != nil {
		return Evidence{}, err
	}
	counts := make([]string, len(nodes))
	err = onEach(ctx, nodes, func(ctx context.Context, i int) error {
		client, err := (&Cluster{Hosts: a.Hosts}).openThrough(ctx, nodes[i])
		if err != nil {
			return err
		}
		defer client.Close()
		read, failed, err := client.ReadableSecrets(ctx)
		if err == nil && len(failed) > 0 {
			err = fault.New(fault.Gate, "list Secrets", nodes[i].Name, "look at which key they were written with", fmt.Errorf("%s", strings.Join(failed, "; ")))
		}
		counts[i] = fmt.Sprintf("%s: %d Secrets", nodes[i].Name, read)
		return err
	})
	if err != nil {
		return Evidence{}, err
	}
	var lost []string
	total := 0
	for _, scope := range []Scope{in.primary(), in.standby()} {
		n, err := a.unreadable(ctx, scope, &lost)
		if err != nil {
			return Evidence{}, err
		}
		total += n
	}
	if len(lost) > 0 {
		return Evidence{}, fault.New(fault.Gate, "find the key of every Secret", "etcd", "look at which key they were written with",
			fmt.Errorf("%d have none: %s", len(lost), strings.Join(lost[:min(len(lost), maxNamed)], ", ")))
	}
	return Evidence{Summary: fmt.Sprintf("%d API servers read every Secret; etcd holds %d, all under keys of the file", len(nodes), total), Tail: joinLines(counts)}, nil
}

// unreadable counts a side's Secrets in etcd and names those that its file does
// not read.
func (a *Encryption) unreadable(ctx context.Context, scope Scope, lost *[]string) (int, error) {
	nodes, err := scope.controlPlanes()
	if err != nil {
		return 0, err
	}
	_, file, err := a.read(ctx, nodes[0])
	if err != nil {
		return 0, err
	}
	config, err := encryption.Parse(file, nodes[0].Name+":"+encryption.Path)
	if err != nil {
		return 0, err
	}
	return a.stored(ctx, scope, func(key string, value []byte) {
		if !config.Reads(value) {
			*lost = append(*lost, scope.Cluster+" "+key)
		}
	})
}
