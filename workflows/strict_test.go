package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

// strict is a runbook whose second step needs the approval of others.
type strict struct {
	*team
	sent, heard int // Updates, and those that ended as expected
	refusals    int
}

const askedBy = "Carol Smith"

func newStrict(t *testing.T, rules site.Approvals) *strict {
	s := &strict{team: newTeam(t)}
	s.step("look", "", time.Minute)
	s.step("point", "", time.Minute, asks("point acp.example.com at east?"), noReturn, func(s *workflows.Step) { s.Strict, s.Undo = true, nil })
	s.w.answer["LoadSite"] = func() any {
		doc := theSite()
		doc.Policy.Approvals = rules
		return site.Snapshot{Name: "lab", SHA256: "5111", Site: doc}
	}
	t.Cleanup(func() { assert.Equal(t, s.sent, s.heard, "every Update must end as expected") })
	return s
}

func (s *strict) begin() (workflows.Progress, error) {
	r := request
	r.RequestedBy = askedBy
	return s.run(r)
}

// in does f at a minute of the run; the gate opens in the first.
func (s *strict) in(minute int, f func()) { s.w.after(time.Duration(minute)*time.Minute, f) }

func approval(by string) workflows.Approval {
	return workflows.Approval{Step: "x.point", By: by, Reason: "the window is open"}
}

func (s *strict) update(name string, in any, refused string) {
	s.sent++
	s.w.env.UpdateWorkflow(name, "", &testsuite.TestUpdateCallback{
		OnAccept: func() {
			if assert.Empty(s.t, refused, "accepted: %+v", in) {
				s.heard++
			}
		},
		OnReject: func(err error) {
			if assert.NotEmpty(s.t, refused, "refused: %v", err) && assert.ErrorContains(s.t, err, refused) {
				s.heard++
				s.refusals++
			}
		},
		OnComplete: func(any, error) {},
	}, in)
}

func (s *strict) approves(in workflows.Approval) { s.update(workflows.ApproveUpdate, in, "") }

// refuses expects the same refusal from both Updates.
func (s *strict) refuses(want string, in workflows.Approval) {
	s.update(workflows.ApproveUpdate, in, want)
	s.update(workflows.DecideUpdate, workflows.Decision{Step: in.Step, Action: workflows.Approve, By: in.By, Reason: in.Reason, Digest: in.Digest, Signature: in.Signature}, want)
}

func (s *strict) gate() *workflows.Gate {
	gate := s.w.status().Gate
	require.NotNil(s.t, gate)
	return gate
}

func TestStrictGateRefusesWhatMustNotCount(t *testing.T) {
	s := newStrict(t, site.Approvals{Approvers: []string{"Anna", "Boris", "carol smith"}})
	s.in(5, func() {
		g := s.gate()
		assert.Equal(t, 1, g.Needs)
		assert.Equal(t, askedBy, g.Never)
		assert.Equal(t, "0 of 1 have approved. Missing: one more person of Anna, Boris; not Carol Smith, who asked for the run.", g.Quorum.Text())
		for _, me := range []string{askedBy, "  carol   SMITH "} {
			s.refuses("asked for this run", approval(me))
		}
		s.refuses("not among the approvers", approval("Dora"))
		s.refuses("can't be seen", approval("An\u200bna"))
		s.refuses(`"by" is missing`, approval(" "))
		a := approval("Anna")
		a.Reason = " "
		s.refuses("reason", a)
		a = approval("Anna")
		a.Step = "x.look"
		s.refuses("the open gate is", a)
		a = approval("Anna")
		a.Signature = "MEUCIQ"
		s.refuses("signatures are not checked by this version", a)
		a = approval("Anna")
		a.Digest = strings.Repeat("0", 64)
		s.refuses("another question", a)
		assert.Len(t, s.ran, 2, "nothing but the first step")
	})
	s.in(10, func() {
		a := approval(" anna ")
		a.Digest = s.gate().Digest
		s.approves(a)
	})
	p, err := s.begin()
	require.NoError(t, err)
	assert.Equal(t, 18, s.refusals)
	assert.Equal(t, []string{"+look", "-look", "+point", "-point"}, s.ran)
	require.Len(t, p.Decisions, 1)
	assert.Equal(t, workflows.Approve, p.Decisions[0].Action)
	assert.Equal(t, "point acp.example.com at east?", p.Decisions[0].Error)
	assert.Equal(t, 9*time.Minute, p.Decisions[0].At.Sub(p.Decisions[0].Asked).Round(time.Second), "how long it was waited for")
	assert.True(t, p.Steps[1].Strict)
}

