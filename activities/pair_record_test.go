package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func aRecord() PairRecord {
	return PairRecord{Primary: "east", PrimaryUID: "uid-east", Standby: "west", StandbyUID: "uid-west",
		Since: time.Date(2026, 7, 1, 10, 0, 0, 0, time.UTC), Run: "switchover/1", Mode: "switchover"}
}

func TestRecordsFollowOneAnother(t *testing.T) {
	old := aRecord()
	same, err := old.after(aRecord())
	require.NoError(t, err)
	assert.Equal(t, old, same, "the same run twice is once")

	paid := aRecord()
	paid.Owed, paid.Run, paid.Mode = nil, "reprotect/2", "reprotect"
	owing := aRecord()
	owing.Owed = []Owed{{Cluster: "west", Action: "close-port", Port: 2379, Why: "the balancer is away", Since: owing.Since}}
	now, err := owing.after(paid)
	require.NoError(t, err)
	assert.Equal(t, paid, now, "who pays what is owed keeps the time of the roles")

	newer := aRecord()
	newer.Since = newer.Since.Add(time.Minute)
	now, err = newer.after(old)
	require.NoError(t, err)
	assert.Equal(t, newer, now, "an attempt of the same run that comes late changes nothing")

	newer.Run = "failover/9"
	_, err = newer.after(old)
	assert.ErrorContains(t, err, "failover/9", "a newer record of another run is never overwritten")
}

func TestRecordsAreRead(t *testing.T) {
	r, err := readRecord(nil, "east")
	require.NoError(t, err)
	assert.Zero(t, r)
	_, err = readRecord(map[string]string{recordKey: "{"}, "east")
	assert.ErrorContains(t, err, RecordConfigMap)
}

func TestRecordsAreComplete(t *testing.T) {
	require.NoError(t, aRecord().complete())
	for name, spoil := range map[string]func(*PairRecord){
		"nobody is primary":   func(r *PairRecord) { r.Primary = "" },
		"the primary unknown": func(r *PairRecord) { r.PrimaryUID = "" },
		"one for both":        func(r *PairRecord) { r.StandbyUID = r.PrimaryUID },
		"no time":             func(r *PairRecord) { r.Since = time.Time{} },
		"no run":              func(r *PairRecord) { r.Run = "" },
	} {
		r := aRecord()
		spoil(&r)
		assert.Error(t, r.complete(), name)
	}
	away := aRecord()
	away.StandbyUID = ""
	assert.NoError(t, away.complete(), "a dead side can't be asked for its UID")
}

func TestRecordInWords(t *testing.T) {
	r := aRecord()
	r.Owed = []Owed{{Cluster: "west", Action: "close-port", Port: 2379}, {Cluster: "payments", Action: OwedWarlock}}
	assert.Equal(t, "east is primary and west standby since 2026-07-01T10:00:00Z (switchover); owed: close-port 2379 of west, restart-warlock of payments", r.String())
}
