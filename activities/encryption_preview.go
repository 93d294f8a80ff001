package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/acpflow/acpflow/internal/encryption"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
)

// secretsPrefix is where etcd keeps Secrets.
const secretsPrefix = "/registry/secrets/"

// maxNamed bounds how many Secrets an error names.
const maxNamed = 20

// MergePreview is what a merge would do; it names keys by name and hash only.
type MergePreview struct {
	Evidence Evidence          `json:"evidence"`
	Needed   bool              `json:"needed"` // false: every node of both sides has the same file, and no merge is under way
	Stages   []encryption.Kind `json:"stages"` // of the standby
	Text     string            `json:"text"`   // for the person who approves
}

// PreviewMerge plans the merge of both sides' keys and makes sure that it can end
// well (FAQ-01, FAQ-02): every API server is ready, and every Secret of both
// sides is readable with some key of both files all along.
func (a *Encryption) PreviewMerge(ctx context.Context, in PairInput) (MergePreview, error) {
	m, err := a.merging(ctx, in)
	if err != nil {
		return MergePreview{}, err
	}
	out := MergePreview{Stages: m.standby.kinds, Needed: m.differs()}
	out.Evidence = Evidence{Summary: "every control plane of both sides has the same key file", Facts: map[string]string{
		in.Primary: encryption.Hash(m.primary.original), in.Standby: encryption.Hash(m.standby.original),
	}}
	if !out.Needed {
		return out, nil
	}
	for _, side := range []*mergeSide{&m.primary, &m.standby} {
		if err := a.othersReady(ctx, side, ""); err != nil {
			return MergePreview{}, err
		}
	}
	count, err := a.foresee(ctx, m)
	if err != nil {
		return MergePreview{}, err
	}
	out.Text = fmt.Sprintf("%s\n%d Secrets of %s are written anew. %d control planes get new files, one after the other, and their kube-apiservers restart.",
		m.plan, count, in.Standby, len(m.primary.nodes)+len(m.standby.nodes))
	out.Evidence.Summary = fmt.Sprintf("%d stages for %s, one for %s, %d Secrets to be written anew", len(m.plan.Standby), in.Standby, in.Primary, count)
	out.Evidence.Tail = clip(m.plan.String(), maxTail)
	return out, nil
}

// differs reports whether anything is to be done.
func (m *merging) differs() bool {
	for _, side := range []mergeSide{m.primary, m.standby} {
		for _, n := range side.nodes {
			if !n.original.Empty() || !equal(n.current, m.primary.nodes[0].current) {
				return true
			}
		}
	}
	return false
}

// foresee looks at every Secret as it lies in both etcds. It returns how many of
// the standby's must be written anew; those that the stages could not read are
// fault.Gate, because then no list of Secrets works.
func (a *Encryption) foresee(ctx context.Context, m *merging) (rewrites int, err error) {
	var lost []string
	_, err = a.stored(ctx, m.primary.scope, func(key string, value []byte) {
		if !m.plan.Merged.Reads(value) {
			lost = append(lost, m.primary.scope.Cluster+" "+key)
		}
	})
	if err != nil {
		return 0, err
	}
	first := m.plan.Standby[0].Config
	far := 0
	for _, n := range m.standby.nodes {
		far = max(far, n.stage)
	}
	if far > 0 { // a run before came so far
		first = m.plan.Standby[far-1].Config
	}
	_, err = a.stored(ctx, m.standby.scope, func(key string, value []byte) {
		if old(m.plan, value) {
			rewrites++
		}
		if !first.Reads(value) {
			lost = append(lost, m.standby.scope.Cluster+" "+key+" ("+m.plan.Merged.Look(value).String()+")")
		}
	})
	if err == nil && len(lost) > 0 {
		err = fault.New(fault.Gate, "find out whether the merged keys read every Secret", "etcd",
			"delete these Secrets if they are only copies of the primary's: the synchronizer brings them again; else find the key they were written with",
			fmt.Errorf("%d can't be read then: %s", len(lost), strings.Join(lost[:min(len(lost), maxNamed)], ", ")))
	}
	return rewrites, err
}