func TestStrictGateNeedsDifferentPeople(t *testing.T) {
	s := newStrict(t, site.Approvals{People: 3})
	s.in(5, func() { s.approves(approval("Anna")) })
	s.in(6, func() {
		s.refuses("approved step x.point already; 2 more people", approval("ANNA "))
		s.update(workflows.DecideUpdate, workflows.Decision{Step: "x.point", Action: workflows.Approve, By: "Boris", Reason: "go"}, "")
	})
	s.in(7, func() {
		g := s.gate()
		assert.Len(t, g.Approvals, 2)
		assert.Equal(t, g.Approvals[0].At.Add(time.Hour), *g.Expires)
		assert.Contains(t, g.Quorum.Text(), "2 of 3 have approved: Anna (the window is open), Boris (go). Missing: one more person; not Carol Smith, who asked for the run. The oldest approval lapses at ")
		assert.Contains(t, workflows.Board(ptr(s.w.status())), g.Quorum.Text())
		assert.Len(t, s.ran, 2)
	})
	s.in(8, func() { s.approves(approval("Dora")) })
	p, err := s.begin()
	require.NoError(t, err)
	assert.Equal(t, 2, s.refusals)
	assert.Contains(t, s.ran, "-point")
	assert.Equal(t, 8*time.Minute+time.Minute, p.Ended.Sub(p.Started).Round(time.Second))
	for _, d := range p.Decisions {
		assert.Nil(t, d.Lapsed)
	}
}

func TestApprovalsLapse(t *testing.T) {
	s := newStrict(t, site.Approvals{People: 2, Expire: "10m"})
	s.in(5, func() { s.approves(approval("Anna")) })
	s.in(16, func() {
		g := s.gate()
		assert.Empty(t, g.Approvals, "the gate stays open without it")
		assert.Nil(t, g.Expires)
		s.approves(approval("Boris"))
	})
	s.in(20, func() {
		assert.Len(t, s.ran, 2)
		s.approves(approval("Anna"))
	})
	p, err := s.begin()
	require.NoError(t, err)
	assert.Contains(t, s.ran, "-point")
	require.Len(t, p.Decisions, 3)
	require.NotNil(t, p.Decisions[0].Lapsed)
	assert.Equal(t, p.Decisions[0].At.Add(10*time.Minute), *p.Decisions[0].Lapsed)
	assert.Nil(t, p.Decisions[1].Lapsed)
	assert.Nil(t, p.Decisions[2].Lapsed)
}

// Each lapses by itself: the second one outlives the first.
func TestYoungerApprovalOutlivesTheOlder(t *testing.T) {
	s := newStrict(t, site.Approvals{People: 3, Expire: "10m"})
	s.in(5, func() { s.approves(approval("Anna")) })
	s.in(10, func() { s.approves(approval("Boris")) })
	s.in(16, func() {
		g := s.gate()
		require.Len(t, g.Approvals, 1)
		assert.Equal(t, "Boris", g.Approvals[0].By)
		assert.Equal(t, g.Approvals[0].At.Add(10*time.Minute), *g.Expires)
		s.approves(approval("Dora"))
	})
	s.in(17, func() {
		assert.Len(t, s.ran, 2)
		s.w.decide(workflows.Decision{Step: "x.point", Action: workflows.Abort, By: askedBy, Reason: "not tonight"})
	})
	p, err := s.begin()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	assert.Contains(t, app.Message(), "not approved")
	assert.Equal(t, []string{"+look", "-look", "~look"}, s.ran)
	assert.Equal(t, workflows.Aborted, p.Outcome)
}

