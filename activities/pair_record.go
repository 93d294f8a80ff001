package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
)

// The record of a pair stands in a namespace that is never synchronised (DR-07),
// so each side keeps its own: what it was told when it took over its role.
const (
	recordName = "acpflow-pair"
	recordKey  = "pair.json"
)

// RecordConfigMap tells a person where the record of a side is.
const RecordConfigMap = platformNamespace + "/" + recordName

// PairRecord is who is primary and who is standby, as the last takeover or
// reprotection left them (DR-41, DR-43). The UIDs are those of the namespaces kube-system.
type PairRecord struct {
	Primary    string     `json:"primary"` // name of the cluster in the site document
	PrimaryUID string     `json:"primaryUID"`
	Standby    string     `json:"standby"`
	StandbyUID string     `json:"standbyUID,omitempty"` // "" when it could not be asked
	Since      time.Time  `json:"since"`                // when the roles were taken, by Temporal's clock
	Run        string     `json:"run"`                  // workflow id and run id of who wrote it
	Mode       string     `json:"mode"`                 // switchover, failover or reprotect
	Owed       []Owed     `json:"owed,omitempty"`       // what could not be done while a side was away
	Done       bool       `json:"done,omitempty"`       // a takeover: it came to its end; else it may be half done
	Moved      *time.Time `json:"moved,omitempty"`      // a takeover: when the platform's name was first told to lead to Primary, written before it is; nil = it was not
	Taken      time.Time  `json:"taken,omitzero"`       // when the roles were taken, in a record that an undo has put back at Since
}

// TakenAt is when the roles were taken.
func (r PairRecord) TakenAt() time.Time {
	if r.Taken.IsZero() {
		return r.Since
	}
	return r.Taken
}

// Owed is a change that could not be made, or seen, because what it is about was
// away. It is paid when that is back, before anything else is done with the side.
type Owed struct {
	Cluster string    `json:"cluster"`          // "" with name-server
	Action  string    `json:"action"`           // one of those below
	Port    int       `json:"port,omitempty"`   // of the VIP, with close-port
	Server  string    `json:"server,omitempty"` // host:port, with name-server
	Why     string    `json:"why"`              // it could not be done
	Since   time.Time `json:"since"`
}

// What can be owed.
const (
	OwedClosePort  = "close-port"      // of the VIP of Cluster (DR-42)
	OwedWarlock    = "restart-warlock" // of the workload cluster named Cluster (DR-43)
	OwedNameServer = "name-server"     // Server was silent, and must lead to the new primary (DR-42)
)

// Same reports whether both are about the same, whenever and why it is owed.
func (o Owed) Same(other Owed) bool {
	return o.Cluster == other.Cluster && o.Action == other.Action && o.Port == other.Port && o.Server == other.Server
}

// ReadPairRecord reads what the cluster remembers of the pair; the zero record
// when it remembers nothing. What is there and can't be read is fault.Corrupt.
func (a *Sides) ReadPairRecord(ctx context.Context, in Scope) (PairRecord, error) {
	client, _, err := (&Cluster{Hosts: a.Hosts}).openKept(ctx, in)
	if err != nil {
		return PairRecord{}, err
	}
	return recordOf(ctx, client)
}

func recordOf(ctx context.Context, client *kube.Client) (PairRecord, error) {
	data, _, err := client.ConfigMap(ctx, platformNamespace, recordName)
	if err != nil {
		return PairRecord{}, err
	}
	return readRecord(data, client.Place())
}

// keptRecord is recordOf; nil when there is none.
func keptRecord(ctx context.Context, client *kube.Client) (*PairRecord, error) {
	record, err := recordOf(ctx, client)
	if err != nil || record.Primary == "" && record.PrimaryUID == "" {
		return nil, err
	}
	return &record, nil
}

func readRecord(data map[string]string, place string) (PairRecord, error) {
	var out PairRecord
	if data[recordKey] == "" {
		return out, nil
	}
	if err := json.Unmarshal([]byte(data[recordKey]), &out); err != nil {
		return PairRecord{}, fault.New(fault.Corrupt, "read the record of the pair", place,
			"look at configmap "+RecordConfigMap+": mend it, or delete it when you know by other means which side is primary", err)
	}
	return out, nil
}

