package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
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
	r.Owed = []Owed{{Cluster: "west", Action: "close-port", Port: 2379}, {Cluster: "payments", Action: OwedWarlock}, {Server: "192.0.2.3:53", Action: OwedNameServer}}
	assert.Equal(t, "east is primary and west standby since 2026-07-01T10:00:00Z (switchover); owed: close-port 2379 of west, restart-warlock of payments, name-server 192.0.2.3:53", r.String())
}

// A side that remembers nothing has no record; one that can't be read is no "nothing".
func TestKeptRecord(t *testing.T) {
	typed := fake.NewClientset()
	client := kube.NewFromClients(typed, nil, "east")
	kept, err := keptRecord(t.Context(), client)
	require.NoError(t, err)
	assert.Nil(t, kept)

	put := func(text string) {
		_, err := client.EditConfigMap(t.Context(), platformNamespace, recordName, func(data map[string]string) error { data[recordKey] = text; return nil })
		require.NoError(t, err)
	}
	put(`{"primary":"east","primaryUID":"uid-east","standby":"west","mode":"failover"}`)
	kept, err = keptRecord(t.Context(), client)
	require.NoError(t, err)
	require.NotNil(t, kept)
	assert.Equal(t, []string{"uid-east", "failover"}, []string{kept.PrimaryUID, kept.Mode})

	put("{")
	_, err = keptRecord(t.Context(), client)
	assert.Equal(t, fault.Corrupt, fault.ClassOf(err))
	assert.ErrorContains(t, err, RecordConfigMap)
}
