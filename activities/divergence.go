package activities

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/safecopy"
	"github.com/acpflow/acpflow/internal/ssh"
)

// DivergenceInput names the new side as Primary and the old one, which is about to
// be overwritten, as Standby.
type DivergenceInput struct {
	PairInput
	Run   string `json:"run"`             // the same run twice = one capture
	Since int64  `json:"since,omitempty"` // OldAt of an earlier capture
}

// Divergence is what the old side holds that the new one does not hold alike, and
// where it is kept.
type Divergence struct {
	Evidence
	OnlyOld   int      `json:"onlyOld"`           // keys that a synchronizer would remove from the old side
	Created   int      `json:"created,omitempty"` // of OnlyOld: created on the old side after Since
	OnlyNew   int      `json:"onlyNew"`           // keys that it would write there
	Different int      `json:"different"`         // keys that it would overwrite with another meaning
	Alike     int      `json:"alike,omitempty"`   // that it would overwrite with the same meaning
	Samples   []string `json:"samples,omitempty"` // "KEY only-old", "KEY different": a few, those that are lost first
	File      string   `json:"file"`              // on Host, a node of the old side: every such key with hashes, no values
	SHA256    string   `json:"sha256"`            // of File
	Snapshot  string   `json:"snapshot"`          // on Node of the evidence's facts: the old side's whole etcd
	Digest    string   `json:"digest"`            // SHA-256 of Snapshot
	OldAt     int64    `json:"oldRevision"`       // that the old side was compared at
	NewAt     int64    `json:"newRevision"`       // the same of the new side
	Compared  int64    `json:"compared"`          // keys of either side
	Before    bool     `json:"before,omitempty"`  // this run had captured it before
}

// Words for a key's kind, seen from the old side.
var divergenceWords = map[etcd.Kind]string{etcd.Surplus: "only-old", etcd.Missed: "only-new", etcd.Different: "different", etcd.Alike: "alike"}

// maxLost bounds the keys that a divergence names.
const maxLost = 20

// CaptureDivergence keeps what would be lost when the old side is overwritten: a
// snapshot of its etcd, and a list of every key that both sides do not hold alike,
// with SHA-256s of the values and no values, beside it. Both stay on control planes of
// the old side. The snapshot is the newer one, so every value whose hash is in the list
// is in it, also one that was overwritten in between: etcd keeps the history of
// minutes. What the site leaves out of its checks is in both, because a synchronizer
// copies it all the same. The snapshot streams through the worker's memory.
func (a *Safety) CaptureDivergence(ctx context.Context, in DivergenceInput) (Divergence, error) {
	scope := SafetyInput{Scope: in.standby(), Run: in.Run, Label: in.Standby}
	path := scope.path("divergence.tsv")
	node, kept, err := a.keep(ctx, scope.Scope, path, func(ctx context.Context, conn *ssh.Client, _ Node) (safecopy.Kept, error) {
		return a.listDivergence(ctx, in, conn, path)
	})
	if err != nil {
		return Divergence{}, err
	}
	snapshot, err := a.SnapshotEtcd(ctx, scope)
	if err != nil {
		return Divergence{}, err
	}
	conn, err := a.Hosts.connect(ctx, node)
	if err != nil {
		return Divergence{}, err
	}
	said, err := safecopy.Tail(ctx, conn, path, 1)
	if err != nil {
		return Divergence{}, err
	}
	var out Divergence
	if err := json.Unmarshal([]byte(strings.TrimPrefix(said, "# ")), &out); err != nil {
		return Divergence{}, fault.New(fault.Corrupt, "read the list of differences", node.Name+":"+path.String(), "", err)
	}
	out.File, out.SHA256, out.Before = path.String(), kept.SHA256, kept.Before
	out.Snapshot, out.Digest = snapshot.Facts["file"], snapshot.Facts["sha256"]
	facts := map[string]string{"snapshot": out.Snapshot, "snapshotHost": snapshot.Host, "snapshotSHA256": out.Digest, "snapshotBytes": snapshot.Facts["bytes"], "oldRevision": fmt.Sprint(out.OldAt), "newRevision": fmt.Sprint(out.NewAt)}
	out.Evidence = keptEvidence(out.said(in), node, path, kept, facts)
	out.Tail = clip(strings.Join(out.Samples, "\n"), 2000)
	return out, nil
}

