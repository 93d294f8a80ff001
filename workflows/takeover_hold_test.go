package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/workflows"
)

var addressOf = map[string]string{"west": "192.0.2.10", "east": "192.0.2.20"}

// servers makes two name servers whose clients are led to the cluster; "" = silent.
type servers struct{ a, b string }

func (w *takeoverWorld) asks(now *servers) {
	instead(w.world, "LookUpPlatform", func(activities.ClusterInput) any {
		if now.a == "" && now.b == "" {
			return unreachable("the name servers")
		}
		out := activities.PlatformAddress{Cluster: now.a, Agreed: now.a == now.b, TTL: 30, Answers: map[string][]string{}, Silent: map[string]string{}}
		for server, cluster := range map[string]string{"a": now.a, "b": now.b} {
			switch cluster {
			case "":
				out.Silent[server] = "timed out"
			default:
				out.Answers[server] = []string{addressOf[cluster]}
			}
		}
		switch {
		case now.a == "":
			out.Cluster = now.b
		case now.b != "" && now.a != now.b:
			out.Cluster = ""
		}
		return out
	})
	instead(w.world, "PointPlatform", func(in activities.PointInput) any {
		w.invariants()
		w.name, now.a, now.b = in.To, in.To, in.To
		return activities.Evidence{Summary: "points"}
	})
}

// held is a takeover whose step 13 waits for its approval behind the uninstall.
func held(t *testing.T, book string) (*takeoverWorld, *servers) {
	w := newTakeoverWorld(t)
	if book == failover {
		w.isDead()
	}
	now := &servers{"west", "west"}
	w.asks(now)
	return w, now
}

// script answers the gates one after the other from the first one about the step on,
// and those after its end as ever.
func (w *takeoverWorld) turns(step string, all ...func(workflows.Gate) workflows.Action) (left *int) {
	left = new(len(all))
	w.answers = func(g workflows.Gate) *workflows.Decision {
		if *left == 0 || *left == len(all) && g.Step != step {
			return nil
		}
		turn := all[len(all)-*left]
		*left--
		return &workflows.Decision{Step: g.Step, Action: turn(g), By: "boss", Reason: "test"}
	}
	return left
}

func (w *takeoverWorld) nothingTakenBack() {
	w.t.Helper()
	for _, call := range []string{"OpenPort east", "OpenPort west", "ForgetPairRecord east", "InstallPlugin"} {
		assert.NotContains(w.t, w.meant(), call)
	}
	assert.False(w.t, w.sides.plugins["east"].Installed)
	assert.Equal(w.t, "east", w.records["east"].Primary)
}

var pointStep = map[string]string{switchover: "switchover.13-point-dns", failover: "failover.13-point-dns"}

// Somebody has moved the name by hand while the run waited: users write to the new
// side, and an abort would copy the old data over it. Going on is still possible.
func TestAbortIsRefusedOnceTheNameLeadsToTheNewSide(t *testing.T) {
	for _, book := range []string{switchover, failover} {
		for name, to := range map[string]servers{"moved": {"east", "east"}, "partly": {"west", "east"}, "one is silent": {"east", ""}} {
			t.Run(book+" "+name, func(t *testing.T) {
				w, now := held(t, book)
				left := w.turns(pointStep[book],
					func(g workflows.Gate) workflows.Action {
						require.NotEmpty(t, g.Question)
						*now = to
						return workflows.Abort
					},
					func(g workflows.Gate) workflows.Action {
						assert.False(t, g.Undo)
						assert.Equal(t, []workflows.Action{workflows.Retry, workflows.Abort}, g.Actions)
						assert.Contains(t, g.Error, "NOT aborted: take this "+newMode(book)+" back: acp.example.com leads to east (")
						assert.Contains(t, g.Error, "copy the data of west over it")
						assert.Contains(t, g.Error, "Nothing has been taken back, and retry goes on")
						assert.Contains(t, g.Error, "Fix: go on, to step "+pointStep[book]+" and further; or, if nobody has written to east yet, point the name back at west")
						return workflows.Abort
					},
					func(g workflows.Gate) workflows.Action {
						assert.Contains(t, g.Error, "NOT aborted", "a second abort changes nothing")
						assert.NotContains(t, g.Error, "had failed")
						w.nothingTakenBack()
						return workflows.Retry
					},
				)
				require.NoError(t, w.take(book))
				assert.Zero(t, *left)
				assert.Equal(t, "east", w.name)
				w.nothingTakenBack()
			})
		}
	}
}