// The digest is of this plan, this run, this step and this question.
func TestDigestIsOfTheQuestion(t *testing.T) {
	s := newStrict(t, site.Approvals{})
	question, first := "point it? unknown for 1 minute", ""
	s.steps[1].Ask = func(workflow.Context) (string, error) { return question, nil }
	s.fails["point"] = 1
	s.in(5, func() {
		first = s.gate().Digest
		assert.Len(t, first, 64)
		question = "point it? unknown for 9 minutes"
		s.approves(approval("Anna"))
	})
	s.in(10, func() {
		s.w.decide(workflows.Decision{Step: "x.point", Action: workflows.Retry, By: "Anna"})
	})
	s.in(15, func() {
		a := approval("Anna")
		a.Digest = first
		s.refuses("another question", a)
		a.Digest = strings.ToUpper(s.gate().Digest)
		s.approves(a)
	})
	p, err := s.begin()
	require.NoError(t, err)
	assert.Equal(t, 2, s.refusals)
	assert.Len(t, p.Decisions, 3)
}

// Where nobody can be asked, nothing is approved.
func TestUnattendedRunApprovesNothingStrict(t *testing.T) {
	s := newStrict(t, site.Approvals{})
	r := request
	r.RequestedBy, r.OnFailure = askedBy, workflows.OnFailureAbort
	p, err := s.run(r)
	require.Error(t, err)
	assert.NotContains(t, s.ran, "+point")
	assert.Equal(t, workflows.NotRun, p.Steps[1].State)
	assert.Zero(t, p.Decisions[0].At.Sub(p.Decisions[0].Asked))
}

func TestStrictRunMustSayWhoAsked(t *testing.T) {
	s := newStrict(t, site.Approvals{})
	r := request
	r.RequestedBy = "  "
	_, err := s.run(r)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	assert.Equal(t, workflows.ErrInvalidInput, app.Type())
	assert.Contains(t, app.Message(), "requestedBy")
	assert.Empty(t, s.ran)

	s = newStrict(t, site.Approvals{})
	r.DryRun = true
	_, err = s.run(r)
	require.NoError(t, err, "it asks nobody")
	assert.Error(t, workflows.Runbook{Demands: workflows.NamedRequester}.Accepts(workflows.Request{Site: "lab"}))
	assert.NoError(t, workflows.Runbook{Demands: workflows.NamedRequester}.Accepts(workflows.Request{Site: "lab", RequestedBy: "x"}))
}

// A question that is not strict is answered by one person, through either Update.
func TestApproveAnswersAnyQuestion(t *testing.T) {
	for _, update := range []string{workflows.ApproveUpdate, workflows.DecideUpdate} {
		s := newStrict(t, site.Approvals{People: 2})
		s.steps[1].Strict = false
		s.in(5, func() {
			assert.Nil(t, s.gate().Quorum)
			a := approval(askedBy)
			a.Signature = "x"
			s.refuses("signatures", a)
			var in any = approval(askedBy)
			if update == workflows.DecideUpdate {
				in = workflows.Decision{Step: "x.point", Action: workflows.Approve, By: askedBy, Reason: "go"}
			}
			s.update(update, in, "")
		})
		_, err := s.begin()
		require.NoError(t, err)
		assert.Equal(t, 2, s.refusals)
	}
}

func TestFailureIsNotApproved(t *testing.T) {
	s := newStrict(t, site.Approvals{})
	s.fails["look"] = 1
	s.in(5, func() {
		s.refuses("not possible", workflows.Approval{Step: "x.look", By: "Anna", Reason: "go"})
		s.w.decide(workflows.Decision{Step: "x.look", Action: workflows.Abort, By: "Anna", Reason: "enough"})
	})
	_, err := s.begin()
	require.Error(t, err)
	assert.Equal(t, 2, s.refusals)
}

func ptr[T any](v T) *T { return &v }

// Approvers who are too few without the one who asks are found out at the start, not
// when the last step asks.
func TestTooFewApproversRefuseTheStart(t *testing.T) {
	for name, c := range map[string]struct {
		rules site.Approvals
		says  string
	}{
		"both are needed and one asked": {site.Approvals{People: 2, Approvers: []string{"carol  smith", "boris"}}, "without Carol Smith only boris can"},
		"the only one asked":            {site.Approvals{Approvers: []string{askedBy}}, "without Carol Smith only nobody can"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStrict(t, c.rules)
			p, err := s.begin()
			require.ErrorContains(t, err, c.says)
			assert.Empty(t, p.Steps, "nothing has begun")
		})
	}
}
