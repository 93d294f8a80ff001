package workflows

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/acpflow/acpflow/site"
)

// Quorum is who must approve at a strict gate, and who has. Approvals count for
// as long as the site says; when one lapses, the gate stays open.
type Quorum struct {
	Needs     int        `json:"needs"`               // different people
	Approvers []string   `json:"approvers,omitempty"` // who may; empty = anybody else than Never
	Never     string     `json:"never,omitempty"`     // who asked for the run
	Approvals []Decided  `json:"approvals,omitempty"` // those that count now, the oldest first
	Expires   *time.Time `json:"expires,omitempty"`   // when the oldest lapses

	rules site.Approvals
}

func newQuorum(rules site.Approvals, requestedBy string) *Quorum {
	return &Quorum{Needs: rules.Need(), Approvers: rules.Approvers, Never: requestedBy, rules: rules}
}

// questionDigest is the SHA-256, hex, of what is approved: the plan, the run's
// start, the step and the question, as a JSON list of texts. All of them are in
// Progress, so an approver can compute it.
func questionDigest(p *Progress, step, question string) string {
	b, err := json.Marshal([]string{p.PlanDigest, p.Started.UTC().Format(time.RFC3339Nano), step, question})
	if err != nil { // texts only: cannot happen
		panic(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// admits refuses approvals that must not count.
func (g *Gate) admits(in Decision) error {
	switch {
	case in.Signature != "":
		return errors.New("signatures are not checked by this version, so one can't be taken: leave it out")
	case in.Digest != "" && !strings.EqualFold(in.Digest, g.Digest):
		return fmt.Errorf("the digest is of another question: step %s asks %s now. Read it again: %s", g.Step, g.Digest, g.Question)
	case g.Quorum == nil:
		return nil
	}
	return g.Quorum.admits(g.Step, in.By)
}

func (q *Quorum) admits(step, by string) error {
	switch {
	case strings.ContainsFunc(by, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New(`"by" has characters that can't be seen, so two names could look like one person`)
	case samePerson(by, q.Never):
		return fmt.Errorf("%s asked for this run and so can't approve step %s: somebody else must", by, step)
	case !q.rules.May(by):
		return fmt.Errorf("%s is not among the approvers of this site (policy.approvals.approvers): %s", by, strings.Join(q.Approvers, ", "))
	case q.has(by):
		return fmt.Errorf("%s has approved step %s already; %s must", by, step, more(q.missing()))
	}
	return nil
}

// Text says who has approved, who is missing, and until when what there is counts.
func (q *Quorum) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d have approved", len(q.Approvals), q.Needs)
	for i, d := range q.Approvals {
		fmt.Fprintf(&b, "%s %s (%s)", []string{":", ","}[min(i, 1)], d.By, d.Reason)
	}
	fmt.Fprintf(&b, ". Missing: %s", more(q.missing()))
	if left := slices.DeleteFunc(slices.Clone(q.Approvers), func(name string) bool { return q.has(name) || samePerson(name, q.Never) }); len(left) > 0 {
		fmt.Fprintf(&b, " of %s", strings.Join(left, ", "))
	}
	fmt.Fprintf(&b, "; not %s, who asked for the run.", q.Never)
	if q.Expires != nil {
		fmt.Fprintf(&b, " The oldest approval lapses at %s.", q.Expires.UTC().Format(time.RFC3339))
	}
	return b.String()
}

func (q *Quorum) has(by string) bool {
	return slices.ContainsFunc(q.Approvals, func(d Decided) bool { return samePerson(d.By, by) })
}

func (q *Quorum) missing() int { return q.Needs - len(q.Approvals) }

func (q *Quorum) add(d Decided) {
	q.Approvals = append(q.Approvals, d)
	q.count()
}

// count sets when the oldest approval lapses.
func (q *Quorum) count() {
	q.Expires = nil
	if len(q.Approvals) > 0 {
		at := q.Approvals[0].At.Add(q.rules.Lasts())
		q.Expires = &at
	}
}

// due is when something lapses next; zero = nothing does.
func (g *Gate) due() time.Time {
	if g.Quorum == nil || g.Expires == nil {
		return time.Time{}
	}
	return *g.Expires
}

// lapse takes away the approvals that are too old at a time, and records it.
func (d *decisions) lapse(now time.Time) {
	q := d.progress.Gate.Quorum
	for len(q.Approvals) > 0 && !now.Before(*q.Expires) {
		old := q.Approvals[0]
		for i := range d.progress.Decisions {
			if was := &d.progress.Decisions[i]; was.Action == Approve && was.By == old.By && was.At.Equal(old.At) {
				was.Lapsed = q.Expires
			}
		}
		q.Approvals = q.Approvals[1:]
		q.count()
	}
}

// samePerson compares names as people write them.
func samePerson(a, b string) bool {
	return strings.EqualFold(strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " "))
}

// more says how many people are missing.
func more(n int) string {
	if n == 1 {
		return "one more person"
	}
	return fmt.Sprintf("%d more people", n)
}
