package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/encryption"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// merging is what the steps of a merge share. The request names the primary.
type merging struct {
	site    *site.Site
	primary *site.Cluster
	standby *site.Cluster
	preview activities.MergePreview // by read
	read    bool
}

// MergeKeysBook gives both sides of a pair both encryption keys, where the standby
// was installed without the primary's (FAQ-01…FAQ-05). The document's way loses
// the standby's own Secrets when both keys have one name, so they are written anew
// under another name first; see encryption.Merge.
var MergeKeysBook = Runbook{
	Name:    MergeKeysName,
	Verb:    "merge-keys",
	Changes: true,
	Pair:    true,
	Steps: func(s *site.Site, c *site.Cluster, _ *Progress) []Step {
		standby, _ := s.Partner(c.Name) // a pair has one, see Runbook.Pair
		m := &merging{site: s, primary: c, standby: standby}
		steps := []Step{
			m.acknowledge(),
			m.readBoth(),
			m.backUp(),
			m.install("keys.04-primary", c, encryption.PrimaryReadable, "Both sides' keys are readable on "+c.Name),
			m.install("keys.05-new-names", standby, encryption.NewNames, "Keys that must be renamed are readable under both names on "+standby.Name),
			m.install("keys.06-write-new-name", standby, encryption.WriteNewName, standby.Name+" writes under the new name"),
			m.rewrite(),
			m.install("keys.08-primary-readable", standby, encryption.PrimaryReadable, "The primary's keys are readable on "+standby.Name),
			m.install("keys.09-primary-writes", standby, encryption.PrimaryWrites, standby.Name+" writes with the primary's key"),
		}
		for i := 2; i < len(steps); i++ {
			steps[i] = unless(m.same, steps[i])
		}
		return append(steps, m.prove(), m.finish())
	},
}

// MergeEncryptionKeys is the workflow of MergeKeysBook. Its input is one Request.
func MergeEncryptionKeys(ctx workflow.Context, input converter.RawValue) (*Progress, error) {
	return execute(ctx, MergeKeysBook, input)
}

func (m *merging) input() activities.PairInput {
	return activities.PairInput{Site: *m.site, Primary: m.primary.Name, Standby: m.standby.Name}
}

func (m *merging) run(ctx workflow.Context) activities.MergeInput {
	return activities.MergeInput{PairInput: m.input(), Run: runID(ctx)}
}

// same says, where it is so, that there is nothing to merge.
func (m *merging) same() string {
	if m.preview.Needed || !m.read {
		return ""
	}
	return "every control plane of both sides has the same key file"
}

// withdrawn is what a person must know before this text is followed.
const withdrawn = `Merge the encryption keys of %s (primary) and %s? The vendor has WITHDRAWN this procedure from every edition of its documents ("not reliable"), after it had added a backup to it. ` +
	`Followed as it was written, it makes the Secrets that %[2]s wrote itself unreadable, because a stored Secret carries the name of its key and both sides use the same name. ` +
	`acpflow writes them anew under another name first, backs every file up, changes one node at a time and waits for its kube-apiserver. ` +
	`The documented way is to reinstall %[2]s with the primary's key. Back up etcd of both sides before you approve.`

func (m *merging) acknowledge() Step {
	return Step{
		StepInfo: StepInfo{ID: "keys.01-acknowledge", Title: "A person knows that the vendor withdrew this procedure, and why", Source: []string{"FAQ-05"}, Effect: Read},
		Ask: func(workflow.Context) (string, error) {
			return fmt.Sprintf(withdrawn, m.primary.Name, m.standby.Name), nil
		},
		Do: func(workflow.Context) (activities.Evidence, error) {
			return activities.Evidence{Summary: "acknowledged"}, nil
		},
	}
}

func (m *merging) readBoth() Step {
	return Step{
		StepInfo: StepInfo{ID: "keys.02-read", Title: "Read the keys of both sides and plan: names and hashes only", Source: []string{"FAQ-01", "FAQ-02"}, Effect: Read,
			Calls: []string{"ssh USER@NODE sudo -n cat " + encryption.Path + "   # every control plane of both sides", "read /registry/secrets/ of both etcds   # which key each value needs"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var state activities.InstallState
			scope := activities.Scope{Site: *m.site, Cluster: m.primary.Name}
			if err := workflow.ExecuteActivity(nodeRead(ctx, "Look at "+m.primary.Name), clusterChecks.ObserveInstall, scope).Get(ctx, &state); err != nil {
				return activities.Evidence{}, err
			}
			if state.Synchronizer {
				return activities.Evidence{}, temporal.NewNonRetryableApplicationError(fmt.Sprintf("merge the keys: %s carries the synchronizer, so it is the standby. Fix: start again with --cluster %s",
					m.primary.Name, m.standby.Name), string(fault.Gate), nil)
			}
			m.preview = activities.MergePreview{}
			err := workflow.ExecuteActivity(nodeRead(ctx, "Plan the merge"), encryptions.PreviewMerge, m.input()).Get(ctx, &m.preview)
			m.read = err == nil
			return m.preview.Evidence, err
		},
	}
}

func (m *merging) backUp() Step {
	return Step{
		StepInfo: StepInfo{ID: "keys.03-back-up", Title: "Keep every file beside it before anything is changed, when the plan is approved", Source: []string{"FAQ-05"}, Effect: Write,
			Calls: []string{"install -o root -g root -m 600 " + encryption.Path + " " + encryption.Path + ".acpflow.bak   # every control plane of both sides"}},
		Ask: func(workflow.Context) (string, error) { return "Merge the keys like this?\n" + m.preview.Text, nil },
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var evidence activities.Evidence
			err := workflow.ExecuteActivity(nodeWrite(ctx, "Back the files up"), encryptions.BackUpKeys, m.run(ctx)).Get(ctx, &evidence)
			return evidence, err
		},
		Undo: func(ctx workflow.Context) (activities.Evidence, error) {
			var evidence activities.Evidence
			err := workflow.ExecuteActivity(nodeWrite(ctx, "Undo: remove the backups"), encryptions.DropBackups, m.run(ctx)).Get(ctx, &evidence)
			return evidence, err
		},
	}
}