func (d Divergence) said(in DivergenceInput) string {
	return fmt.Sprintf("of %d keys %d are on %s only, %d on %s only, %d differ", d.Compared, d.OnlyOld, in.Standby, d.OnlyNew, in.Primary, d.Different)
}

// listDivergence compares both sides and streams the list to the node.
func (a *Safety) listDivergence(ctx context.Context, in DivergenceInput, conn *ssh.Client, path safecopy.Path) (safecopy.Kept, error) {
	c := &Consistency{Hosts: a.Hosts}
	now, err := c.open(ctx, in.primary())
	if err != nil {
		return safecopy.Kept{}, err
	}
	defer now.Close()
	old, err := c.open(ctx, in.standby())
	if err != nil {
		return safecopy.Kept{}, err
	}
	defer old.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from, to := io.Pipe()
	defer func() { _ = from.Close() }() // never fails; it ends the comparison when the node does
	go func() { _ = to.CloseWithError(writeDivergence(ctx, in, now, old, to)) }()
	return safecopy.Keep(ctx, conn, path, safecopy.Content{From: from, Seal: safecopy.TextSeal, Need: snapshotSlack})
}

// writeDivergence writes one line per key, a summary and the seal.
func writeDivergence(ctx context.Context, in DivergenceInput, now, old *etcd.Client, to io.Writer) error {
	buffer := bufio.NewWriterSize(to, 256<<10)
	text := safecopy.NewText(buffer)
	if _, err := fmt.Fprintf(text, "# kind\tkey\tSHA-256 of the value on %s\tSHA-256 on %s\n", in.Standby, in.Primary); err != nil {
		return err
	}
	out := Divergence{}
	var lost, others []string
	d, err := etcd.Differ(ctx, now, old, func(p etcd.Progress) {
		report(ctx, Progress{Text: p.Text, Done: p.Done, Unit: "keys"})
	}, func(d etcd.Difference) error {
		word, key := divergenceWords[d.Kind], plainKey(d.Key)
		if d.Kind == etcd.Surplus && in.Since > 0 && d.Created > in.Since {
			out.Created++
		}
		sample := key + " " + word
		switch {
		case d.Kind == etcd.Alike:
		case d.Kind != etcd.Missed && len(lost) < maxLost:
			lost = append(lost, sample)
		case d.Kind == etcd.Missed && len(others) < maxLost:
			others = append(others, sample)
		}
		_, err := fmt.Fprintf(text, "%s\t%s\t%s\t%s\n", word, key, orDash(d.Standby), orDash(d.Primary))
		return err
	})
	if err != nil {
		return err
	}
	out.OnlyOld, out.OnlyNew, out.Different, out.Alike = d.Surplus, d.Missed, d.Different, d.Alike
	if d.Standby.Revision < in.Since { // another etcd, or a restored one: all of it may be new
		out.Created = out.OnlyOld
	}
	out.OldAt, out.NewAt, out.Compared = d.Standby.Revision, d.Primary.Revision, d.Compared
	out.Samples = append(lost, others...)
	out.Samples = out.Samples[:min(len(out.Samples), maxLost)]
	summary, err := json.Marshal(out)
	if err != nil {
		return fault.New(fault.Internal, "write the list of differences", in.Standby, "", err)
	}
	if _, err := fmt.Fprintf(text, "# %s\n", summary); err != nil {
		return err
	}
	if err := text.Seal(); err != nil {
		return err
	}
	return buffer.Flush()
}

// plainKey keeps a key on its line.
func plainKey(key string) string {
	if quoted := strconv.Quote(key); len(quoted) != len(key)+2 {
		return quoted
	}
	return key
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