// WriteRecordInput is the record that the cluster in the scope shall keep.
type WriteRecordInput struct {
	Scope
	Record PairRecord `json:"record"`
}

// WritePairRecord has the cluster remember its role. Writing the same again
// changes nothing. A record that was made later is never overwritten: of the
// same run that is fine, of another run it is fault.Gate. So is a cluster whose
// UID is not the one that the record has for it.
func (a *Sides) WritePairRecord(ctx context.Context, in WriteRecordInput) (Evidence, error) {
	if err := in.Record.complete(); err != nil {
		return Evidence{}, fault.New(fault.BadInput, "write the record of the pair", "cluster "+in.Cluster, "", err)
	}
	client, uid, err := (&Cluster{Hosts: a.Hosts}).openKept(ctx, in.Scope)
	if err != nil {
		return Evidence{}, err
	}
	if want := in.Record.uidOf(in.Cluster); want != uid {
		return Evidence{}, fault.New(fault.Gate, "write the record of the pair", "cluster "+in.Cluster,
			"find out which cluster the nodes of "+in.Cluster+" in the site document belong to", fmt.Errorf("its UID is %s, the record says %q", uid, want))
	}
	var kept PairRecord
	_, err = client.EditConfigMap(ctx, platformNamespace, recordName, func(data map[string]string) error {
		old, err := readRecord(data, client.Place())
		if err != nil {
			return err
		}
		if kept, err = old.after(in.Record); err != nil {
			return fault.New(fault.Gate, "write the record of the pair", "cluster "+in.Cluster,
				"look at that run: its roles are newer than this run's, so this run must not go on", err)
		}
		if data[recordKey] != "" && reflect.DeepEqual(kept, old) {
			return nil
		}
		text, err := json.Marshal(kept)
		if err != nil {
			return fault.New(fault.Internal, "write the record of the pair", in.Cluster, "", err)
		}
		data[recordKey] = string(text)
		return nil
	})
	if err != nil {
		return Evidence{}, err
	}
	return Evidence{Host: in.Cluster, Summary: fmt.Sprintf("%s remembers (configmap %s): %s", in.Cluster, RecordConfigMap, kept),
		Facts: map[string]string{"primary": kept.PrimaryUID, "standby": kept.StandbyUID, "owed": fmt.Sprint(len(kept.Owed))}}, nil
}

// String is the record in one sentence.
func (r PairRecord) String() string {
	out := fmt.Sprintf("%s is primary and %s standby since %s (%s)", r.Primary, r.Standby, r.Since.UTC().Format(time.RFC3339), r.Mode)
	for i, o := range r.Owed {
		out += map[bool]string{true: "; owed: ", false: ", "}[i == 0] + o.String()
	}
	return out
}

// String is what is owed, for people.
func (o Owed) String() string {
	switch {
	case o.Server != "":
		return o.Action + " " + o.Server
	case o.Port > 0:
		return fmt.Sprintf("%s %d of %s", o.Action, o.Port, o.Cluster)
	}
	return o.Action + " of " + o.Cluster
}

// after is the record that stands when next comes after r. UTC and JSON drop
// what two equal times may differ in.
func (r PairRecord) after(next PairRecord) (PairRecord, error) {
	if !r.Since.After(next.Since) {
		return next.plain()
	}
	if r.Run != next.Run {
		return r, fmt.Errorf("run %s wrote at %s: %s", r.Run, r.Since.UTC().Format(time.RFC3339), r)
	}
	return r, nil
}

func (r PairRecord) plain() (PairRecord, error) {
	var out PairRecord
	text, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	return out, err
}

func (r PairRecord) complete() error {
	switch {
	case r.Primary == "" || r.PrimaryUID == "" || r.Standby == "":
		return errors.New("it does not say who is primary and who is standby")
	case r.Primary == r.Standby || r.PrimaryUID == r.StandbyUID:
		return errors.New("primary and standby are the same cluster")
	case r.Since.IsZero() || r.Run == "":
		return errors.New("it does not say since when and by which run")
	}
	return nil
}

// uidOf is the UID that the record has for a cluster, "" for none.
func (r PairRecord) uidOf(cluster string) string {
	switch cluster {
	case r.Primary:
		return r.PrimaryUID
	case r.Standby:
		return r.StandbyUID
	}
	return ""
}