func newMode(book string) string {
	if book == failover {
		return workflows.ModeFailover
	}
	return workflows.ModeSwitchover
}

// The same where the step has failed: the name was not moved by the run, and then by
// a person. Pointed back, an abort takes everything back.
func TestAbortIsPossibleAgainWhenTheNameIsPointedBack(t *testing.T) {
	for _, book := range []string{switchover, failover} {
		t.Run(book, func(t *testing.T) {
			w, now := held(t, book)
			w.breaks("PointPlatform", fault.Auth) // the key; nothing was changed
			left := w.turns(pointStep[book],
				func(workflows.Gate) workflows.Action { return workflows.Approve },
				func(g workflows.Gate) workflows.Action {
					assert.Contains(t, g.Error, "PointPlatform is broken")
					*now = servers{"east", "west"}
					return workflows.Abort
				},
				func(g workflows.Gate) workflows.Action {
					assert.Contains(t, g.Error, "a says 192.0.2.20; b says 192.0.2.10")
					assert.Contains(t, g.Error, "The step itself had failed: PointPlatform is broken")
					w.nothingTakenBack()
					*now = servers{"west", "west"}
					return workflows.Abort
				},
			)
			err := w.take(book)
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			assert.Equal(t, workflows.ErrAborted, app.Type())
			assert.Zero(t, *left)
			w.untouched()
		})
	}
}

// Silence is no answer. A person who knows may say so; a look in between is no word.
func TestAbortWhileNameServersAreSilentNeedsAWord(t *testing.T) {
	for name, to := range map[string]servers{"all": {}, "one": {"west", ""}} {
		t.Run(name, func(t *testing.T) {
			w, now := held(t, failover)
			w.breaks("PointPlatform", fault.Auth)
			doubt := func(then workflows.Action) func(workflows.Gate) workflows.Action {
				return func(g workflows.Gate) workflows.Action {
					assert.Contains(t, g.Error, "NOT aborted: nobody can tell where acp.example.com leads: ")
					assert.Contains(t, g.Error, "abort once more and say how you know")
					w.nothingTakenBack()
					if then == workflows.Retry { // it is looked before people are asked anew
						*now = servers{"west", "west"}
					}
					return then
				}
			}
			left := w.turns("failover.13-point-dns",
				func(workflows.Gate) workflows.Action { return workflows.Approve },
				func(workflows.Gate) workflows.Action { *now = to; return workflows.Abort },
				doubt(workflows.Retry),
				func(workflows.Gate) workflows.Action { return workflows.Approve },
				func(workflows.Gate) workflows.Action {
					*now = servers{"east", "east"}
					return workflows.Abort
				},
				func(g workflows.Gate) workflows.Action {
					assert.Contains(t, g.Error, "leads to east")
					*now = to
					return workflows.Abort
				},
				doubt(workflows.Abort),
			)
			require.Error(t, w.take(failover))
			assert.Zero(t, *left, "told, and then wanted")
			w.untouched()
			assert.NotContains(t, w.records, "east")
		})
	}
}

// In a switchover the ports come back by that word, which users may be waiting for;
// the synchronizer waits until the name is known.
func TestSynchronizerOfASwitchoverWaitsForTheName(t *testing.T) {
	w, now := held(t, switchover)
	w.doc.DR.Takeover.Fence = true
	left := w.turns("switchover.13-point-dns",
		func(workflows.Gate) workflows.Action { *now = servers{}; return workflows.Abort },
		func(workflows.Gate) workflows.Action { return workflows.Abort },
		func(g workflows.Gate) workflows.Action {
			assert.True(t, g.Undo)
			assert.Equal(t, "switchover.07-remove-synchronizer", g.Step)
			assert.True(t, w.open["west 443"])
			assert.False(t, w.called("InstallPlugin"))
			*now = servers{"west", "west"}
			return workflows.Retry
		},
	)
	require.Error(t, w.take(switchover))
	assert.Zero(t, *left)
	w.untouched()
}

