package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

// During an upgrade the plugin is absent for a while, and a waiver says why.
func TestAbsentOnPurpose(t *testing.T) {
	w := newCheckWorld(t)
	w.sides["east"].Plugin = pair.Of(pair.Plugin{})
	v := w.check()
	assert.True(t, v.Blocking)
	assert.Contains(t, said(t, v, pair.Installed, "").Seen, "vanished")

	w = absentWith(t, func(*checkWorld) {})
	v = w.check()
	assert.False(t, v.Blocking, "%+v", v.Findings)
	assert.Equal(t, checks.Waived, said(t, v, pair.Installed, "").Outcome)
	assert.Contains(t, said(t, v, pair.Installed, "").Reason, "accepted by ops@example.com until 2999-12-31: upgrade to 4.2")
	assert.Contains(t, v.Summary, "absent on purpose, and nothing is copied: 0 missed, 0 surplus, 0 different of 4000 keys compared (full)")
	assert.Nil(t, v.Good)

	w = absentWith(t, func(w *checkWorld) { w.proofs = []etcd.Proof{proven(7, 0, 2)} })
	v = w.check()
	assert.Equal(t, workflows.Succeeded, w.status().Outcome)
	assert.Equal(t, checks.Warn, said(t, v, pair.Equal, "").Outcome)
	assert.Contains(t, v.Summary, "7 missed, 0 surplus, 2 different")
	v = absentWith(t, func(w *checkWorld) { w.unread["proof"] = true }).check()
	assert.Contains(t, v.Summary, "nothing was compared")
}

func absentWith(t *testing.T, edit func(*checkWorld)) *checkWorld {
	w := newCheckWorld(t)
	w.sides["east"].Plugin = pair.Of(pair.Plugin{})
	w.doc.Waivers = []site.Waiver{{Rule: "DR-31", Reason: "upgrade to 4.2", Author: "ops@example.com", Expires: "2999-12-31"}}
	edit(w)
	return w
}

// A ledger that can't be read does not mean that there was no good check.
func TestAnUnreadLedgerIsNoEmptyOne(t *testing.T) {
	w := newCheckWorld(t)
	w.proofs = []etcd.Proof{proven(0, 1, 0)}
	w.sides["east"].Ledger = pair.Unknown[pair.Ledger]("forbidden")
	v := w.check()
	assert.Contains(t, v.Summary, "when both sides were last equal is not known: the ledger of east can't be read: forbidden")
	assert.NotContains(t, v.Summary, "no earlier check")
}