// install gives the control planes of a side a stage's file, strictly one after
// the other.
func (m *merging) install(id string, c *site.Cluster, kind encryption.Kind, title string) Step {
	nodes := c.ControlPlanes()
	back := slices.Clone(nodes)
	slices.Reverse(back)
	return unless(func() string { return m.absent(c, kind) }, Step{
		StepInfo: StepInfo{ID: id, Title: title + ", one node after the other", Source: []string{"FAQ-02", "FAQ-03", "FAQ-04"}, Effect: Write,
			PointOfNoReturn: kind == encryption.WriteNewName || kind == encryption.PrimaryWrites,
			Calls:           []string{"replace " + encryption.Path, "crictl rm --force KUBE-APISERVER; systemctl restart kubelet.service", "GET /readyz   # of that node, until ok; then the next node"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			return m.each(ctx, c, nodes, kind, "Install the keys on ", encryptions.InstallKeys)
		},
		Undo: func(ctx workflow.Context) (activities.Evidence, error) {
			return m.each(ctx, c, back, "", "Undo: put the old keys back on ", encryptions.RestoreKeys)
		},
	})
}

// absent says, where it is so, that the plan has no such stage.
func (m *merging) absent(c *site.Cluster, kind encryption.Kind) string {
	if c == m.primary || !m.read || slices.Contains(m.preview.Stages, kind) {
		return ""
	}
	return "no key must be renamed"
}

func (m *merging) each(ctx workflow.Context, c *site.Cluster, nodes []site.Node, kind encryption.Kind, verb string, act any) (activities.Evidence, error) {
	var said []string
	for _, n := range nodes {
		var evidence activities.Evidence
		in := activities.StageInput{PairInput: m.input(), Cluster: c.Name, Node: n.Name, Kind: kind}
		if err := workflow.ExecuteActivity(untilReady(ctx, verb+n.Name), act, in).Get(ctx, &evidence); err != nil {
			return activities.Evidence{Summary: fmt.Sprintf("%d of %d nodes", len(said), len(nodes)), Tail: strings.Join(said, "\n")}, err
		}
		said = append(said, evidence.Summary)
	}
	return activities.Evidence{Summary: fmt.Sprintf("%d nodes of %s, one after the other", len(nodes), c.Name), Host: c.Name, Tail: strings.Join(said, "\n")}, nil
}

func (m *merging) rewrite() Step {
	return unless(func() string { return m.absent(m.standby, encryption.NewNames) }, Step{
		StepInfo: StepInfo{ID: "keys.07-rewrite-secrets", Title: "Every Secret that " + m.standby.Name + " wrote itself is stored anew under the new name", Source: []string{"FAQ-02"}, Effect: Write,
			Calls: []string{"GET and PUT /api/v1/namespaces/NAMESPACE/secrets/NAME   # unchanged, until etcd holds none under the old name"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var evidence activities.Evidence
			err := workflow.ExecuteActivity(untilReady(ctx, "Store Secrets anew on "+m.standby.Name), encryptions.RewriteSecrets, m.input()).Get(ctx, &evidence)
			return evidence, err
		},
	})
}

func (m *merging) prove() Step {
	return Step{
		StepInfo: StepInfo{ID: "keys.10-prove", Title: "Every API server of both sides reads every Secret", Source: []string{"FAQ-02", "DR-24"}, Effect: Read,
			Calls: []string{"GET /api/v1/secrets   # through each control plane of both sides", "read /registry/secrets/ of both etcds   # each value's key is in the file"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var evidence activities.Evidence
			err := workflow.ExecuteActivity(nodeRead(ctx, "Read every Secret"), encryptions.ProveSecrets, m.input()).Get(ctx, &evidence)
			return evidence, err
		},
	}
}

func (m *merging) finish() Step {
	return Step{
		StepInfo: StepInfo{ID: "keys.11-finish", Title: "Both sides have the same file; the backups are named after this run", Source: []string{"DR-24", "FAQ-05"}, Effect: Write,
			Calls: []string{"sha256sum " + encryption.Path + "   # every control plane of both sides", "mv " + encryption.Path + ".acpflow.bak " + encryption.Path + ".RUN.bak"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var evidence activities.Evidence
			err := workflow.ExecuteActivity(nodeWrite(ctx, "Compare, and keep the backups"), encryptions.FinishMerge, m.run(ctx)).Get(ctx, &evidence)
			return evidence, err
		},
	}
}
