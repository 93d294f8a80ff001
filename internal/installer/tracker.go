package installer

import (
	"errors"
	"fmt"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
)

// Verdict is what a sequence of observations amounts to.
type Verdict string

// The verdicts. Only Running asks for another poll.
const (
	VerdictRunning   Verdict = "running"
	VerdictSucceeded Verdict = "succeeded"
	VerdictFailed    Verdict = "failed"  // Failed for long enough that the installer's own retries don't help
	VerdictStalled   Verdict = "stalled" // no news for too long (EXE-13), or answers that nobody understands
	VerdictGone      Verdict = "gone"    // nothing listens any more: look at the new cluster directly (VER-05)
)

// Limits are the patience of a Tracker.
type Limits struct {
	Stall       time.Duration `json:"stall"`       // without news
	FailedPolls int           `json:"failedPolls"` // polls with status Failed, nothing but Retrying between them …
	FailedFor   time.Duration `json:"failedFor"`   // … over at least this time
	GonePolls   int           `json:"gonePolls"`   // consecutive refused connections …
	GoneFor     time.Duration `json:"goneFor"`     // … over at least this time: a container that restarts is not gone
	Deaf        time.Duration `json:"deaf"`        // without an answer that is understood
	Gap         time.Duration `json:"gap"`         // time between polls beyond this was not observed and doesn't count
}

// DefaultLimits fit an install of 30-60 minutes (EXE-11) polled every 10 s or
// faster, with an installer that repeats a failed step every 10 s.
func DefaultLimits() Limits {
	return Limits{Stall: 30 * time.Minute, FailedPolls: 6, FailedFor: 3 * time.Minute, GonePolls: 3, GoneFor: 10 * time.Second, Deaf: 5 * time.Minute, Gap: time.Minute}
}

// Observation is one poll: a progress, or the error of reading it.
type Observation struct {
	At       time.Time
	Progress Progress
	Err      error
}

// Judgement is the verdict after an observation.
type Judgement struct {
	Verdict Verdict  `json:"verdict"`
	Last    Progress `json:"last"`            // last progress that was understood
	News    bool     `json:"news"`            // something moved with this observation
	Cause   string   `json:"cause,omitempty"` // why failed, stalled or gone, and where to look
}

// Tracker judges observations one by one. It is pure and plain data: kept in
// heartbeat details, it goes on where a dead worker stopped.
type Tracker struct {
	Limits      Limits          `json:"limits"`
	Last        Progress        `json:"last"`
	LastAt      time.Time       `json:"lastAt"`
	Quiet       time.Duration   `json:"quiet"`       // observed time without news
	Deaf        time.Duration   `json:"deaf"`        // observed time without an understood answer
	FailedPolls int             `json:"failedPolls"` // in a row
	FailedTime  time.Duration   `json:"failedTime"`
	Refused     int             `json:"refused"` // consecutive
	RefusedTime time.Duration   `json:"refusedTime"`
	Seen        map[string]bool `json:"seen,omitempty"`
}

// maxSeen bounds the memory against an installer that invents phases for ever.
const maxSeen = 256

// NewTracker starts judging.
func NewTracker(l Limits) *Tracker { return &Tracker{Limits: l} }

// Observe takes the next observation and judges the sequence so far.
// Observations must come in order of time.
func (t *Tracker) Observe(o Observation) Judgement {
	var passed time.Duration
	if !t.LastAt.IsZero() {
		passed = min(max(o.At.Sub(t.LastAt), 0), t.Limits.Gap)
	}
	t.LastAt = o.At
	t.Quiet += passed
	if o.Err != nil {
		return t.withoutAnswer(o.Err, passed)
	}
	t.Deaf, t.Refused, t.RefusedTime = 0, 0, 0
	news := t.isNews(o.Progress)
	if news {
		t.Quiet = 0
	}
	t.Last = o.Progress
	t.countFailures(o.Progress.Status, passed)
	switch {
	case o.Progress.Status == Success:
		return Judgement{Verdict: VerdictSucceeded, Last: t.Last, News: news}
	case o.Progress.Status == Failed && t.FailedPolls >= t.Limits.FailedPolls && t.FailedTime >= t.Limits.FailedFor:
		return t.end(VerdictFailed, fmt.Sprintf("status Failed in %d polls over %s; %s", t.FailedPolls, t.FailedTime.Round(time.Second), WhereToLook(t.Last)))
	case t.Quiet >= t.Limits.Stall:
		return t.end(VerdictStalled, fmt.Sprintf("no change for %s; %s", t.Quiet.Round(time.Second), WhereToLook(t.Last)))
	}
	return Judgement{Verdict: VerdictRunning, Last: t.Last, News: news}
}

// countFailures keeps the row of failures: an installer that repeats a step
// for ever says Failed and Retrying in turn, and that is one row.
func (t *Tracker) countFailures(s Status, passed time.Duration) {
	switch {
	case s != Failed && s != Retrying:
		t.FailedPolls, t.FailedTime = 0, 0
		return
	case t.FailedPolls > 0:
		t.FailedTime += passed
	}
	if s == Failed {
		t.FailedPolls++
	}
}

func (t *Tracker) withoutAnswer(err error, passed time.Duration) Judgement {
	t.Deaf += passed
	t.FailedPolls, t.FailedTime = 0, 0 // not in a row any more
	if errors.Is(err, ErrRefused) {
		if t.Refused > 0 {
			t.RefusedTime += passed
		}
		t.Refused++
	} else {
		t.Refused, t.RefusedTime = 0, 0
	}
	switch {
	case t.Refused >= t.Limits.GonePolls && t.RefusedTime >= t.Limits.GoneFor:
		return t.end(VerdictGone, fmt.Sprintf("%d refused connections in a row: the installer ended, after success or before it; look at the new cluster directly", t.Refused))
	case fault.ClassOf(err).Permanent(): // host key, credentials: waiting does not mend them
		return t.end(VerdictStalled, err.Error())
	case t.Deaf >= t.Limits.Deaf:
		return t.end(VerdictStalled, fmt.Sprintf("no answer that is understood for %s, last: %v", t.Deaf.Round(time.Second), err))
	}
	return Judgement{Verdict: VerdictRunning, Last: t.Last}
}

func (t *Tracker) end(v Verdict, cause string) Judgement {
	return Judgement{Verdict: v, Last: t.Last, Cause: cause}
}

// isNews reports whether a progress was never seen before. An installer that
// repeats a step goes Doing, Failed, Retrying, Doing… for ever: that is no news.
func (t *Tracker) isNews(p Progress) bool {
	key := fmt.Sprintf("%s/%d/%s", p.Status, p.Step, p.Phase)
	if t.Seen[key] || len(t.Seen) >= maxSeen {
		return false
	}
	if t.Seen == nil {
		t.Seen = map[string]bool{}
	}
	t.Seen[key] = true
	return true
}