// An undo may wait for a person for days, and the name moves meanwhile.
func TestSynchronizerIsNotPutBackWhenTheNameMovedDuringTheUndo(t *testing.T) {
	for _, book := range []string{switchover, failover} {
		for name, to := range map[string]servers{"leads to east": {"east", "west"}, "nobody can tell where": {}} {
			t.Run(book+" "+name, func(t *testing.T) {
				w, now := held(t, book)
				w.breaks("OpenPort", fault.Failed)
				left := w.turns(pointStep[book],
					func(workflows.Gate) workflows.Action { return workflows.Abort },
					func(g workflows.Gate) workflows.Action {
						assert.True(t, g.Undo)
						assert.Contains(t, g.Error, "OpenPort is broken")
						*now = to
						w.mends("OpenPort")
						return workflows.Retry
					},
					func(g workflows.Gate) workflows.Action {
						assert.True(t, g.Undo)
						assert.Equal(t, newMode(book)+".07-remove-synchronizer", g.Step)
						assert.Contains(t, g.Error, name)
						assert.Contains(t, g.Error, "leave it off: skip")
						return workflows.Skip
					},
				)
				require.Error(t, w.take(book))
				assert.Zero(t, *left)
				assert.False(t, w.called("InstallPlugin"))
				assert.Contains(t, w.step(newMode(book)+".07-remove-synchronizer").Error, "NOT undone, boss")
			})
		}
	}
}

// Where no synchronizer would be put back, an abort overwrites nothing wherever the
// name leads: the second failover after one that was terminated.
func TestAbortIsPossibleWhereNoSynchronizerComesBack(t *testing.T) {
	w, now := held(t, failover)
	w.sides.install("east", false)
	*now = servers{"east", "east"}
	w.breaks("WritePairRecord", fault.Conflict)
	step, _ := w.aborted(failover)
	assert.Equal(t, "failover.12-record", step)
	assert.True(t, w.open["east 2379"])
	assert.False(t, w.called("InstallPlugin"))
}

// A run that has lost its lease while its undo was held back has taken nothing back.
func TestHeldUndoStopsWhenTheLeaseIsEnded(t *testing.T) {
	w, now := held(t, failover)
	w.during["WritePairRecord"] = func() {
		delete(w.during, "WritePairRecord")
		*now = servers{"east", "east"}
		w.env.CancelWorkflow()
	}
	w.after(time.Minute, w.answerGate)
	w.after(time.Hour, w.endLease)
	text := lostIn(t, w.runBook(failover, takeoverRequest))
	assert.Contains(t, text, "in the middle of its undo. NOT undone: failover.12-record, failover.10-close-new, failover.09-close-old, failover.07-remove-synchronizer")
	w.nothingTakenBack()
}

// Where no server that counts answers, a resolver that leads to the new side is enough,
// and what the others say is told.
func TestResolversAreHeardBeforeAnAbort(t *testing.T) {
	w, now := held(t, failover)
	resolver := "east"
	instead(w.world, "AskResolvers", func(activities.ClusterInput) any {
		return activities.PlatformAddress{Answers: map[string][]string{"r": {addressOf[resolver]}}}
	})
	left := w.turns("failover.13-point-dns",
		func(workflows.Gate) workflows.Action { *now = servers{}; return workflows.Abort },
		func(g workflows.Gate) workflows.Action {
			assert.Contains(t, g.Error, "leads to east (r says 192.0.2.20)")
			resolver = "west"
			return workflows.Abort
		},
		func(g workflows.Gate) workflows.Action {
			assert.Contains(t, g.Error, "nobody can tell where acp.example.com leads: the name servers: no route to host; r says 192.0.2.10. If")
			w.nothingTakenBack()
			return workflows.Abort
		},
	)
	require.Error(t, w.take(failover))
	assert.Zero(t, *left)
	w.untouched()
}