// old reports whether a value is stored under a name that its key loses.
func old(plan encryption.Merge, value []byte) bool {
	at := plan.Merged.Look(value)
	for _, r := range plan.Renamed {
		if at.Key == r.From && at.SHA256 == r.SHA256 {
			return true
		}
	}
	return false
}

// stored hands every Secret of a side to f as it lies in etcd, and counts them.
func (a *Encryption) stored(ctx context.Context, scope Scope, f func(key string, value []byte)) (int, error) {
	client, err := (&Consistency{Hosts: a.Hosts}).open(ctx, scope)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	count := 0
	err = client.Values(ctx, secretsPrefix, func(key string, value []byte) error {
		count++
		f(strings.TrimPrefix(key, secretsPrefix), value)
		return nil
	})
	return count, err
}

// othersReady demands that the API servers of a side are ready, but for one: two
// must never be down at a time.
func (a *Encryption) othersReady(ctx context.Context, side *mergeSide, except string) error {
	nodes := make([]Node, len(side.nodes))
	for i, n := range side.nodes {
		nodes[i] = n.node
	}
	err := onEach(ctx, nodes, func(ctx context.Context, i int) error {
		if nodes[i].Name == except {
			return nil
		}
		return a.ask(ctx, nodes[i], (*kube.Client).Serving) // before a merge it may lack the primary's key
	})
	if err != nil && ctx.Err() == nil {
		return fault.New(fault.ClassOf(err), "find every other API server ready", side.scope.Cluster, "mend it first: one node at a time", err)
	}
	return err
}

// ask asks a node's own API server.
func (a *Encryption) ask(ctx context.Context, node Node, question func(*kube.Client, context.Context) error) error {
	client, err := (&Cluster{Hosts: a.Hosts}).openThrough(ctx, node)
	if err != nil {
		return err
	}
	defer client.Close()
	return question(client, ctx)
}

// RewriteSecrets stores every Secret of the standby anew that lies under a name
// which its key loses, and ends when etcd holds none any more.
func (a *Encryption) RewriteSecrets(ctx context.Context, in PairInput) (Evidence, error) {
	m, err := a.merging(ctx, in)
	if err != nil {
		return Evidence{}, err
	}
	written := 0
	for round := 1; ; round++ {
		var names []string
		total, err := a.stored(ctx, m.standby.scope, func(key string, value []byte) {
			if old(m.plan, value) {
				names = append(names, key)
			}
		})
		if err != nil {
			return Evidence{}, err
		}
		if len(names) == 0 {
			return Evidence{Summary: fmt.Sprintf("%d Secrets stored anew; none of %d is stored under a renamed key", written, total), Host: in.Standby}, nil
		}
		if round > 5 {
			return Evidence{}, fault.New(fault.Failed, "store Secrets anew", "cluster "+in.Standby, "see what writes them, then retry",
				fmt.Errorf("%d are still stored under the old name: %s", len(names), strings.Join(names[:min(len(names), maxNamed)], ", ")))
		}
		if err := a.rewrite(ctx, in.standby(), names); err != nil {
			return Evidence{}, err
		}
		written += len(names)
	}
}

func (a *Encryption) rewrite(ctx context.Context, scope Scope, names []string) error {
	client, err := (&Cluster{Hosts: a.Hosts}).open(ctx, scope)
	if err != nil {
		return err
	}
	defer client.Close()
	for i, key := range names {
		namespace, name, ok := strings.Cut(key, "/")
		if !ok {
			return fault.New(fault.Protocol, "store Secrets anew", client.Place(), "", errors.New("etcd has a Secret without a namespace"))
		}
		if err := client.RewriteSecret(ctx, namespace, name); err != nil {
			return err
		}
		report(ctx, Progress{Text: "storing Secrets anew", Done: int64(i + 1), Total: int64(len(names)), Unit: "secrets"})
	}
	return nil
}
